"""Texts that trainers write while they rank: a completion corrected, or a better one than all.

Each is a demonstration, handed in for review, that names the place it was written from. Once a reviewer
has accepted it, it may be ranked itself: not on the board it came from, which stays as it was shown, but in
a new comparison of the same completions and this one (docs/decisions/0007).
"""

import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.dialogues.editing import sign
from labeling.dialogues.rules import WritingError, lock, require_text
from labeling.models import AuditEvent, Comparison, Completion, Dialogue, Lease, Message, Project, User
from labeling.rankings.comparison_copies import copies, copy_comparison

MOST_COMPLETIONS = 9  # of one comparison: as many as there are digits to place them with
AT_ONCE = 50  # texts that join in one go


def write_better(
    lease: Lease, *, content: str, key: UUID, by: User, completion: Completion | None = None, seconds: float = 0.0
) -> Dialogue:
    """A demonstration: what the comparison asks, and this trainer's answer, begun from `completion` or typed.

    `key` becomes the dialogue's id, so that the same text sent twice is one demonstration. The ranking, the
    lease and the board are left as they are. Raises WritingError, with a sentence for the trainer.
    """
    require_text(content)
    with transaction.atomic():
        lease = Lease.objects.select_for_update(of=("self",)).select_related("comparison__project").get(id=lease.id)
        present = Dialogue.objects.filter(id=key).first()
        if present is not None:
            return _repeated(present, lease, content)
        comparison = lease.comparison
        _require_wanted(comparison, lease, content, by)
        dialogue = _hand_in(comparison, lease, key, by, seconds)
        context = context_of(comparison)
        answer = Message(position=len(context), role=Message.Role.ASSISTANT, content=content, seconds=seconds)
        sign(answer, completion)
        for message in (*context, answer):
            message.dialogue = dialogue
        Message.objects.bulk_create([*context, answer])
        origin = str(completion.id) if completion else None
        AuditEvent.note("write while ranking", dialogue, by=by, comparison=str(comparison.id), completion=origin)
    return dialogue


def context_of(comparison: Comparison) -> list[Message]:
    """What the comparison shows before its completions, unsaved, each with the authorship that it has at its origin."""
    origins = {}
    if comparison.dialogue is not None:
        origins = {message.position: message for message in comparison.dialogue.messages.all()}
    return [_copy(position, said, origins.get(position)) for position, said in enumerate(comparison.messages)]


def create_comparisons_from_corrections(project: Project) -> int:
    """Open a comparison for every accepted text that may join one now; returns how many.

    It may while the round is open, and once the comparison that it came from has all its rankings.
    """
    if not project.joins_written or project.archived_at is not None:
        return 0
    return sum(_join(dialogue) for dialogue in _waiting(project)[:AT_ONCE])


def _require_wanted(comparison: Comparison, lease: Lease, content: str, by: User) -> None:
    if lease.trainer_id != by.id:
        raise WritingError(_("This place belongs to another trainer."))
    if comparison.use == Comparison.Use.PRACTICE:
        raise WritingError(_("This comparison is for practice; what is written here would teach nobody."))
    if comparison.state == Comparison.State.WITHDRAWN:
        raise WritingError(_("This comparison was withdrawn meanwhile, and nothing more is made of it."))
    if comparison.completions.filter(content=content).exists():
        raise WritingError(_("This is word for word one of the completions. Change it first."))


def _repeated(present: Dialogue, lease: Lease, content: str) -> Dialogue:
    last = present.messages.order_by("-position").first()
    if present.lease_id != lease.id or last is None or last.content != content:
        raise WritingError(_("Your text is saved as it stood before. Save again to hand in this one as well."))
    return present


def _hand_in(comparison: Comparison, lease: Lease, key: UUID, by: User, seconds: float) -> Dialogue:
    return Dialogue.objects.create(
        id=key,
        project=comparison.project,
        author=by,
        kind=Dialogue.Kind.DEMONSTRATION,
        state=Dialogue.State.SUBMITTED,
        submitted_at=Now(),
        prompt_id=comparison.prompt_id,
        topic=comparison.topic,
        guideline_version=comparison.project.guidelines,
        lease=lease,
        branched_from_id=comparison.dialogue_id,
        branched_at=len(comparison.messages) - 1,  # what was copied is not chosen for a comparison again
        seconds=seconds,
    )


def _copy(position: int, said: dict[str, Any], origin: Message | None) -> Message:
    copy = Message(position=position, role=said["role"], content=said["content"])
    copy.authorship = Message.Authorship.IMPORTED
    if origin is not None and (origin.role, origin.content) == (copy.role, copy.content):
        copy.authorship, copy.edit_distance = origin.authorship, origin.edit_distance
        copy.policy_id, copy.completion_id = origin.policy_id, origin.completion_id
    return copy


def _waiting(project: Project) -> QuerySet[Dialogue]:
    joined = Completion.objects.filter(message__dialogue=OuterRef("pk"), comparison__family__isnull=False)
    answer = Message.objects.filter(dialogue=OuterRef("pk")).order_by("-position").values("content")[:1]
    # A reviewer's change can make it what was ranked already.
    said_before = Completion.objects.filter(comparison=OuterRef("lease__comparison"), content=OuterRef("answer"))
    return (
        Dialogue.objects.annotate(answer=Subquery(answer))
        .filter(
            ~Exists(joined),
            ~Exists(said_before),
            project=project,
            state=Dialogue.State.ACCEPTED,
            lease__comparison__state=Comparison.State.DONE,
            lease__comparison__round__closed_at=None,
            lease__comparison__round__isnull=False,
            lease__comparison__use=Comparison.Use.WORK,
        )
        .annotate(num_completions=Count("lease__comparison__completions"))
        .filter(num_completions__lt=MOST_COMPLETIONS)
        .order_by("reviewed_at")
    )


def _join(dialogue: Dialogue) -> bool:
    """Make the comparison, unless something changed since we looked."""
    with transaction.atomic():
        lock(dialogue)
        assert dialogue.lease is not None
        first = Comparison.objects.select_for_update(of=("self",)).get(id=dialogue.lease.comparison_id)
        answer = dialogue.messages.order_by("-position").first()
        completions = list(first.completions.order_by("index", "id"))
        known = {completion.content for completion in completions}
        if dialogue.state != Dialogue.State.ACCEPTED or answer is None or answer.content in known:
            return False
        if Completion.objects.filter(message=answer, comparison__family__isnull=False).exists():
            return False
        joined = _open_relative(first)
        _fill(joined, completions, answer, author_id=dialogue.author_id)
        AuditEvent.note("join comparison", joined, by=None, dialogue=str(dialogue.id), origin=str(first.id))
    return True


def _open_relative(first: Comparison) -> Comparison:
    assert first.round is not None
    wanted = first.project.rankings_wanted
    return copy_comparison(
        first,
        round=first.round,
        prompt_id=None,  # a round has one comparison of a prompt, and `first` is it
        rankings_wanted=wanted,
        open_slots=wanted,
        queue_key=random.random() - first.round.number,
    )


def _fill(joined: Comparison, completions: Sequence[Completion], answer: Message, *, author_id: Any) -> None:
    copied = copies(completions, comparison=joined)
    written = Completion(
        comparison=joined, index=len(copied), content=answer.content, author_id=author_id, message=answer
    )
    Completion.objects.bulk_create([*copied, written])
