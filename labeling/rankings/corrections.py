"""Corrections: texts that trainers write while ranking, a corrected completion or a better one of their own.

Each becomes a demonstration, submitted for review, that names the lease it was written on. Once a reviewer has
accepted it, it may be ranked as well: not in the comparison it came from, which stays as it was shown, but in a new
one of the same completions and this text (docs/decisions/0007).
"""

import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.dialogues.authorship import set_authorship
from labeling.dialogues.rules import WritingError, lock, require_text
from labeling.models import AuditEvent, Comparison, Completion, Dialogue, Lease, Message, Project, User
from labeling.rankings.comparison_copies import copy_comparison, copy_completions

MOST_COMPLETIONS = 9  # of one comparison, since the digits 1 to 9 are the keys that place completions
BATCH_SIZE = 50  # comparisons created by one call, so that a sweep stays short


def write_better(
    lease: Lease, *, content: str, key: UUID, by: User, completion: Completion | None = None, seconds: float = 0.0
) -> Dialogue:
    """Submit a demonstration: the comparison's prompt and this trainer's answer.

    `completion` is the one in whose editor it was written. Which completion the answer was edited from, if any, is
    decided by comparing it with all of them (labeling.dialogues.authorship). `key` becomes the dialogue's id, so that
    a text that is sent twice makes one demonstration; the lease is locked, so that the second request waits for the
    first. Ranking, lease and draft are not changed. `seconds` is the time spent writing. Raises WritingError with a
    sentence for the trainer.
    """
    require_text(content)
    with transaction.atomic():
        lease = Lease.objects.select_for_update(of=("self",)).select_related("comparison__project").get(id=lease.id)
        present = Dialogue.objects.filter(id=key).first()
        if present is not None:
            return _require_same_text(present, lease, content)
        comparison = lease.comparison
        _require_wanted(comparison, lease, content, by)
        dialogue = _create_dialogue(comparison, lease, key, by, seconds)
        context = context_of(comparison)
        answer = Message(position=len(context), role=Message.Role.ASSISTANT, content=content, seconds=seconds)
        for message in (*context, answer):
            message.dialogue = dialogue
        set_authorship(answer, named=completion)
        Message.objects.bulk_create([*context, answer])
        origin = str(answer.completion_id) if answer.completion_id else None
        AuditEvent.note("write while ranking", dialogue, by=by, comparison=str(comparison.id), completion=origin)
    return dialogue


def context_of(comparison: Comparison) -> list[Message]:
    """The prompt of the comparison as unsaved messages, each with the authorship of the message it was copied from."""
    origins = {}
    if comparison.dialogue is not None:
        origins = {message.position: message for message in comparison.dialogue.messages.all()}
    return [_copy_message(position, said, origins.get(position)) for position, said in enumerate(comparison.messages)]


def create_comparisons_from_corrections(project: Project) -> int:
    """Create a comparison for accepted texts whose original comparison has all its rankings; returns how many.

    Only while the round of the original is open. At most BATCH_SIZE are created.
    """
    if not project.joins_written or project.archived_at is not None:
        return 0
    return sum(_create_comparison(dialogue) for dialogue in _accepted_texts(project)[:BATCH_SIZE])


def _require_wanted(comparison: Comparison, lease: Lease, content: str, by: User) -> None:
    if lease.trainer_id != by.id:
        raise WritingError(_("This place belongs to another trainer."))
    if comparison.use == Comparison.Use.PRACTICE:
        raise WritingError(_("This comparison is for practice; what is written here would teach nobody."))
    if comparison.state == Comparison.State.WITHDRAWN:
        raise WritingError(_("This comparison was withdrawn meanwhile, and nothing more is made of it."))
    if content.split() in [shown.split() for shown in comparison.completions.values_list("content", flat=True)]:
        raise WritingError(_("This is word for word one of the completions. Change it first."))


def _require_same_text(present: Dialogue, lease: Lease, content: str) -> Dialogue:
    last = present.messages.order_by("-position").first()
    if present.lease_id != lease.id or last is None or last.content != content:
        raise WritingError(_("Your text is saved as it stood before. Save again to hand in this one as well."))
    return present


def _create_dialogue(comparison: Comparison, lease: Lease, key: UUID, by: User, seconds: float) -> Dialogue:
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
        branched_at=len(comparison.messages) - 1,  # so that the copied messages are not chosen for a comparison again
        seconds=seconds,
    )


def _copy_message(position: int, said: dict[str, Any], origin: Message | None) -> Message:
    copy = Message(position=position, role=said["role"], content=said["content"])
    copy.authorship = Message.Authorship.IMPORTED
    if origin is not None and (origin.role, origin.content) == (copy.role, copy.content):
        copy.authorship, copy.edit_distance = origin.authorship, origin.edit_distance
        copy.policy_id, copy.completion_id = origin.policy_id, origin.completion_id
    return copy


def _accepted_texts(project: Project) -> QuerySet[Dialogue]:
    already_compared = Completion.objects.filter(message__dialogue=OuterRef("pk"), comparison__family__isnull=False)
    answer = Message.objects.filter(dialogue=OuterRef("pk")).order_by("-position").values("content")[:1]
    # A reviewer's edit can make the text equal to a completion that was ranked already.
    already_ranked = Completion.objects.filter(comparison=OuterRef("lease__comparison"), content=OuterRef("answer"))
    return (
        Dialogue.objects.annotate(answer=Subquery(answer))
        .filter(
            ~Exists(already_compared),
            ~Exists(already_ranked),
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


def _create_comparison(dialogue: Dialogue) -> bool:
    """Create the comparison for an accepted text; False if the text no longer qualifies.

    Dialogue and original are locked, in this order, and everything that `_accepted_texts` filtered by is checked again:
    the text may have been withdrawn, or another sweep may have created the comparison.
    """
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
        created = _copy_with_places(first)
        _add_completions(created, completions, answer, author_id=dialogue.author_id)
        AuditEvent.note("join comparison", created, by=None, dialogue=str(dialogue.id), origin=str(first.id))
    return True


def _copy_with_places(first: Comparison) -> Comparison:
    assert first.round is not None
    wanted = first.project.rankings_wanted
    return copy_comparison(
        first,
        round=first.round,
        prompt_id=None,  # a round may have only one comparison of a prompt, and that is `first`
        rankings_wanted=wanted,
        open_slots=wanted,
        queue_key=random.random() - first.round.number,
    )


def _add_completions(
    created: Comparison, completions: Sequence[Completion], answer: Message, *, author_id: Any
) -> None:
    copied = copy_completions(completions, comparison=created)
    written = Completion(
        comparison=created, index=len(copied), content=answer.content, author_id=author_id, message=answer
    )
    Completion.objects.bulk_create([*copied, written])
