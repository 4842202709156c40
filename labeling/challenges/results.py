"""From marks to places: the order as it stands, and its publication, which freezes it with the reasons.

Winners are the highest means of the jurors' scaled totals; equal means go by novelty, equal novelty by lot.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from statistics import fmean

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labeling.challenges import jury
from labeling.challenges.draw import lot
from labeling.models import AuditEvent, Challenge, Entry, Result, User
from labeling.models.public.challenges import NOVELTY
from labeling.statistics.intervals import Estimate
from labeling.statistics.marks import agreement_of_jurors, by_entry, scaled_by_juror

TIME_TO_OBJECT = timedelta(days=7)
_DIGITS = 9  # two means that differ by rounding of floats alone are equal


class PublishingError(ValueError):
    """The results cannot be published; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Placed:
    """One entry in the order. `mean` and `novelty` are scaled, `points` are 0 to 4."""

    entry: str
    mean: float
    points: float
    novelty: float
    num_jurors: int
    by_lot: bool = False


def standing(challenge: Challenge) -> list[Placed]:
    """The entries that have marks, best first."""
    totals = jury.totals_of(challenge)
    scaled, points = by_entry(scaled_by_juror(totals)), by_entry(totals)
    novelty = by_entry(scaled_by_juror(jury.novelty_of(challenge, NOVELTY)))
    placed = [
        Placed(
            entry=entry,
            mean=round(fmean(scores), _DIGITS),
            points=fmean(points[entry]),
            novelty=round(fmean(novelty[entry]), _DIGITS),
            num_jurors=len(scores),
        )
        for entry, scores in scaled.items()
    ]
    return in_order(placed, seed=challenge.seed)


def in_order(placed: list[Placed], *, seed: int) -> list[Placed]:
    """By mean, then novelty, then lot; those whom only the lot parts say so."""
    rank = {one.entry: (-one.mean, -one.novelty) for one in placed}
    ranks = list(rank.values())
    ordered = sorted(placed, key=lambda one: (*rank[one.entry], lot(seed, "tie", one.entry)))
    return [Placed(**asdict(one) | {"by_lot": ranks.count(rank[one.entry]) > 1}) for one in ordered]


def agreement(challenge: Challenge) -> Estimate | None:
    """Krippendorff's alpha of the jurors who were drawn first."""
    return agreement_of_jurors(scaled_by_juror(jury.totals_of(challenge, first_only=True)))


def why_not_yet(challenge: Challenge) -> list[str]:
    """What stands in the way of publishing."""
    if challenge.state not in (Challenge.State.MARKING, Challenge.State.OBJECTIONS):
        return [_("Results are published once the contest is closed, and mended while objections are taken.")]
    if challenge.is_decided:  # it was judged by as many as it wants; what an objection changes needs no new marks
        return []
    reasons = []
    if not challenge.entries.judged().exists():
        reasons.append(_("There is no entry to judge."))
    if num := jury.short_of_jurors(challenge):
        reasons.append(
            ngettext(
                "%d entry has fewer than three jurors: name jurors without a conflict, and draw.",
                "%d entries have fewer than three jurors: name jurors without a conflict, and draw.",
                num,
            )
            % num
        )
    if num := jury.waiting(challenge):
        reasons.append(ngettext("%d mark is still to come.", "%d marks are still to come.", num) % num)
    return reasons


def publish(challenge: Challenge, *, words: str, reasons: Mapping[str, str], by: User) -> None:
    """Freeze the order, with the jury's words and the reason for each winner, and let entrants object for seven days.

    Published again, after an objection or a disqualification, it takes the place of the first; the days begin anew.
    """
    with transaction.atomic():
        locked = Challenge.objects.select_for_update(no_key=True).get(pk=challenge.pk)
        if problems := why_not_yet(locked):
            raise PublishingError(" ".join(problems))
        placed = standing(locked)
        winners = [one.entry for one in placed[: locked.num_prizes]]
        if missing := [entry for entry in winners if not reasons.get(entry, "").strip()]:
            raise PublishingError(_("Each winner needs a reason; missing for %d.") % len(missing))
        Result.objects.filter(challenge=locked).delete()
        Result.objects.bulk_create(
            Result(
                challenge=locked,
                entry_id=one.entry,
                place=place,
                is_winner=one.entry in winners,
                mean=one.mean,
                points=one.points,
                novelty=one.novelty,
                num_jurors=one.num_jurors,
                by_lot=one.by_lot,
                words=reasons.get(one.entry, "") if one.entry in winners else "",
            )
            for place, one in enumerate(placed, 1)
        )
        found, now = agreement(locked), timezone.now()
        verb = "publish results again" if locked.is_decided else "publish results"
        locked.agreement = asdict(found) if found else {}
        locked.words, locked.decided_by = words, by
        locked.decided_at, locked.objections_until = now, now + TIME_TO_OBJECT
        locked.save(update_fields=["agreement", "words", "decided_by", "decided_at", "objections_until"])
        AuditEvent.note(verb, locked, by=by, num_entries=len(placed))


def published_agreement(challenge: Challenge) -> Estimate | None:
    return Estimate(**challenge.agreement) if challenge.agreement else None


def name_of(entry: Entry | None) -> str:
    """Who is named beside a published entry: its author where they allowed it."""
    if entry is None:
        return _("An entry that was erased")
    return str(entry.author) if entry.shows_name else _("Not named")
