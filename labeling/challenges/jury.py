"""A challenge's jury: who is named, conflicts, who is drawn for which entry, and the marks that they give.

Draws go by lot and are the same again from the same rows (labeling.challenges.draw). First each entry gets three
jurors; once all of those have marked, further ones are drawn where marks spread and near the last prize, once.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling.challenges import conflicts as conflicts_of
from labeling.challenges.draw import JURORS_AN_ENTRY, draw
from labeling.models import AuditEvent, Challenge, Conflict, DrawnJuror, Entry, Juror, Mark, User
from labeling.statistics.marks import further_jurors, scaled_by_juror, weighted_total

Totals = dict[str, dict[str, float]]  # by juror, then by entry


class JuryError(ValueError):
    """What was asked of a jury cannot be done; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """One mark with its reason."""

    value: int
    why: str


def name_juror(challenge: Challenge, user: User, *, by: User) -> Juror:
    """Name a juror, or name one again who was excused. No admin, who sees names, and nobody who entered."""
    with transaction.atomic():
        locked = _locked(challenge)
        if user.is_admin:
            raise JuryError(_("Admins see who wrote an entry, so they cannot judge blind."))
        if locked.entries.filter(author=user).exclude(state=Entry.State.WITHDRAWN).exists():
            raise JuryError(_("%s has an entry in this contest.") % user)
        juror, _made = Juror.objects.update_or_create(
            challenge=locked, user=user, defaults={"excused_at": None}, create_defaults={"added_by": by}
        )
        AuditEvent.note("name juror", locked, by=by, juror=str(user.pk))
        return juror


def excuse(juror: Juror, *, by: User) -> None:
    """Give a juror nothing more. What they marked stays; what they have not goes to others by lot."""
    with transaction.atomic():
        locked = _locked(juror.challenge)
        Juror.objects.filter(pk=juror.pk).update(excused_at=timezone.now())
        open_draws = list(juror.drawn.filter(marked_at=None))
        _replace(locked, open_draws)
        AuditEvent.note("excuse juror", locked, by=by, juror=str(juror.user_id))


def draw_jurors(challenge: Challenge, *, by: User) -> int:
    """Draw what is missing until each entry has three jurors; returns how many were drawn."""
    with transaction.atomic():
        locked = _locked(challenge)
        if locked.state != Challenge.State.MARKING:
            raise JuryError(_("Jurors are drawn once the contest is closed, and before its results are published."))
        conflicts_of.detect(locked)
        barred = DrawnJuror.objects.filter(entry__challenge=locked, entry__conflicts__juror=F("juror"))
        for one in barred:
            Mark.objects.filter(entry=one.entry_id, juror=one.juror_id).delete()
        _replace(locked, list(barred))
        entries = [str(pk) for pk in locked.entries.judged().values_list("pk", flat=True)]
        drawn = _draw(locked, dict.fromkeys(entries, JURORS_AN_ENTRY), cause=DrawnJuror.Cause.FIRST)
        if locked.drawn_at is None:
            Challenge.objects.filter(pk=locked.pk).update(drawn_at=timezone.now())
        AuditEvent.note("draw jurors", locked, by=by, num=drawn)
        return drawn


def declare_conflict(drawn: DrawnJuror, *, why: str, by: User) -> None:
    """A juror says that they should not judge this entry; another is drawn, and their marks for it are gone."""
    with transaction.atomic():
        locked = _locked(drawn.entry.challenge)
        _require_marking(locked)
        Conflict.objects.get_or_create(
            entry=drawn.entry, juror=drawn.juror, defaults={"came_by": Conflict.CameBy.DECLARED, "why": why}
        )
        Mark.objects.filter(entry=drawn.entry, juror=drawn.juror).delete()
        _replace(locked, [drawn])
        AuditEvent.note("declare conflict", drawn.entry, by=by)


def mark(drawn: DrawnJuror, marks: Mapping[str, Given], *, by: User) -> None:
    """Store a juror's marks, one for each criterion with its reason; the last first one draws the further jurors."""
    with transaction.atomic():
        locked = _locked(drawn.entry.challenge)
        _require_marking(locked)
        held = DrawnJuror.objects.filter(pk=drawn.pk, juror__user=by, juror__excused_at=None).first()
        if held is None:
            raise JuryError(_("This entry is not yours to judge any more."))
        if set(marks) != set(locked.weights):
            raise JuryError(_("Each criterion needs a mark."))
        for criterion, given in marks.items():
            Mark.objects.update_or_create(
                entry_id=held.entry_id,
                juror_id=held.juror_id,
                criterion=criterion,
                defaults={"value": given.value, "why": given.why},
            )
        held.marked_at = timezone.now()
        held.save(update_fields=["marked_at"])
        _draw_further(locked)


