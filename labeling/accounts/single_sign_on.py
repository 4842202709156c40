"""Who comes in through the provider, as whom and in which role. Knows claims and rows, no page and no protocol.

A person is known by the issuer and their subject there, never by an e-mail address that somebody typed: an account is
joined to the provider by an invitation to a verified address, or by its owner while signed in.
"""

import hashlib
import re
import time
from dataclasses import dataclass
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connection, transaction
from django.utils.translation import gettext as _

from labeling.accounts import links, users
from labeling.models import AuditEvent, User

_CONFIRMED_WITHIN_SECONDS = 120  # the provider asked for the password so lately, where somebody confirms who they are
_SECOND_FACTORS = {"mfa", "otp", "hwk", "fpt", "face", "sc"}  # in `amr` (RFC 8176): more than a password was given
_STRENGTH = {role: rank for rank, role in enumerate(("trainer", "reviewer", "engineer", "admin"))}


class SignOnRefused(ValueError):
    """Somebody whom the provider knows and who does not come in; the text is for them."""


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What the provider says of who comes."""

    subject: str
    email: str = ""  # lower case; empty unless it is verified
    name: str = ""
    username: str = ""
    groups: tuple[str, ...] = ()
    has_second_factor: bool = False
    authenticated_at: float = 0.0  # seconds; 0 if it does not say


def read_claims(answer: dict[str, Any], *, nonce: str) -> Claims:
    """The claims of an answer of allauth: `userinfo` and `id_token`. Raises SignOnRefused.

    The token must answer the question that `nonce` was sent with, and both must be of one subject.
    """
    token, userinfo = answer.get("id_token") or {}, answer.get("userinfo") or {}
    if not nonce or token.get("nonce") != nonce or (userinfo and userinfo.get("sub") != token.get("sub")):
        raise SignOnRefused(_("The provider's answer does not fit together; please tell an admin."))
    said = {**token, **userinfo}
    is_verified = settings.OIDC_TRUSTS_EMAIL or said.get("email_verified") in (True, "true")
    groups = said.get(settings.OIDC_GROUPS_CLAIM) or ()
    methods = token.get("amr") or ()
    return Claims(
        subject=str(token["sub"]),
        email=_address(said.get("email")) if is_verified else "",
        name=str(said.get("name") or "")[:120],
        username=str(said.get("preferred_username") or ""),
        groups=(groups,) if isinstance(groups, str) else tuple(map(str, groups)),
        has_second_factor=settings.OIDC_TRUSTS_SECOND_FACTOR or bool(_SECOND_FACTORS & set(map(str, methods))),
        authenticated_at=float(token.get("auth_time") or 0),
    )


def person_of(claims: Claims) -> User:
    """The person who comes in, with the role that the provider gives them; made if they are new. Raises SignOnRefused.

    Nobody else comes in: not from other domains or groups, not to a closed account, and not without an invitation
    unless OIDC_NEW_PEOPLE says anyone.
    """
    _require_allowed(claims)
    with transaction.atomic():
        _one_at_a_time(claims)
        known = _known(claims)
        user = known.user if known else _newcomer(claims)
        if not user.is_active or user.is_visitor:
            raise SignOnRefused(_("Your account here is closed. An admin can open it again."))
        _give_role(user, claims)
    return user


def connect(user: User, claims: Claims) -> None:
    """Join the account of somebody who is signed in to the provider. Raises SignOnRefused."""
    _require_allowed(claims)
    with transaction.atomic():
        _one_at_a_time(claims)
        known = _known(claims)
        if known is not None and known.user_id != user.pk:
            raise SignOnRefused(_("Somebody else's account here is joined to that one."))
        if known is None:
            _join(user, claims)


def confirms(user: User, claims: Claims) -> bool:
    """Whether this is the same person, of whom the provider has asked a proof just now."""
    known = _known(claims)
    is_fresh = time.time() - claims.authenticated_at < _CONFIRMED_WITHIN_SECONDS
    return known is not None and known.user_id == user.pk and is_fresh


def is_connected(user: User) -> bool:
    return bool(settings.OIDC_ISSUER) and SocialAccount.objects.filter(user=user, provider=_issuer()).exists()


def role_of(groups: tuple[str, ...]) -> str:
    """The strongest role that the settings give one of these groups; a trainer's where they give none."""
    given = [settings.OIDC_ROLES[group] for group in groups if group in settings.OIDC_ROLES]
    return max(given, key=_STRENGTH.__getitem__, default="trainer")


def _require_allowed(claims: Claims) -> None:
    domain = claims.email.rpartition("@")[2]
    if settings.OIDC_DOMAINS and domain not in settings.OIDC_DOMAINS:
        raise SignOnRefused(_("Only verified addresses of certain domains come in here, and yours is none of them."))
    if settings.OIDC_GROUPS and not set(claims.groups) & set(settings.OIDC_GROUPS):
        raise SignOnRefused(_("Only members of certain groups come in here, and you are in none of them."))


def _known(claims: Claims) -> SocialAccount | None:
    return SocialAccount.objects.select_related("user").filter(provider=_issuer(), uid=_uid(claims)).first()


def _newcomer(claims: Claims) -> User:
    """Whoever comes for the first time: invited to the address that the provider vouches for, or anyone if so set."""
    invitation = links.invitation_of(claims.email) if claims.email else None
    if invitation is not None:
        links.use_invitation(invitation)
        user = invitation.user
    elif settings.OIDC_NEW_PEOPLE == "anyone":
        user = _make_person(claims)
    else:
        raise SignOnRefused(_("You have no account here yet. Ask an admin for an invitation to your address."))
    _join(user, claims)
    return user


def _make_person(claims: Claims) -> User:
    """An account with no password, in no project."""
    wanted = claims.username or claims.email.partition("@")[0] or "person"
    base = re.sub(r"[^\w.@+-]", "-", wanted)[:60].strip("-") or "person"
    name, number = base, 1
    while User.objects.filter(username__iexact=name).exists():
        number += 1
        name = f"{base}-{number}"
    user, _password = users.create_account(
        username=name, role=role_of(claims.groups), by=None, display_name=claims.name, has_password=False
    )
    user.email = user.proven_email = claims.email
    user.save(update_fields=["email", "proven_email"])
    return user


def _join(user: User, claims: Claims) -> None:
    SocialAccount.objects.create(user=user, provider=_issuer(), uid=_uid(claims), extra_data={})
    AuditEvent.note("join to provider", user, by=user, issuer=_issuer())


def _give_role(user: User, claims: Claims) -> None:
    """Where groups have roles here, the provider decides at every sign-in. The last admin stays one."""
    role = role_of(claims.groups)
    if not settings.OIDC_ROLES or user.role == role:
        return
    try:
        with transaction.atomic():
            users.change_role(user, role=role, by=None)
    except users.AccountError:
        user.refresh_from_db(fields=["role"])
        AuditEvent.note("keep role", user, by=None, role=user.role, wanted=role)


def _one_at_a_time(claims: Claims) -> None:
    # Two first sign-ins of one person at once make one account. There is no row to lock yet.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"parley: {_issuer()} {claims.subject}"])


def _uid(claims: Claims) -> str:
    """The subject, or the hash of one that is too long for its column."""
    return claims.subject if len(claims.subject) <= 128 else hashlib.sha256(claims.subject.encode()).hexdigest()


def _issuer() -> str:
    """What accounts are joined by: another provider's people of the same subject are other people."""
    return str(settings.OIDC_ISSUER)[:200]


def _address(email: Any) -> str:
    try:
        validate_email(email)
    except ValidationError:
        return ""
    return str(email).lower()
