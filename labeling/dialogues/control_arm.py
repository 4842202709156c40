"""The control arm: dialogues written without suggestions, so that what suggestions do to writing can be measured.

Which arm a dialogue is in follows from who writes and on what, so that beginning anew on the same opening
changes nothing. The arms are compared over dialogues that were handed in.
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

NEWEST = 2000  # dialogues that are compared
FEWEST = 5  # dialogues of each arm; below that an interval would be pretence
_ROUNDS = 400
Cluster = tuple[bool, float, float]  # of one dialogue: whether suggestions were offered, sum, number


def is_control(project: Project, *, by: User, subject: UUID) -> bool:
    """Whether this trainer writes on this subject, an opening or a dialogue of their own, without suggestions."""
    digest = hashlib.sha256(f"control arm:{project.id}:{by.id}:{subject}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64 < project.control_share


def has_control_arm(project: Project) -> bool:
    """Whether some dialogues are written without suggestions, or were: what the figures below are worth asking for."""
    return project.control_share > 0 or Dialogue.objects.filter(project=project, offers_suggestions=False).exists()


@dataclass(frozen=True, kw_only=True, slots=True)
class ArmRow:
    """One figure in both arms. None where an arm has nothing to compute it from."""

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
class _Written:
    """The answers of one dialogue."""

    offered: bool
    lengths: list[int] = field(default_factory=list)
    seconds: float = 0.0
    changes: int = 0
    from_suggestion: int = 0


def arm_figures(project: Project) -> ArmFigures:
    """Both arms of a project side by side: the length of an answer, the time it took, how often it was changed."""
    written = _written(project)
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
    """Statistic for `bootstrap`: the mean with suggestions minus the mean without; None where one arm is empty."""
    sums = {True: (0.0, 0.0), False: (0.0, 0.0)}
    for offered, total, num in clusters:
        sums[offered] = (sums[offered][0] + total, sums[offered][1] + num)
    (with_, n), (without, m) = sums[True], sums[False]
    return with_ / n - without / m if n and m else None


def _written(project: Project) -> list[_Written]:
    dialogues = {row[0]: _Written(offered=row[1]) for row in _compared(project).values_list("id", "offers_suggestions")}
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
    """Dialogues that people wrote from their beginning and handed in; not those written beside completions."""
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
    """How often each message was edited after it had been added."""
    ids = [str(identifier) for identifier in messages]
    edits = AuditEvent.objects.filter(subject_type=Message._meta.model_name, subject_id__in=ids, verb="edit message")
    return Counter(edits.values_list("subject_id", flat=True))
