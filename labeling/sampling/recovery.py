"""Sampling runs that were lost on the way: their worker died, their message vanished, or they were never sent."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.jobs import dispatch
from labeling.models import SamplingRun
from labeling.sampling.runs import CALLERS, OVERNIGHT, State, fail, send_waiting

LONGEST_ON_THE_WAY = timedelta(hours=1)


def sweep() -> dict[str, int]:
    """Find what was lost: workers that died, messages that never arrived, runs that were never sent. Safe to repeat."""
    return {"died": _give_up_dead_workers(), "lost": _take_back_lost_messages(), "sent": send_waiting()}


def _give_up_dead_workers() -> int:
    """Runs whose worker has said nothing for a whole lease: another attempt, or the last one's failure."""
    over = SamplingRun.objects.filter(state=State.RUNNING, lease_until__lt=Now()).order_by("lease_until")
    with transaction.atomic():
        runs = list(over.select_for_update(skip_locked=True, of=("self",))[:500])
        for run in runs:
            fail(run, _("The worker that sampled this stopped without a word."), for_good=False)
    return len(runs)


def _take_back_lost_messages() -> int:
    """Runs that were sent, did not begin, and whose message is nowhere: they wait again, with no attempt lost.

    A message is lost when the queue is empty and nobody has begun on it, or when one of the same
    urgency that was sent after it has been at work for a while.
    """
    over = SamplingRun.objects.filter(state=State.SENT, lease_until__lt=Now())
    if not over.exists():
        return 0
    lost = Q(sent_at__lt=Now() - LONGEST_ON_THE_WAY)
    if dispatch.num_on_the_way() == 0:
        lost = Q()
    for purposes in (CALLERS, OVERNIGHT):
        overtaken_by = SamplingRun.objects.filter(
            state=State.RUNNING, purpose__in=purposes, started_at__lt=Now() - timedelta(seconds=10)
        ).order_by("-sent_at")
        if lost and (newest := overtaken_by.first()) is not None:
            lost |= Q(purpose__in=purposes, sent_at__lt=newest.sent_at)
    with transaction.atomic():
        ids = list(
            over.filter(lost).select_for_update(skip_locked=True, of=("self",)).values_list("id", flat=True)[:500]
        )
        return SamplingRun.objects.filter(id__in=ids).update(state=State.WAITING, lease_until=None)
