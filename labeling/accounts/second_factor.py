"""Second factors: an authenticator app's codes, passkeys, and recovery codes for when both are lost.

The formats and the cryptography are django-allauth's; what is kept, when it counts and who may take it away is ours.
Secrets are stored encrypted (labeling.accounts.allauth_adapters). Knows no page.
"""

import time
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret, validate_totp_code
from allauth.mfa.utils import decrypt
from allauth.mfa.webauthn.internal import auth as webauthn
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling.models import AuditEvent, User

MOST_PASSKEYS = 10
_TOTP_SECRET = "totp_secret"  # noqa: S105 (in a session: the secret that is being set up)
_USED_SECONDS = 120  # a code is valid for 90, and let in once

TYPES = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)  # recovery codes only stand in for one of these


class SecondFactorError(ValueError):
    """A second factor that cannot be set up or taken away; the text is for the person who tried."""


def factors_of(user: User) -> QuerySet[Authenticator]:
    """The app and the passkeys of a person, oldest first."""
    rows: QuerySet[Authenticator] = Authenticator.objects.filter(user_id=user.pk, type__in=TYPES)
    return rows.order_by("created_at", "pk")


def has_second_factor(user: User) -> bool:
    return factors_of(user).exists()


def has_app(user: User) -> bool:
    return factors_of(user).filter(type=Authenticator.Type.TOTP).exists()


def num_recovery_codes(user: User) -> int:
    codes = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.RECOVERY_CODES).first()
    return len(codes.wrap().get_unused_codes()) if codes else 0


def secret_to_set_up(request: HttpRequest) -> str:
    """The secret that this session is setting an app up with: the same until it is done or left."""
    secret = request.session.get(_TOTP_SECRET) or generate_totp_secret()
    request.session[_TOTP_SECRET] = secret
    return str(secret)


def add_app(request: HttpRequest, user: User, *, code: str) -> list[str]:
    """Set the app up by a first code. Returns new recovery codes, if there were none. Raises SecondFactorError."""
    secret = request.session.get(_TOTP_SECRET, "")
    if not secret or not validate_totp_code(secret, code):
        raise SecondFactorError(_("That code is not right. Is the clock of the device with the app right?"))
    with transaction.atomic():
        _lock(user)
        if has_app(user):
            raise SecondFactorError(_("An app is set up already; take it away first."))
        TOTP.activate(user, secret)
        AuditEvent.note("add second factor", user, by=user, kind="app")
        codes = _first_recovery_codes(user)
    del request.session[_TOTP_SECRET]
    return codes


def accept_code(user: User, code: str) -> str | None:
    """“app” or “recovery code”, whichever this code is of; None if of neither. A code is accepted once.

    The row is locked, so that of two requests with one code only one gets in. A recovery code leaves an audit event.
    """
    code = "".join(code.split())
    with transaction.atomic():
        rows = (
            Authenticator.objects.select_for_update().filter(user_id=user.pk).exclude(type=Authenticator.Type.WEBAUTHN)
        )
        by_type = {row.type: row for row in rows}
        app, recovery = by_type.get(Authenticator.Type.TOTP), by_type.get(Authenticator.Type.RECOVERY_CODES)
        if app is not None and _is_fresh_code(app, code):
            return "app"
        if recovery is not None and recovery.wrap().validate_code(code):
            AuditEvent.note("use recovery code", user, by=user, num_left=num_recovery_codes(user))
            return "recovery code"
    return None


def new_recovery_codes(user: User) -> list[str]:
    """Make recovery codes; older ones are void from now on. Raises SecondFactorError."""
    with transaction.atomic():
        _lock(user)
        if not has_second_factor(user):
            raise SecondFactorError(_("Set an app or a passkey up first; recovery codes stand in for one."))
        Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.RECOVERY_CODES).delete()
        AuditEvent.note("make recovery codes", user, by=user)
        return list(RecoveryCodes.activate(user).generate_codes())


