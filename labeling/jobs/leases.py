"""Work that is a row with a state, an attempt number and a lease: how it is taken, kept, lost and swept.

For rows of Export and Import, which are worked on beside the database. Whoever works renews the lease; one
that ran out is anybody's. The attempt number is the fence: a worker that lost it must change nothing more.
The clock is the database's.
"""

from datetime import timedelta
from typing import Any, TypeVar

from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from labeling.models import Export, Import

Work = TypeVar("Work", Export, Import)

LEASE = timedelta(minutes=2)
UNHEARD = timedelta(seconds=15)  # after which a message that nobody has acted on is taken for lost


class FenceLost(Exception):
    """Another attempt has the work, or a person has stopped it."""


def claim(work: type[Work], identifier: Any) -> Work | None:
    """Take work that waits, or whose worker fell silent; None where there is nothing to take."""
    free = Q(state="waiting") | Q(state="running", lease_until__lt=Now())
    with transaction.atomic():
        taken = work.objects.filter(free, id=identifier, attempt__lt=work.MAX_ATTEMPTS).update(
            state="running", attempt=F("attempt") + 1, lease_until=Now() + LEASE, fraction=0.0, error=""
        )
        return work.objects.select_related("project").get(id=identifier) if taken else None


def renew(work: Work, *, fraction: float) -> None:
    """Say that this attempt is alive and how far it is. Raises FenceLost."""
    alive = _this_attempt(work).update(lease_until=Now() + LEASE, fraction=min(max(fraction, 0.0), 1.0))
    if not alive:
        raise FenceLost


def hold(work: Work) -> Work:
    """The row, locked until the transaction ends, if this attempt still has it. Raises FenceLost."""
    held = _this_attempt(work).select_for_update(of=("self",)).first()
    if held is None:
        raise FenceLost
    return held


def fail(work: Work, error: str) -> bool:
    """End the work for good, with a sentence for people."""
    return bool(_this_attempt(work).update(state="failed", error=error[:2000], lease_until=None, finished_at=Now()))


def unheard(work: type[Work]) -> list[Any]:
    """Ids of work that somebody should be told of again: the message was lost, or the worker fell silent."""
    lost = Q(state="waiting", created_at__lt=Now() - UNHEARD) | Q(state="running", lease_until__lt=Now())
    rows = work.objects.filter(lost, attempt__lt=work.MAX_ATTEMPTS).order_by("created_at")
    return list(rows.values_list("id", flat=True)[:100])


def give_up(work: type[Work], error: str) -> list[Any]:
    """Fail work whose last attempt fell silent; returns the ids."""
    over = work.objects.filter(state="running", lease_until__lt=Now(), attempt__gte=work.MAX_ATTEMPTS)
    with transaction.atomic():
        ids = list(over.select_for_update(skip_locked=True, of=("self",)).values_list("id", flat=True)[:100])
        work.objects.filter(id__in=ids).update(state="failed", error=error, lease_until=None, finished_at=Now())
    return ids


def _this_attempt(work: Work) -> models.QuerySet[Work]:
    return type(work).objects.filter(id=work.id, attempt=work.attempt, state="running")
