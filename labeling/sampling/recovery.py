"""Recovers lost sampling runs: those whose worker died, whose message was lost, or that were never sent.

The sweep calls it every ten seconds. Rows are locked with SKIP LOCKED: a run that is locked is being changed right
now, by its result or by another sweep, and is left to the next sweep.
"""

from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.jobs import dispatch
from labeling.models import SamplingRun, User
from labeling.sampling.runs import INTERACTIVE, OVERNIGHT, State, fail, send_waiting

LONGEST_IN_QUEUE = timedelta(hours=1)  # after which a message counts as lost, whatever the queue holds


def sweep() -> dict[str, int]:
    """Recover dead workers' runs and lost messages, send waiting runs; returns how many of each. Safe to repeat."""
    return {"died": _fail_runs_of_dead_workers(), "lost": _requeue_lost_runs(), "sent": send_waiting()}


def _fail_runs_of_dead_workers() -> int:
    """Fail the attempt of runs whose lease has expired, since the worker renews it while it lives."""
    over = SamplingRun.objects.filter(state=State.RUNNING, lease_until__lt=Now()).order_by("lease_until")
    with transaction.atomic():
        runs = list(over.select_for_update(skip_locked=True, of=("self",))[:500])
        for run in runs:
            fail(run, _("The worker that sampled this stopped without a word."), for_good=False)
    return len(runs)


def _requeue_lost_runs() -> int:
    """Return runs that were sent but never started to WAITING, without counting a failed attempt.

    A message counts as lost if the queue is empty, if a run of the same priority that was sent later has been
    running for ten seconds, since workers take messages of one priority in order, or after LONGEST_IN_QUEUE.
    """
    over = SamplingRun.objects.filter(state=State.SENT, lease_until__lt=Now())
    if not over.exists():
        return 0
    lost = Q(sent_at__lt=Now() - LONGEST_IN_QUEUE)
    if dispatch.queue_length() == 0:
        lost = Q()
    visitors = Q(requested_by__role=User.Role.VISITOR, requested_by__isnull=False)
    people = Q(purpose__in=INTERACTIVE)
    for same_priority in (people & ~visitors, people & visitors, Q(purpose__in=OVERNIGHT)):
        overtaken_by = SamplingRun.objects.filter(
            same_priority, state=State.RUNNING, started_at__lt=Now() - timedelta(seconds=10)
        ).order_by("-sent_at")
        if lost and (newest := overtaken_by.first()) is not None:
            lost |= same_priority & Q(sent_at__lt=newest.sent_at)
    with transaction.atomic():
        ids = list(
            over.filter(lost).select_for_update(skip_locked=True, of=("self",)).values_list("id", flat=True)[:500]
        )
        return SamplingRun.objects.filter(id__in=ids).update(state=State.WAITING, lease_until=None)
