"""Who gets in, and how that is taken back: limits on guessing, second factors, single sign-on, sessions, links."""

from tests.mutants.mutant import platform_planter, unnoted

_guessing = platform_planter("accounts/guessing.py", "accounts/test_guessing.py")
_devices = platform_planter("accounts/devices.py", "accounts/test_guessing.py")
_second_factor = platform_planter("accounts/second_factor.py", "accounts/views/test_second_factor.py")
_proof = platform_planter("web/proof.py", "accounts/views/test_second_factor.py")
_adapters = platform_planter("accounts/allauth_adapters.py", "accounts/views/test_second_factor.py")
_entering = platform_planter("accounts/entering.py", "accounts/views/test_second_factor.py")
_sign_on = platform_planter("accounts/single_sign_on.py", "accounts/views/test_single_sign_on.py")
_links = platform_planter("accounts/links.py", "accounts/views/test_links.py")
_sessions = platform_planter("models/accounts/sessions.py", "accounts/views/test_sessions.py")
_presence = platform_planter("accounts/presence.py", "accounts/views/test_sessions.py")
_taking_back = platform_planter("accounts/users.py", "accounts/views/test_sessions.py")

MUTANTS = [
    _guessing(
        "guesses do not begin a new window",
        "THEN 1 ELSE f.num_failures + 1 END",
        "THEN f.num_failures ELSE f.num_failures + 1 END",
    ),
    _guessing(
        "a known device is a stranger's",
        "    if device is not None:\n        return {f",
        "    if False:\n        return {f",
    ),
    _guessing("a name is counted from everywhere", '"name:{name}@{network}": FAILURES', '"name:{name}@": FAILURES'),
    _guessing(
        "a shared address is one person's",
        'address:{network}": FAILURES_PER_SHARED_ADDRESS if is_shared(address) else FAILURES',
        'address:{network}": FAILURES',
    ),
    _guessing("many at once are all tried", " OR f.num_failures < %(limit)s", " OR f.num_failures < 1000"),
    _guessing(
        "the codes of a person are guessed for ever",
        '    limits = {f"factor:{user.pk}": WRONG_CODES}',
        '    limits = {f"factor:{user.pk}": 10**6}',
    ),
    unnoted(_guessing, "a count that is full leaves no audit event", "slow sign-in down"),
    _devices("the device of one is known under every name", 'if _mark(name) in known["names"] else', "if known else"),
    _second_factor("a code lets in twice", "    if code in used:\n", "    if False:\n"),
    _second_factor(
        "two requests with one code both get in", "Authenticator.objects.select_for_update()", "Authenticator.objects"
    ),
    _second_factor("the last factor leaves its recovery codes", "        if is_last:\n", "        if False:\n"),
    _proof(
        "a role that needs a second factor gets on without",
        "if role not in settings",
        "if True or role not in settings",
    ),
    _proof("a proof lasts for ever", "return bool(time.time() -", "return bool(0 * time.time() -"),
    _proof("a form may be sent for ever", "allowed += TIME_TO_SEND", "allowed *= 1000"),
    _adapters("secrets are stored as they are", "return _cipher().encrypt(text.encode()).decode()", "return text"),
    _entering(
        "a password that was changed meanwhile still leads to the second step",
        " or user.get_session_auth_hash() != waiting.fingerprint:",
        ":",
    ),
    _sign_on("an address that is not verified counts", 'said.get("email_verified") in (True, "true")', "True"),
    _sign_on("an answer to another question counts", 'token.get("nonce") != nonce or ', ""),
    _sign_on(
        "whoever the provider knows comes in",
        'elif settings.OIDC_NEW_PEOPLE == "anyone":',
        "else:\n        pass\n    if invitation is None:",
    ),
    _sign_on(
        "a closed account is opened by the provider", "if not user.is_active or user.is_visitor:", "if user.is_visitor:"
    ),
    _sign_on("an account is known by its subject alone", "filter(provider=_issuer(), uid=", "filter(uid="),
    _sign_on(
        "somebody else's proof confirms",
        "return known is not None and known.user_id == user.pk and is_fresh",
        "return is_fresh",
    ),
    _links(
        "a link is used twice",
        "filter(pk=link.pk, used_at=None, expires_at__gt=now)",
        "filter(pk=link.pk, expires_at__gt=now)",
    ),
    _links("an address that somebody typed gets the mail", '.exclude(proven_email="")', ""),
    _links("a link that was handed over proves an address", "(link.is_mailed or is_vouched_for)", "True"),
    _sessions("an idle session goes on", "over |= Q(last_seen_at__lte=", "over &= Q(last_seen_at__lte="),
    _sessions("an ended session is made anew", "            raise UpdateError\n", "            super().save(True)\n"),
    _presence("what a page asks by itself keeps it signed in", "return not asks_by_itself and", "return"),
    _taking_back("sessions outlive a closed account and a new password", "    end_sessions(user, by=by)\n", ""),
]
