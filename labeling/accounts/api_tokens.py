"""API tokens: made and shown once, looked up by their hash, revoked. Knows no page and no request.

Only the SHA-256 of a token is stored. A token has 256 random bits, so it cannot be guessed from a fast hash.
"""

import hashlib
import secrets
from datetime import timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling.models import ApiAnswer, ApiToken, AuditEvent, Project, User

LONGEST_LIFE = timedelta(days=366)
ANSWERS_KEPT = timedelta(hours=24)  # under an Idempotency-Key (labeling.api.idempotency)
MOST_ALIVE = 50  # tokens of one person that are neither revoked nor expired
_PREFIX = "parley_"
_SHOWN_LENGTH = len(_PREFIX) + 6
_LAST_USED_PRECISION = timedelta(minutes=1)  # a token in steady use would otherwise write its row at every request


class TokenError(ValueError):
    """A token that cannot be made; the text is for the person who tried."""


def make_token(
    *, owner: User, name: str, scopes: list[str], life: timedelta, project: Project | None = None
) -> tuple[ApiToken, str]:
    """Make a token. Returns it with its secret text, which is not stored. Raises TokenError."""
    if not scopes or not set(scopes) <= set(ApiToken.Scope.values):
        raise TokenError(_("Choose at least one of: %(scopes)s.") % {"scopes": ", ".join(ApiToken.Scope.values)})
    if not timedelta(0) < life <= LONGEST_LIFE:
        raise TokenError(_("A token lives between a moment and %(n)d days.") % {"n": LONGEST_LIFE.days})
    text = _PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        _lock_unchanged_owner(owner)
        if alive_tokens(owner).count() >= MOST_ALIVE:
            raise TokenError(_("You have %(n)d tokens already; revoke one first.") % {"n": MOST_ALIVE})
        token = ApiToken.objects.create(
            owner=owner,
            project=project,
            name=name.strip()[:80],
            prefix=text[:_SHOWN_LENGTH],
            sha256=_hash(text),
            scopes=sorted(set(scopes)),
            expires_at=timezone.now() + life,
        )
        AuditEvent.note("make token", token, by=owner, name=token.name, prefix=token.prefix, scopes=token.scopes)
    return token, text


def revoke_token(token: ApiToken, *, by: User) -> None:
    """Revoke a token: programs that use it are refused from now on."""
    with transaction.atomic():
        if ApiToken.objects.filter(id=token.id, revoked_at=None).update(revoked_at=Now()):
            AuditEvent.note("revoke token", token, by=by, name=token.name, prefix=token.prefix)


def revoke_all_tokens(owner: User, *, by: User) -> int:
    """Revoke every token of a person; returns how many. The caller has locked or changed the person's row.

    `make_token` locks the same row, so no token can be made between this and the caller's commit.
    """
    num = alive_tokens(owner).update(revoked_at=Now())
    if num:
        AuditEvent.note("revoke all tokens", owner, by=by, num_tokens=num)
    return num


def find_token(text: str) -> ApiToken | None:
    """The valid token with this text, if its owner's account is open, else None. Records when it was used."""
    token = ApiToken.objects.select_related("owner", "project").filter(sha256=_hash(text), revoked_at=None).first()
    if token is None or token.is_expired or not token.owner.is_active or token.owner.is_visitor:
        return None
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at >= _LAST_USED_PRECISION:
        ApiToken.objects.filter(id=token.id).update(last_used_at=now)
    return token


def forget_old_answers() -> int:
    """Delete the answers stored under idempotency keys that are older than a day; returns how many."""
    return ApiAnswer.objects.filter(begun_at__lt=Now() - ANSWERS_KEPT).delete()[0]


def alive_tokens(owner: User) -> QuerySet[ApiToken]:
    """The tokens of a person that are neither revoked nor expired."""
    return ApiToken.objects.filter(Q(expires_at=None) | Q(expires_at__gt=Now()), owner=owner, revoked_at=None)


def _lock_unchanged_owner(owner: User) -> None:
    """Lock the owner's row, and raise TokenError if the account was closed or its password changed since sign-in.

    Without the lock, a token could be made at the moment in which a password reset revokes all tokens, and survive it.
    """
    now = User.objects.select_for_update(no_key=True).get(id=owner.id)
    if not now.is_active or now.password != owner.password:
        raise TokenError(_("Your account has changed since you signed in; sign in again, then make the token."))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
