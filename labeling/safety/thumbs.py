"""Thumbs on a policy's answers in chats: up or down, with reasons, and a better answer for who has one.

A thumb calls nobody. It is exported like those that programs bring (KTO); a better answer is a demonstration of its
author's own, handed in for review. Knows no page: chats and the preview call it.
"""

import uuid
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling.dialogues.authorship import set_authorship
from labeling.dialogues.editing import branch
from labeling.dialogues.rules import WritingError, lock, require_text
from labeling.models import AuditEvent, Dialogue, Export, Message, Thumb, User

SOURCE = "chat"
BETTER_SOURCE = "better answer"
State = Dialogue.State


class ThumbError(WritingError):
    """A thumb or a better answer that is refused; the text is for the person."""


def takes_thumb(message: Message) -> bool:
    """Only what a policy said, as it said it, takes a thumb."""
    is_answer = message.role == Message.Role.ASSISTANT and message.authorship == Message.Authorship.POLICY
    return is_answer and bool(message.content.strip()) and message.position > 0


def own_thumbs(messages: Iterable[Message], *, by: User) -> dict[uuid.UUID, Thumb]:
    """This person's thumbs on these messages that count, by the message's id."""
    rows = Thumb.objects.that_count().filter(message__in=list(messages), created_by=by).select_related("better")
    return {row.message_id: row for row in rows if row.message_id is not None}


def give(
    message: Message,
    *,
    by: User,
    up: bool,
    reasons: Sequence[str] = (),
    better: str = "",
    may_train: bool = True,
) -> Thumb:
    """Give a thumb, or change the one given; a `better` answer is handed in, or changed. Raises WritingError.

    The caller has seen to it that the message is in a chat of this person.
    """
    if not takes_thumb(message):
        raise ThumbError(_("Only what a policy answered takes a thumb."))
    chosen = [one.value for one in Thumb.Reason if one.value in reasons]
    with transaction.atomic():
        # Two clicks at once wait here, so that the second changes the thumb that the first made.
        User.objects.select_for_update(no_key=True).get(pk=by.pk)
        before = own_thumbs([message], by=by).get(message.id)
        thumb = _version(before, message, by, up=up, reasons=chosen)
        thumb.up, thumb.reasons, thumb.reason = up, chosen, "; ".join(chosen)
        thumb.may_train = may_train
        thumb.wants_comparison = may_train and not up and message.dialogue.project.compares_thumbs_down
        if better.strip():
            thumb.better = _better_answer(thumb, message, better, by)
        thumb.save()
        AuditEvent.note("give thumb" if before is None else "change thumb", thumb, by=by, up=up)
    return thumb


def take_back(message: Message, *, by: User) -> None:
    """Take one's thumb back; without one nothing changes. A better answer stays: it is a dialogue of its own."""
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=by.pk)
        thumb = own_thumbs([message], by=by).get(message.id)
        if thumb is not None:
            _retract(thumb, by)


def forbid_training(user: User) -> int:
    """Have a person's thumbs exported nowhere from now on; returns how many."""
    return Thumb.objects.filter(created_by=user, trainer_kind="visitor", may_train=True).update(may_train=False)


def _version(before: Thumb | None, message: Message, by: User, *, up: bool, reasons: list[str]) -> Thumb:
    """The row to write: the one there is, or a new one where an export may hold that and would say otherwise."""
    if before is None:
        return _new(message, by)
    changes = (before.up, before.reasons) != (up, reasons)
    exports = Export.objects.filter(project=before.project_id, kind=Export.Kind.THUMBS)
    if not changes or not exports.filter(created_at__gte=before.created_at).exists():
        return before
    _retract(before, by)
    thumb = _new(message, by)
    thumb.better_id = before.better_id
    return thumb


def _retract(thumb: Thumb, by: User) -> None:
    thumb.retracted_at = timezone.now()
    thumb.save(update_fields=["retracted_at"])
    AuditEvent.note("retract thumb", thumb, by=by)


def _new(message: Message, by: User) -> Thumb:
    dialogue, completion = message.dialogue, message.completion
    before = dialogue.messages.filter(position__lt=message.position).order_by("position")
    identifier = uuid.uuid4()
    return Thumb(
        id=identifier,
        project_id=dialogue.project_id,
        messages=[one.plain for one in before],
        content=message.content,
        content_sha256=sha256(str(identifier).encode()).hexdigest(),  # whoever gives one here gives one a message
        policy_id=message.policy_id,
        sampling=completion.sampling if completion is not None else None,
        outside_trainer=by.pseudonym,
        trainer_kind=_trainer_kind(by),
        topic=dialogue.topic,
        source=SOURCE,
        created_by=by,
        message=message,
    )


def _trainer_kind(by: User) -> str:
    if by.is_simulated:
        return "simulated"
    return "visitor" if by.role == User.Role.VISITOR else "person"


def _better_answer(thumb: Thumb, message: Message, content: str, by: User) -> Dialogue:
    """The demonstration of this better answer: the one handed in before with its new words, or a new one."""
    require_text(content)
    if content.split() == message.content.split():
        raise ThumbError(_("This is word for word the answer. Change it first."))
    present = thumb.better
    if present is None or present.state == State.WITHDRAWN:
        return _hand_in(message, content, by)
    lock(present)
    if present.state not in (State.SUBMITTED, State.DRAFT):
        raise ThumbError(_("A reviewer has decided on your better answer. It can be changed under My work."))
    answer = present.messages.order_by("-position").first()
    assert answer is not None
    if answer.content != content:
        answer.dialogue, answer.content = present, content
        set_authorship(answer)
        answer.save()
        present.version += 1
        present.save(update_fields=["version", "updated_at"])
        AuditEvent.note("change better answer", present, by=by)
    return present


def _hand_in(message: Message, content: str, by: User) -> Dialogue:
    asked = message.dialogue.messages.filter(position=message.position - 1).select_related("dialogue__project").first()
    if asked is None:
        raise ThumbError(_("What was asked is gone, so there is nothing to answer better."))
    dialogue = branch(asked, by=by)
    answer = Message(dialogue=dialogue, position=message.position, role=Message.Role.ASSISTANT, content=content)
    set_authorship(answer, named=None)
    answer.save()
    fields: dict[str, Any] = {"kind": Dialogue.Kind.DEMONSTRATION, "source": BETTER_SOURCE, "state": State.SUBMITTED}
    Dialogue.objects.filter(id=dialogue.id).update(**fields, submitted_at=Now(), version=1)
    dialogue.refresh_from_db()
    AuditEvent.note("write better answer", dialogue, by=by, message=str(message.id))
    return dialogue