def totals_of(challenge: Challenge, *, first_only: bool = False) -> Totals:
    """Each juror's weighted totals of the entries that count, 0 to 4."""
    return _by_juror(challenge, challenge.weights, first_only=first_only)


def novelty_of(challenge: Challenge, criterion: str) -> Totals:
    """Each juror's marks by one criterion."""
    return _by_juror(challenge, {criterion: 1.0})


def waiting(challenge: Challenge) -> int:
    """How many jurors' marks are still to come."""
    return DrawnJuror.objects.filter(entry__in=challenge.entries.judged(), marked_at=None).count()


def short_of_jurors(challenge: Challenge) -> int:
    """How many entries have fewer than three jurors."""
    rows = challenge.entries.judged().values_list("pk", "drawn")
    count: defaultdict[object, int] = defaultdict(int)
    for entry, drawn in rows:
        count[entry] += drawn is not None
    return sum(num < JURORS_AN_ENTRY for num in count.values())


def _by_juror(challenge: Challenge, weights: Mapping[str, float], *, first_only: bool = False) -> Totals:
    drawn = DrawnJuror.objects.filter(entry__in=challenge.entries.judged(), marked_at__isnull=False)
    if first_only:
        drawn = drawn.filter(cause=DrawnJuror.Cause.FIRST)
    counted = set(drawn.values_list("entry_id", "juror_id"))
    marks: defaultdict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for row in Mark.objects.filter(entry__challenge=challenge):
        if (row.entry_id, row.juror_id) in counted:
            marks[str(row.entry_id), str(row.juror_id)][row.criterion] = row.value
    totals: Totals = defaultdict(dict)
    for (entry, juror), given in sorted(marks.items()):
        totals[juror][entry] = weighted_total(given, weights)
    return dict(totals)


def _draw_further(challenge: Challenge) -> None:
    """Once, when the first marks are all in: before, scales are not known, and the order of marking would count."""
    if challenge.furthered_at is not None or waiting(challenge) or short_of_jurors(challenge):
        return
    more = further_jurors(scaled_by_juror(totals_of(challenge)), num_prizes=challenge.num_prizes)
    _draw(challenge, {entry: JURORS_AN_ENTRY + num for entry, num in more.items()}, cause=DrawnJuror.Cause.FURTHER)
    Challenge.objects.filter(pk=challenge.pk).update(furthered_at=timezone.now())


def _replace(challenge: Challenge, drawn: list[DrawnJuror]) -> None:
    """Others by lot in the places of these."""
    for cause in DrawnJuror.Cause.values:
        gone = [one for one in drawn if one.cause == cause]
        wanted = {str(one.entry_id): DrawnJuror.objects.filter(entry_id=one.entry_id).count() for one in gone}
        DrawnJuror.objects.filter(pk__in=[one.pk for one in gone]).delete()
        if wanted:
            _draw(challenge, wanted, cause=cause)
    _draw_further(challenge)


def _draw(challenge: Challenge, wanted: Mapping[str, int], *, cause: str) -> int:
    """Draw by jurors' names, which every database has alike, not by the numbers of their rows."""
    jurors = {str(one.user_id): one.pk for one in challenge.jurors.filter(excused_at=None)}
    already: defaultdict[str, list[str]] = defaultdict(list)
    rows = DrawnJuror.objects.filter(entry__challenge=challenge).values_list("entry_id", "juror__user_id")
    for entry, user in rows:
        already[str(entry)].append(str(user))
    barred = Conflict.objects.filter(entry__challenge=challenge).values_list("entry_id", "juror__user_id")
    pairs = draw(
        wanted,
        jurors,
        seed=challenge.seed,
        conflicts={(str(entry), str(user)) for entry, user in barred},
        already=already,
        wanted=wanted,
    )
    DrawnJuror.objects.bulk_create(
        DrawnJuror(entry_id=entry, juror_id=jurors[user], cause=cause) for entry, user in pairs
    )
    return len(pairs)


def _require_marking(challenge: Challenge) -> None:
    if challenge.state != Challenge.State.MARKING:
        raise JuryError(_("The contest is not being judged now."))


def _locked(challenge: Challenge) -> Challenge:
    return Challenge.objects.select_for_update(no_key=True).get(pk=challenge.pk)
