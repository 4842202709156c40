"""Texts to label: how they are drawn, who is given which next, and what their labels come to.

Time is cut into frames. Of all texts that were screened in a frame some are drawn by lot from all, others by lot from
those near a threshold; each keeps the probability with which it was drawn, so that figures speak of all texts. Where
two filters disagree, where a person reported and where one appealed, texts come in without a lot.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import MD5, Cast, Concat
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling.models import AuditEvent, DrawnText, Label, Project, Report, Screening, User
from labeling.models.content_hash import text_sha256
from labeling.models.safety.categories import CATEGORIES
from labeling.models.safety.labels import ANSWERS, NO, PARENTS, YES
from labeling.safety.thresholds import bounds_of
from labeling.statistics.sampling_weights import inclusion

CameBy = DrawnText.CameBy
RANDOM, NEAR, DISAGREEING, REPORTED = 16, 12, 6, 6  # drawn from a frame: 40 % of 40 by lot from all
SHARE_AT_RANDOM = RANDOM / (RANDOM + NEAR + DISAGREEING + REPORTED)
BAND = 0.1  # how near a threshold is near
FEW = 10  # unsettled texts below which the next frame is drawn
_SETTLING = timedelta(minutes=1)  # rows of transactions that still run when a frame ends would be in none
_UNJUDGED = Screening.Verdict.NOT_JUDGED


class LabelError(ValueError):
    """A label that is refused; the message is for the person who tried."""


def draw_if_few(project: Project) -> int:
    """Draw the next frame where few texts wait to be labelled; returns how many were drawn.

    The lock is advisory, since no row stands for a frame: two at once would draw the same texts with twice the chance.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"parley: labels of {project.id}"])
        if project.drawn_texts.unsettled().count() >= FEW:
            return 0
        return _draw_frame(project, until=timezone.now() - _SETTLING)


def _draw_frame(project: Project, *, until: datetime) -> int:
    newest = project.drawn_texts.exclude(frame_until=None).order_by("-frame_until").first()
    frame = Screening.objects.filter(project=project, in_shadow=False, created_at__lte=until).exclude(verdict=_UNJUDGED)
    if newest is not None:
        frame = frame.filter(created_at__gt=newest.frame_until)
    near = frame.filter(_is_near(project))
    seed = f"labels {project.id} {until.isoformat()}"
    by_lot, by_lot_near = _lot(frame, RANDOM, f"{seed} all"), _lot(near, NEAR, f"{seed} near")
    from_all, from_near = (_share(ids, rows) for ids, rows in ((by_lot, frame), (by_lot_near, near)))
    drawn = by_lot | by_lot_near
    could_be_near = set(near.filter(id__in=drawn).values_list("id", flat=True))
    num = 0
    for one in _texts(frame.filter(id__in=drawn)):
        way = CameBy.RANDOM if one.id in by_lot else CameBy.NEAR
        chance = inclusion(from_all, from_near if one.id in could_be_near else 0.0)
        num += _put_up(one, way, chance=chance, until=until) is not None
    for rows, way, most in (
        (_disagreeing(project), CameBy.DISAGREEMENT, DISAGREEING),
        (_reported(project), CameBy.REPORT, REPORTED),
    ):
        for one in _texts(rows.filter(drawn=None).order_by("-created_at")[:most]):
            num += _put_up(one, way) is not None
    return num


def next_text(project: Project, by: User) -> DrawnText | None:
    """The text that this person is to label next, none of their own; None where nothing waits for them.

    Of their labels SHARE_AT_RANDOM are of texts drawn from all, as far as there are such.
    """
    done = Label.objects.filter(project=project, by=by, by_decision=False).count()
    is_random_due = int((done + 1) * SHARE_AT_RANDOM) > int(done * SHARE_AT_RANDOM)
    waiting = _waiting_for(project, by)
    at_random = waiting.filter(came_by=CameBy.RANDOM)
    others = waiting.exclude(came_by=CameBy.RANDOM)
    for rows in (at_random, others) if is_random_due else (others, at_random):
        for drawn in rows:
            if text_sha256(drawn.screening.whole_text) == drawn.text_sha256:
                return drawn
            drawn.delete()  # its text was changed since: what is judged now would be another text
    return None


def num_waiting(project: Project, by: User) -> int:
    return _waiting_for(project, by).count()


def put_label(drawn: DrawnText, answers: Mapping[str, str], *, by: User) -> Label:
    """Keep a person's judgement of a text. A second that differs calls for a third. Raises LabelError.

    The text's row is locked: of two who label it at once the second is refused where no more are wanted.
    """
    given = checked(answers)
    with transaction.atomic():
        held = DrawnText.objects.select_for_update(of=("self",)).select_related("screening", "project").get(id=drawn.id)
        if by.id in held.screening.speakers:
            raise LabelError(_("One's own text is labelled by others."))
        if held.num_labels >= held.labels_wanted:
            raise LabelError(_("Others have labelled this text meanwhile; it needs no more."))
        label = _store(held, given, by=by)
        held.num_labels += 1
        if held.num_labels == 2 and _differ(held):
            held.labels_wanted = 3
        held.save(update_fields=["num_labels", "labels_wanted"])
        AuditEvent.note("label text", label, by=by, drawn=str(held.id))
    return label


def leave_by_decision(screening: Screening, answers: Mapping[str, str], *, by: User) -> Label:
    """The judgement that a decision on an appeal is. Its text still waits for labels of all categories by others."""
    drawn = getattr(screening, "drawn", None) or _put_up(screening, CameBy.APPEAL)
    assert drawn is not None, "who decides has read a text"
    return _store(drawn, dict(answers), by=by, by_decision=True)


