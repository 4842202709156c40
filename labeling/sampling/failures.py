"""Comparisons whose sampling failed: what each says of itself, how it is tried again, and how it is left out."""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Prefetch

from labeling.models import AuditEvent, Comparison, Round, SamplingRun, User
from labeling.sampling import runs as sampling_runs

GIVEN_UP = (SamplingRun.State.FAILED, SamplingRun.State.CANCELLED)
MOST_SHOWN = 50
MOST_AT_ONCE = 200  # tried again by one request, which should not take long


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedComparison:
    """One of them, and the runs that it waits for: those that failed, or all where they came out the same."""

    comparison: Comparison
    runs: list[SamplingRun]


def failed_comparisons(round_: Round, *, most: int = MOST_SHOWN) -> list[FailedComparison]:
    """The newest that failed."""
    runs = SamplingRun.objects.select_related("policy").order_by("created_at", "id")
    rows = round_.comparisons.filter(state=Comparison.State.FAILED).order_by("-created_at")
    return [
        FailedComparison(comparison=row, runs=_to_blame(row.sampling_runs.all()))
        for row in rows.prefetch_related(Prefetch("sampling_runs", queryset=runs))[:most]
    ]


def retry_comparison(comparison: Comparison, *, by: User | None) -> bool:
    """Have what failed sampled again. Where nothing failed but all texts came out the same, all are drawn anew."""
    with transaction.atomic():
        # All runs before the comparison, as everywhere.
        runs = list(comparison.sampling_runs.select_for_update(of=("self",)).order_by("id"))
        comparison.refresh_from_db(fields=["state"])
        if comparison.state != Comparison.State.FAILED or not runs:
            return False
        same = all(run.state == SamplingRun.State.DONE for run in runs)
        for run in _to_blame(runs):
            if same:
                run.sampling = {**run.sampling, "seed": random.randrange(2**31)}
            sampling_runs.begin_anew(run, by=by)
    return True


def retry_all(round_: Round, *, by: User | None) -> int:
    """Try the failed comparisons of the round again, the oldest first; returns how many."""
    failed = round_.comparisons.filter(state=Comparison.State.FAILED).order_by("created_at")[:MOST_AT_ONCE]
    return sum(retry_comparison(comparison, by=by) for comparison in failed)


def leave_out(comparison: Comparison, *, by: User) -> bool:
    """Withdraw a comparison that cannot be sampled, so that another takes its place."""
    with transaction.atomic():
        runs = list(comparison.sampling_runs.select_for_update(of=("self",)).order_by("id"))
        locked = Comparison.objects.select_for_update(of=("self",)).get(id=comparison.id)
        if locked.state != Comparison.State.FAILED:
            return False
        for run in runs:
            sampling_runs.cancel(run, by=by)
        locked.state = Comparison.State.WITHDRAWN
        locked.save(update_fields=["state"])
        AuditEvent.note("leave out comparison", locked, by=by)
    return True


def _to_blame(runs: Iterable[SamplingRun]) -> list[SamplingRun]:
    every = list(runs)
    return [run for run in every if run.state in GIVEN_UP] or every
