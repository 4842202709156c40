"""What visitors may ask for, counted in PostgreSQL under the locks of the visitor and of the preview.

The broker may be away or emptied: no limit depends on it. Uses are rows of their own, so that a deleted dialogue gives
nothing back.
"""

from datetime import timedelta

from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling.models import Preview, SamplingRun, User, VisitorUse
from labeling.sampling.runs import UNDER_WAY, default_sampling

WINDOW = timedelta(minutes=10)
DAY = timedelta(hours=24)
BLOCKS, BLOCKED_WITHIN, PAUSE = 3, timedelta(hours=1), timedelta(minutes=10)
KEPT = timedelta(days=2)
FILTERED = "filtered"  # how a completion ends that the filter broke off


class LimitReached(ValueError):
    """Not now; the text says which limit, and when it goes on."""


def require_room(preview: Preview, user: User, *, num_runs: int) -> None:
    """Raise LimitReached unless this visitor may say something that asks for so many answers.

    Locks the visitor and the preview until the transaction ends: of parallel requests the second counts the first.
    """
    is_active = User.objects.select_for_update(no_key=True).get(pk=user.pk).is_active
    Preview.objects.select_for_update(no_key=True).get(pk=preview.pk)
    if not is_active:
        raise LimitReached(_("This account is closed."))
    if not preview.is_open:
        raise LimitReached(_("This preview is closed at the moment. What you wrote before stays here."))
    mine = VisitorUse.objects.filter(user=user, preview=preview)
    settle(mine)
    _require_no_pause(mine)
    said = mine.filter(is_message=True)
    if said.filter(at__gt=Now() - WINDOW).count() >= preview.messages_per_ten_minutes:
        raise LimitReached(
            _("That was %(n)d messages in ten minutes. Please go on in a few minutes.")
            % {"n": preview.messages_per_ten_minutes}
        )
    if said.filter(at__gt=Now() - DAY).count() >= preview.messages_per_day:
        raise LimitReached(
            _("That was %(n)d messages within a day. Please come again tomorrow.") % {"n": preview.messages_per_day}
        )
    under_way = SamplingRun.objects.filter(requested_by=user, state__in=UNDER_WAY).count()
    if under_way + num_runs > preview.runs_at_once:
        raise LimitReached(_("An answer of yours is still being written. Wait for it, or stop it."))
    if tokens_today(preview) + num_runs * _most_tokens(preview) > preview.tokens_per_day:
        raise LimitReached(_("The preview is full today: it opens again at midnight, UTC."))


def count(preview: Preview, user: User, runs: list[SamplingRun]) -> None:
    """Count the answers that were asked for, each with the most tokens that it may have."""
    VisitorUse.objects.bulk_create(
        VisitorUse(user=user, preview=preview, run=run, is_message=not place, num_tokens=_most_tokens(preview))
        for place, run in enumerate(runs)
    )


def tokens_today(preview: Preview) -> int:
    """The tokens of all visitors' answers since midnight UTC, those under way with the most that they may have."""
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    found = VisitorUse.objects.filter(preview=preview, at__gte=midnight).aggregate(sum=Sum("num_tokens"))
    return int(found["sum"] or 0)


def settle(uses: QuerySet[VisitorUse]) -> int:
    """Write down what runs that are over have really used, and which were blocked; returns how many.

    A stopped run whose text has not come counts in full, or stopping would make answers free.
    """
    over = uses.filter(settled_at=None, run__isnull=False).exclude(run__state__in=UNDER_WAY)
    found = list(over.select_related("run").prefetch_related("run__completions"))
    for use in found:
        assert use.run is not None
        completions = list(use.run.completions.all())
        if completions or use.run.state != SamplingRun.State.CANCELLED:
            use.num_tokens = sum(one.num_tokens or 0 for one in completions)
        if use.run.state == SamplingRun.State.BLOCKED or any(one.finish_reason == FILTERED for one in completions):
            use.blocked_at = use.run.finished_at
        use.settled_at = timezone.now()
    return VisitorUse.objects.bulk_update(found, ["num_tokens", "blocked_at", "settled_at"])


def sweep() -> int:
    """Settle what is over, and forget uses that count for nothing any more; returns how many rows were touched."""
    forgotten, _by_table = VisitorUse.objects.filter(at__lt=Now() - KEPT).delete()
    return settle(VisitorUse.objects.all()) + forgotten


def _require_no_pause(mine: QuerySet[VisitorUse]) -> None:
    lately = Q(blocked_at__gt=Now() - BLOCKED_WITHIN)
    found = mine.filter(lately).order_by("-blocked_at").values_list("blocked_at", flat=True)[:BLOCKS]
    blocks = [at for at in found if at is not None]
    if len(blocks) == BLOCKS and (ends := blocks[0] + PAUSE) > timezone.now():
        minutes = int((ends - timezone.now()).total_seconds() // 60) + 1
        raise LimitReached(
            _("The filter blocked three things within an hour. Please take a pause of %(n)d minutes.") % {"n": minutes}
        )


def _most_tokens(preview: Preview) -> int:
    return default_sampling(preview.project, seed=0).max_new_tokens
