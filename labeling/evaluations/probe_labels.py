"""What people say of each answer to a probe: who is given which next, blind, and what the labels come to.

Two people label an answer, a third where they differ, and a reviewer where all three do. A place is held like a lease:
until it expires nobody else is given it. Who labels is told neither the policy nor what the rules that sort answers say
(labeling.evaluations.detectors): people who see that follow it.
"""

from collections import Counter
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.evaluations.figures import Compliance
from labeling.models import AuditEvent, ProbeAnswer, ProbeLabel, Project, User

RIGHT, WRONG, DECLINES = "right", "wrong", "declines"
ASKS, GUESSES, COVERS = "asks", "guesses", "covers the cases"
_ANSWERED = (RIGHT, WRONG, DECLINES)
_COMPLIED = tuple(Compliance)
CHOICES: dict[str, tuple[str, ...]] = {  # by set, in the order of the keys 1 to 4
    "rephrasing": _ANSWERED,
    "same_again": _ANSWERED,
    "guessing": (ASKS, GUESSES, COVERS),
    "over_refusal": _COMPLIED,
    "compliance": _COMPLIED,
}
HELD_FOR = timedelta(minutes=15)
DECIDES = 4  # the label that a reviewer gives where three people differ
_REVIEWERS = (User.Role.REVIEWER, User.Role.ADMIN)
_TRIES = 20  # answers that others may take while one is being found


class ProbeLabelError(ValueError):
    """A label that is refused; the message is for the person who tried."""


def claim(project: Project, *, by: User) -> ProbeLabel | None:
    """The answer that this person is to label next, held for them; None where nothing waits for them.

    What they hold already comes first. By lot, and no answer of the group that they labelled last while there are
    others.
    """
    held = ProbeLabel.objects.claims().filter(by=by, answer__run__project=project).first()
    if held is not None:
        return held
    for answer_id in list(_in_order(project, by).values_list("id", flat=True)[:_TRIES]):
        if (label := _hold(project, answer_id, by)) is not None:
            return label
    return None


def num_waiting(project: Project, *, by: User) -> int:
    """How many answers this person could label now."""
    return _waiting_for(project, by).count()


def put(label: ProbeLabel, value: str, *, by: User) -> ProbeLabel:
    """Say what the answer is, by the place that this person holds. Raises ProbeLabelError.

    The answer's row is locked: two labels at once would each find the other not yet given, and none call for a third.
    """
    with transaction.atomic():
        answer = ProbeAnswer.objects.select_for_update(of=("self",)).get(id=label.answer_id)
        held = ProbeLabel.objects.select_related("answer__run__set_version").get(id=label.id)
        if held.by_id != by.pk:
            raise ProbeLabelError(_("Somebody else holds this answer."))
        if value not in CHOICES[held.answer.run.set_version.name]:
            raise ProbeLabelError(_("Choose one of the labels."))
        if held.value or held.withdrawn_at is not None:
            raise ProbeLabelError(_("You have labelled this answer already."))
        if not ProbeLabel.objects.claims().filter(id=held.id).exists() and _num_taken(answer) >= answer.labels_wanted:
            raise ProbeLabelError(_("Your time for this answer was over, and others have labelled it meanwhile."))
        held.value, held.labelled_at = value, Now()
        held.guideline_version = held.answer.run.project.guidelines
        held.save(update_fields=["value", "labelled_at", "guideline_version"])
        _settle(answer)
        AuditEvent.note("label probe", held, by=by, value=value)
    return held


def withdraw(label: ProbeLabel, *, by: User) -> bool:
    """Take one's own label back; another person is asked instead. False if it was not in force."""
    with transaction.atomic():
        answer = ProbeAnswer.objects.select_for_update(of=("self",)).get(id=label.answer_id)
        if not ProbeLabel.objects.in_force().filter(id=label.id, by=by).update(withdrawn_at=Now()):
            return False
        _settle(answer)
        AuditEvent.note("withdraw probe label", label, by=by)
    return True


def verdict_of(values: list[str]) -> str:
    """What labels, in the order given, come to: what two say; of four the last; empty while neither is there."""
    if not values:
        return ""
    value, times = Counter(values).most_common(1)[0]
    if times > 1:
        return value
    return values[-1] if len(values) >= DECIDES else ""


def _settle(answer: ProbeAnswer) -> None:
    """Work out anew, of a locked answer, how many labels it wants and what they come to."""
    values = list(answer.labels.in_force().order_by("labelled_at", "id").values_list("value", flat=True))
    answer.verdict = verdict_of(values)
    answer.labels_wanted = max(2, len(values) if answer.verdict else len(values) + 1)
    answer.save(update_fields=["verdict", "labels_wanted"])


def _waiting_for(project: Project, by: User) -> QuerySet[ProbeAnswer]:
    """Answers with room for this person. Whom they labelled once, withdrawn or not, they are not given again."""
    own = ProbeLabel.objects.filter(answer=OuterRef("pk"), by=by)
    said = own.exclude(value="", withdrawn_at=None)
    given = Q(labels__withdrawn_at=None) & ~Q(labels__value="")
    holds = Q(labels__withdrawn_at=None, labels__value="", labels__expires_at__gt=Now()) & ~Q(labels__by=by)
    waiting = ProbeAnswer.objects.filter(run__project=project, state=ProbeAnswer.State.READY, labels_wanted__gt=0)
    waiting = waiting.annotate(num_taken=Count("labels", filter=given | holds)).filter(num_taken__lt=F("labels_wanted"))
    if by.role not in _REVIEWERS:
        waiting = waiting.filter(labels_wanted__lt=DECIDES)
    return waiting.exclude(Exists(said))


def _in_order(project: Project, by: User) -> QuerySet[ProbeAnswer]:
    last = ProbeLabel.objects.filter(by=by, answer__run__project=project, labelled_at__isnull=False)
    group = last.order_by("-labelled_at").values_list("answer__text__group", flat=True).first()
    is_last_group = Case(When(text__group=group or "", then=Value(1)), default=Value(0))
    return _waiting_for(project, by).order_by(is_last_group, "id")


def _hold(project: Project, answer_id: UUID, by: User) -> ProbeLabel | None:
    """Hold the answer for this person, if there is still room once its row is locked."""
    with transaction.atomic():
        locked = ProbeAnswer.objects.select_for_update(of=("self",), skip_locked=True).filter(id=answer_id).first()
        # Looked at again behind the lock, in a statement of its own: the first one saw what was before.
        if locked is None or not _waiting_for(project, by).filter(id=locked.id).exists():
            return None
        label, _is_new = ProbeLabel.objects.update_or_create(
            answer=locked, by=by, defaults={"expires_at": Now() + HELD_FOR}
        )
    return label


def _num_taken(answer: ProbeAnswer) -> int:
    return answer.labels.in_force().count() + answer.labels.claims().count()