def point_at(screening: Screening) -> DrawnText:
    """The text as one to label, where a person chose it: no lot did."""
    drawn = getattr(screening, "drawn", None) or _put_up(screening, CameBy.REPORT)
    if drawn is None:
        raise LabelError(_("There is no text left of this screening."))
    return drawn


def texts_of(person: User) -> QuerySet[Screening]:
    """Screenings of what this person wrote or asked for, or reviewed as a dialogue."""
    wrote = Q(message__dialogue__author=person) | Q(run__requested_by=person) | Q(run__dialogue__author=person)
    asked = Q(completion__run__requested_by=person) | Q(completion__used_in__dialogue__author=person)
    reviewed = Q(message__dialogue__reviewed_by=person) | Q(completion__used_in__dialogue__reviewed_by=person)
    return Screening.objects.filter(wrote | asked | reviewed)


def checked(answers: Mapping[str, str]) -> dict[str, str]:
    """Answers by category, with what follows: sexual of minors is sexual. Raises LabelError."""
    for name, answer in answers.items():
        if name not in CATEGORIES or answer not in ANSWERS:
            raise LabelError(_("“%(name)s” cannot be “%(answer)s”.") % {"name": name, "answer": answer})
    if not answers:
        raise LabelError(_("Say yes, no or unsure of at least one category."))
    found = dict(answers)
    found |= {PARENTS[name]: YES for name, answer in answers.items() if answer == YES and name in PARENTS}
    return {name: found[name] for name in CATEGORIES if name in found}


def _store(drawn: DrawnText, answers: dict[str, str], *, by: User, by_decision: bool = False) -> Label:
    try:
        with transaction.atomic():
            return Label.objects.create(
                project_id=drawn.project_id,
                drawn=drawn,
                answers=answers,
                by=by,
                by_decision=by_decision,
                guideline_version=drawn.project.guidelines,
            )
    except IntegrityError as error:
        raise LabelError(_("You have labelled this text already.")) from error


def _differ(drawn: DrawnText) -> bool:
    """Whether somebody said yes, and somebody no, of the same category."""
    said = [(name, answer) for label in drawn.labels.all() for name, answer in label.answers.items()]
    return any((name, YES) in said and (name, NO) in said for name in CATEGORIES)


def _waiting_for(project: Project, by: User) -> QuerySet[DrawnText]:
    mine = Label.objects.filter(drawn=OuterRef("id"), by=by)
    rows = DrawnText.objects.filter(project=project).unsettled().exclude(Exists(mine))
    rows = rows.exclude(screening__in=texts_of(by).filter(project=project).values("id"))
    # Among the drawn of one frame by their ids, which are random: those that are labelled are a random part.
    return rows.select_related(*_TEXT).order_by(F("frame_until").asc(nulls_first=True), "id")


_ABOUT = ("message__dialogue", "completion__run__dialogue", "run__dialogue", "withheld", "project")
_TEXT = ("screening", *(f"screening__{name}" for name in _ABOUT))


def _texts(rows: QuerySet[Screening]) -> list[Screening]:
    return list(rows.select_related(*_ABOUT, "drawn"))


def _put_up(
    screening: Screening, way: CameBy, *, chance: float | None = None, until: datetime | None = None
) -> DrawnText | None:
    """The text as one to label. One that came in another way before keeps its labels, and takes the chance of the lot.

    None where there is no text left.
    """
    text = screening.whole_text
    if not text:
        return None
    known = DrawnText.objects.filter(screening=screening).first()
    if known is None:
        known = DrawnText(screening=screening, project_id=screening.project_id, text_sha256=text_sha256(text))
    known.came_by, known.inclusion, known.frame_until = way, chance, until
    known.save()
    return known


def _lot(rows: QuerySet[Screening], num: int, seed: str) -> set[Any]:
    """A simple random sample of `num` ids: the order of a hash of each with the seed."""
    keyed = rows.annotate(lot=MD5(Concat(Cast("id", TextField()), Value(f" {seed}"))))
    return set(keyed.order_by("lot").values_list("id", flat=True)[:num])


def _share(ids: set[Any], rows: QuerySet[Screening]) -> float:
    return len(ids) / rows.count() if ids else 0.0


def _is_near(project: Project) -> Q:
    """Whether some category's probability is within BAND of a threshold on its side."""
    near = Q(pk__in=())
    for side in Screening.Side.values:
        for name, bounds in bounds_of(project, side).items():
            for bound in bounds.known:
                span = {f"probabilities__{name}__gte": bound - BAND, f"probabilities__{name}__lte": bound + BAND}
                near |= Q(side=side, **span)
    return near


def _disagreeing(project: Project) -> QuerySet[Screening]:
    """Screenings of which the filter in shadow says otherwise of the same text."""
    shadow = Screening.objects.filter(
        project=project, in_shadow=True, side=OuterRef("side"), text_sha256=OuterRef("text_sha256")
    )
    rows = Screening.objects.filter(project=project, in_shadow=False)
    return rows.filter(Exists(shadow.exclude(verdict=OuterRef("verdict")).exclude(verdict=_UNJUDGED)))


def _reported(project: Project) -> QuerySet[Screening]:
    reports = Report.objects.filter(project=project)
    of_text = Q(completion__in=reports.exclude(completion=None).values("completion"))
    of_text |= Q(message__in=reports.exclude(message=None).values("message"))
    of_text |= Q(id__in=reports.exclude(screening=None).values("screening"))
    return Screening.objects.filter(of_text, project=project, in_shadow=False)
