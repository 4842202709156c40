"""The control arm: dialogues written without suggestions, to measure the effect of suggestions on writing.

The arm of a dialogue is a hash of the project, the trainer and the opening, so that starting again on the same
opening does not change it. The arms are compared over submitted dialogues.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Length
from django.utils.translation import gettext_lazy as _

from labeling.models import AuditEvent, Dialogue, Message, Project, User
from labeling.statistics.intervals import Estimate, bootstrap, proportion, ratio_of_sums

NEWEST = 2000  # dialogues compared, to bound the time of one page
FEWEST = 5  # dialogues per arm; an interval from fewer would claim a precision that it does not have
_ROUNDS = 400  # bootstrap resamples
Cluster = tuple[bool, float, float]  # one dialogue: whether suggestions were offered, sum, number of answers


def is_control(project: Project, *, by: User, subject: UUID) -> bool:
    """Whether this trainer writes on this subject without suggestions.

    `subject` is the id of the opening, or of the dialogue itself where there is no opening.
    """
    digest = hashlib.sha256(f"control arm:{project.id}:{by.id}:{subject}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64 < project.control_share


def has_control_arm(project: Project) -> bool:
    """Whether any dialogues are or were written without suggestions, so that there is something to compare."""
    return project.control_share > 0 or Dialogue.objects.filter(project=project, offers_suggestions=False).exists()


@dataclass(frozen=True, kw_only=True, slots=True)
class ArmRow:
    """One statistic in both arms. None where an arm has too few dialogues."""

    name: Any
    digits: int
    offered: Estimate | None
    control: Estimate | None
    difference: Estimate | None  # offered minus control


@dataclass(frozen=True, kw_only=True, slots=True)
class ArmFigures:
    num_offered: int
    num_control: int
    begun_from_suggestion: Estimate | None  # of the answers where suggestions were offered
    rows: list[ArmRow]


@dataclass(slots=True)
class _DialogueAnswers:
    """The written answers of one dialogue, summed up."""

    offered: bool
    lengths: list[int] = field(default_factory=list)
    seconds: float = 0.0
    changes: int = 0
    from_suggestion: int = 0


def arm_figures(project: Project) -> ArmFigures:
    """Both arms of a project side by side: length of an answer, time spent on it, later edits of it."""
    written = _answers_by_dialogue(project)
    answers = sum(len(one.lengths) for one in written if one.offered)
    taken = sum(one.from_suggestion for one in written if one.offered)
    timed = [one for one in written if one.seconds]
    return ArmFigures(
        num_offered=sum(one.offered for one in written),
        num_control=sum(not one.offered for one in written),
        begun_from_suggestion=proportion(taken, answers) if answers else None,
        rows=[
            _row(
                _("Characters of an answer"), 0, [(one.offered, sum(one.lengths), len(one.lengths)) for one in written]
            ),
            _row(_("Seconds for an answer"), 0, [(one.offered, one.seconds, len(one.lengths)) for one in timed]),
            _row(_("Later changes of an answer"), 2, [(one.offered, one.changes, len(one.lengths)) for one in written]),
        ],
    )


def _row(name: Any, digits: int, clusters: Sequence[Cluster]) -> ArmRow:
    offered = [(total, num) for is_offered, total, num in clusters if is_offered]
    control = [(total, num) for is_offered, total, num in clusters if not is_offered]
    return ArmRow(
        name=name,
        digits=digits,
        offered=_mean(offered),
        control=_mean(control),
        difference=bootstrap(clusters, _difference, rounds=_ROUNDS)
        if min(len(offered), len(control)) >= FEWEST
        else None,
    )


def _mean(clusters: Sequence[tuple[float, float]]) -> Estimate | None:
    return bootstrap(clusters, ratio_of_sums, rounds=_ROUNDS) if len(clusters) >= FEWEST else None


def _difference(clusters: Sequence[Cluster]) -> float | None:
    """Statistic for `bootstrap`: the mean with suggestions minus the mean without; None if an arm is empty."""
    sums = {True: (0.0, 0.0), False: (0.0, 0.0)}
    for offered, total, num in clusters:
        sums[offered] = (sums[offered][0] + total, sums[offered][1] + num)
    (with_, n), (without, m) = sums[True], sums[False]
    return with_ / n - without / m if n and m else None


def _answers_by_dialogue(project: Project) -> list[_DialogueAnswers]:
    dialogues = {
        row[0]: _DialogueAnswers(offered=row[1]) for row in _compared(project).values_list("id", "offers_suggestions")
    }
    authored = (Message.Authorship.TYPED, Message.Authorship.TAKEN, Message.Authorship.EDITED)
    answers = Message.objects.filter(dialogue__in=dialogues, role=Message.Role.ASSISTANT, authorship__in=authored)
    rows = list(answers.values_list("id", "dialogue_id", Length("content"), "seconds", "authorship"))
    changes = _changes(row[0] for row in rows)
    for identifier, dialogue, length, seconds, authorship in rows:
        one = dialogues[dialogue]
        one.lengths.append(length)
        one.seconds += seconds
        one.changes += changes[str(identifier)]
        one.from_suggestion += authorship != Message.Authorship.TYPED
    return [one for one in dialogues.values() if one.lengths]


def _compared(project: Project) -> QuerySet[Dialogue]:
    """Submitted dialogues that people wrote from the beginning: no branches, and none written while ranking."""
    handed_in = (Dialogue.State.SUBMITTED, Dialogue.State.ACCEPTED, Dialogue.State.RETURNED)
    return Dialogue.objects.filter(
        project=project,
        kind=Dialogue.Kind.DEMONSTRATION,
        state__in=handed_in,
        author__is_simulated=False,
        lease=None,
        branched_from=None,
    ).order_by("-submitted_at")[:NEWEST]


def _changes(messages: Iterable[UUID]) -> Counter[str]:
    """How often each message was edited after it was added, by message id."""
    ids = [str(identifier) for identifier in messages]
    edits = AuditEvent.objects.filter(subject_type=Message._meta.model_name, subject_id__in=ids, verb="edit message")
    return Counter(edits.values_list("subject_id", flat=True))
