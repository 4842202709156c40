"""Leases on rows of Export and Import, whose work happens outside a transaction: claim, renew, fail, find lost work.

The worker renews its lease; once it has run out, any worker may claim the row, which raises its attempt number.
That number is a fencing token: a worker whose attempt is not the row's any more must change nothing. All times are
the database's, so the clocks of the workers' machines do not matter.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.models import Export, Import

Work = TypeVar("Work", Export, Import)

LEASE = timedelta(minutes=2)
MESSAGE_LOST_AFTER = timedelta(seconds=15)  # a message that no worker has acted on by then is sent again


class FenceLost(Exception):
    """Another attempt has claimed the work, or a person has cancelled it."""


def claim(work: type[Work], identifier: Any) -> Work | None:
    """Start an attempt at work that waits or whose lease ran out; None if it is neither, or its attempts are used up.

    The condition and the new attempt number are one UPDATE, so of two workers only one gets the row.
    """
    free = Q(state="waiting") | Q(state="running", lease_until__lt=Now())
    with transaction.atomic():
        taken = work.objects.filter(free, id=identifier, attempt__lt=work.MAX_ATTEMPTS).update(
            state="running", attempt=F("attempt") + 1, lease_until=Now() + LEASE, fraction=0.0, error=""
        )
        return work.objects.select_related("project").get(id=identifier) if taken else None


def renew(work: Work, *, fraction: float) -> None:
    """Extend this attempt's lease and save its progress, from 0 to 1. Raises FenceLost."""
    alive = _this_attempt(work).update(lease_until=Now() + LEASE, fraction=min(max(fraction, 0.0), 1.0))
    if not alive:
        raise FenceLost


def lock_attempt(work: Work) -> Work:
    """Lock the row until the transaction ends, so that no other attempt can claim it before this one's result is saved.

    Raises FenceLost if this attempt does not have it any more.
    """
    held = _this_attempt(work).select_for_update(of=("self",)).first()
    if held is None:
        raise FenceLost
    return held


def fail(work: Work, error: str) -> bool:
    """End the work as failed, with a sentence for people. False if this attempt does not have it any more."""
    return bool(_this_attempt(work).update(state="failed", error=error[:2000], lease_until=None, finished_at=Now()))


def sweep(
    work: type[Work], *, send: Callable[[Any], None], clean_up: Callable[[Any], None] = lambda _identifier: None
) -> int:
    """Dispatch lost rows again and fail those that have used up their attempts; returns how many. Safe to repeat.

    `send` is called with the id of each lost row, `clean_up` with the id of each that failed.
    """
    lost = _find_lost(work)
    for identifier in lost:
        send(identifier)
    given_up = _give_up(work, _("Every attempt stopped without a word; the workers' log says more."))
    for identifier in given_up:
        clean_up(identifier)
    return len(lost) + len(given_up)


def _find_lost(work: type[Work]) -> list[Any]:
    """Ids of at most 100 rows to dispatch again: their message was lost, or their worker's lease ran out."""
    lost = Q(state="waiting", created_at__lt=Now() - MESSAGE_LOST_AFTER) | Q(state="running", lease_until__lt=Now())
    rows = work.objects.filter(lost, attempt__lt=work.MAX_ATTEMPTS).order_by("created_at")
    return list(rows.values_list("id", flat=True)[:100])


def _give_up(work: type[Work], error: str) -> list[Any]:
    """Fail work whose last attempt let its lease run out; returns the ids.

    Rows that another sweep has locked are skipped: that sweep fails them.
    """
    over = work.objects.filter(state="running", lease_until__lt=Now(), attempt__gte=work.MAX_ATTEMPTS)
    with transaction.atomic():
        ids = list(over.select_for_update(skip_locked=True, of=("self",)).values_list("id", flat=True)[:100])
        work.objects.filter(id__in=ids).update(state="failed", error=error, lease_until=None, finished_at=Now())
    return ids


def _this_attempt(work: Work) -> models.QuerySet[Work]:
    return type(work).objects.filter(id=work.id, attempt=work.attempt, state="running")