def passkey_creation(user: User) -> dict[str, Any]:
    """What a browser is asked for to make a passkey that lets in by itself."""
    return dict(webauthn.begin_registration(user, True))


def add_passkey(user: User, *, name: str, credential: dict[str, Any]) -> list[str]:
    """Keep a passkey that the browser made. Returns recovery codes, if there were none. Raises SecondFactorError."""
    try:
        webauthn.parse_registration_response(credential)
        made = webauthn.complete_registration(credential)
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise SecondFactorError(_("The browser's answer was not understood; please try again.")) from error
    if not made.is_user_verified():
        raise SecondFactorError(_("This passkey did not ask who you are. Set a PIN for it, or take another."))
    with transaction.atomic():
        _lock(user)
        if factors_of(user).filter(type=Authenticator.Type.WEBAUTHN).count() >= MOST_PASSKEYS:
            raise SecondFactorError(_("You have %(n)d passkeys already; take one away first.") % {"n": MOST_PASSKEYS})
        webauthn.WebAuthn.add(user, name.strip()[:80] or _("Passkey"), credential)
        AuditEvent.note("add second factor", user, by=user, kind="passkey")
        return _first_recovery_codes(user)


def passkey_request(user: User | None) -> dict[str, Any]:
    """What a browser is asked for to sign with a passkey: of this person, or of whoever comes."""
    return dict(webauthn.begin_authentication(user))


def accept_passkey(credential: dict[str, Any], *, of: User | None) -> User:
    """The person whose passkey signed, having asked who they are. Raises SecondFactorError."""
    try:
        answer = webauthn.parse_authentication_response(credential)
        found = of or webauthn.extract_user_from_response(credential)
        used = webauthn.complete_authentication(found, credential)
    except (ValidationError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SecondFactorError(_("That passkey was not accepted.")) from error
    if not answer.response.authenticator_data.is_user_verified():
        raise SecondFactorError(_("That passkey was not accepted."))
    used.record_usage()
    assert isinstance(found, User)
    return found


def remove_factor(user: User, factor: Authenticator, *, is_needed: bool) -> None:
    """Take away one's own app or passkey; `is_needed` says that the role must keep one. Raises SecondFactorError.

    With the last of them the recovery codes go, which would stand in for nothing.
    """
    with transaction.atomic():
        _lock(user)
        is_last = not factors_of(user).exclude(pk=factor.pk).exists()
        if is_last and is_needed:
            raise SecondFactorError(_("Your role needs a second factor; add another before you take this away."))
        factor.delete()
        if is_last:
            Authenticator.objects.filter(user_id=user.pk).delete()
        AuditEvent.note("remove second factor", user, by=user, kind=str(factor.type))


def remove_all_factors(user: User, *, by: User) -> int:
    """Take away all second factors of a person who lost them; returns how many. Recovery codes go too."""
    with transaction.atomic():
        _lock(user)
        num = factors_of(user).count()
        Authenticator.objects.filter(user_id=user.pk).delete()
        AuditEvent.note("remove all second factors", user, by=by, num_factors=num)
    return num


def _is_fresh_code(app: Authenticator, code: str) -> bool:
    """Whether this is a code of the app's present time that was not used yet; it is used from now on."""
    if not validate_totp_code(decrypt(app.data["secret"]), code):
        return False
    now = time.time()
    used = {old: at for old, at in app.data.get("used", {}).items() if now - at < _USED_SECONDS}
    if code in used:
        return False
    app.data["used"] = used | {code: now}
    app.last_used_at = timezone.now()
    app.save(update_fields=["data", "last_used_at"])
    return True


def _first_recovery_codes(user: User) -> list[str]:
    if Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.RECOVERY_CODES).exists():
        return []
    return list(RecoveryCodes.activate(user).generate_codes())


def _lock(user: User) -> None:
    # So that two tabs that add or take away at once do so one after the other.
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
