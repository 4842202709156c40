"""Tokens of the API: made once and shown once, found by their hash, revoked. Knows no page and no request.

A token has 256 random bits, so a plain SHA-256 of it can be kept: there is nothing to guess.
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
_BEGINNING = "parley_"
_SHOWN = len(_BEGINNING) + 6
_SEEN_EVERY = timedelta(minutes=1)  # a token in steady use would otherwise write its row at every request


class TokenError(ValueError):
    """A token that cannot be made; the text is for the person who tried."""


def make_token(
    *, owner: User, name: str, scopes: list[str], life: timedelta, project: Project | None = None
) -> tuple[ApiToken, str]:
    """A new token and its secret text, which nobody can read again. Raises TokenError."""
    if not scopes or not set(scopes) <= set(ApiToken.Scope.values):
        raise TokenError(_("Choose at least one of: %(scopes)s.") % {"scopes": ", ".join(ApiToken.Scope.values)})
    if not timedelta(0) < life <= LONGEST_LIFE:
        raise TokenError(_("A token lives between a moment and %(n)d days.") % {"n": LONGEST_LIFE.days})
    text = _BEGINNING + secrets.token_urlsafe(32)
    with transaction.atomic():
        _require_unchanged(owner)
        if alive_tokens(owner).count() >= MOST_ALIVE:
            raise TokenError(_("You have %(n)d tokens already; revoke one first.") % {"n": MOST_ALIVE})
        token = ApiToken.objects.create(
            owner=owner,
            project=project,
            name=name.strip()[:80],
            prefix=text[:_SHOWN],
            sha256=_hash(text),
            scopes=sorted(set(scopes)),
            expires_at=timezone.now() + life,
        )
        AuditEvent.note("make token", token, by=owner, name=token.name, prefix=token.prefix, scopes=token.scopes)
    return token, text


def revoke_token(token: ApiToken, *, by: User) -> None:
    """End a token; a program that still has it is turned away from now on."""
    with transaction.atomic():
        if ApiToken.objects.filter(id=token.id, revoked_at=None).update(revoked_at=Now()):
            AuditEvent.note("revoke token", token, by=by, name=token.name, prefix=token.prefix)


def revoke_all_tokens(owner: User, *, by: User) -> int:
    """End every token of a person for good; returns how many. The caller holds their row locked."""
    num = alive_tokens(owner).update(revoked_at=Now())
    if num:
        AuditEvent.note("revoke all tokens", owner, by=by, num_tokens=num)
    return num


def find_token(text: str) -> ApiToken | None:
    """The live token that this text is, if its owner's account is open; notes that it was used."""
    token = ApiToken.objects.select_related("owner", "project").filter(sha256=_hash(text), revoked_at=None).first()
    if token is None or token.is_expired or not token.owner.is_active:
        return None
    seen = timezone.now()
    if token.last_used_at is None or seen - token.last_used_at >= _SEEN_EVERY:
        ApiToken.objects.filter(id=token.id).update(last_used_at=seen)
    return token


def forget_old_answers() -> int:
    """Delete what the API remembers of writes under a key, once it is a day old; returns how many."""
    return ApiAnswer.objects.filter(begun_at__lt=Now() - ANSWERS_KEPT).delete()[0]


def alive_tokens(owner: User) -> QuerySet[ApiToken]:
    """Those of a person that still open something."""
    return ApiToken.objects.filter(Q(expires_at=None) | Q(expires_at__gt=Now()), owner=owner, revoked_at=None)


def _require_unchanged(owner: User) -> None:
    """Lock the row, so that no token is made behind the back of a reset password or a closed account."""
    now = User.objects.select_for_update(no_key=True).get(id=owner.id)
    if not now.is_active or now.password != owner.password:
        raise TokenError(_("Your account has changed since you signed in; sign in again, then make the token."))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
