"""Comparisons whose sampling failed: lists them with the failed runs, retries them, or withdraws them.

Locks are taken in the order of labeling.sampling.runs: the runs by id, then the comparison.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Prefetch

from labeling.models import AuditEvent, Comparison, Round, SamplingRun, User
from labeling.sampling import runs as sampling_runs
from labeling.sampling.readiness import GIVEN_UP

MOST_SHOWN = 50
MOST_AT_ONCE = 200  # comparisons retried by one request, so that the request stays short


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedComparison:
    """A failed comparison with its failed runs, or with all its runs if all completions came out the same."""

    comparison: Comparison
    runs: list[SamplingRun]


def failed_comparisons(round_: Round, *, most: int = MOST_SHOWN) -> list[FailedComparison]:
    """The failed comparisons of a round, newest first, at most `most`."""
    runs = SamplingRun.objects.select_related("policy").order_by("created_at", "id")
    rows = round_.comparisons.filter(state=Comparison.State.FAILED).order_by("-created_at")
    return [
        FailedComparison(comparison=row, runs=_failed_or_all(row.sampling_runs.all()))
        for row in rows.prefetch_related(Prefetch("sampling_runs", queryset=runs))[:most]
    ]


def retry_comparison(comparison: Comparison, *, by: User | None) -> bool:
    """Retry the failed runs; if none failed but all completions are the same, sample every run under a new seed.

    Returns False if the comparison is not in the state FAILED any more.
    """
    with transaction.atomic():
        # Runs before the comparison, like a worker's result: the other order could deadlock with one.
        runs = list(comparison.sampling_runs.select_for_update(of=("self",)).order_by("id"))
        comparison.refresh_from_db(fields=["state"])
        if comparison.state != Comparison.State.FAILED or not runs:
            return False
        same = all(run.state == SamplingRun.State.DONE for run in runs)
        for run in _failed_or_all(runs):
            if same:
                run.sampling = {**run.sampling, "seed": random.randrange(2**31)}
            sampling_runs.restart(run, by=by)
    return True


def retry_all(round_: Round, *, by: User | None) -> int:
    """Retry the failed comparisons of the round, oldest first, at most MOST_AT_ONCE; returns how many."""
    failed = round_.comparisons.filter(state=Comparison.State.FAILED).order_by("created_at")[:MOST_AT_ONCE]
    return sum(retry_comparison(comparison, by=by) for comparison in failed)


def leave_out(comparison: Comparison, *, by: User) -> bool:
    """Withdraw a failed comparison, so that another takes its place; returns False if it is not FAILED any more."""
    with transaction.atomic():
        # Locked like in `retry_comparison`, so that no result reopens the comparison meanwhile.
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


def _failed_or_all(runs: Iterable[SamplingRun]) -> list[SamplingRun]:
    """The runs that failed or were cancelled; all runs if there are none such."""
    every = list(runs)
    return [run for run in every if run.state in GIVEN_UP] or every
