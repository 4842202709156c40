"""Editing dialogues: adding and changing messages with their authorship, branches, autosave of the composer.

Each change locks the dialogue's row, so that two tabs change it one after the other, and raises its version.
labeling.web.access decides who may open a dialogue; labeling.prompts.pool offers openings;
labeling.dialogues.review submits a finished dialogue.
"""

from typing import Any, Literal
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.dialogues.authorship import set_authorship, set_edited_authorship
from labeling.dialogues.control_arm import is_control
from labeling.dialogues.rules import (
    StaleVersion,
    WritingError,
    content_digest,
    lock,
    require_editable,
    require_place,
    require_text,
)
from labeling.models import AuditEvent, Comment, Completion, Dialogue, Message, Project, Prompt, User

Authorship = Message.Authorship
Later = Literal["keep", "mark", "delete"]


def start_demonstration(project: Project, *, by: User, prompt: Prompt | None = None) -> Dialogue:
    """Start a dialogue in which this trainer writes both sides, from a prompt of the pool if one is given.

    A share of the dialogues, the project's control arm, offers no suggestions.
    """
    dialogue = Dialogue(
        project=project,
        author=by,
        kind=Dialogue.Kind.DEMONSTRATION,
        prompt=prompt,
        topic=prompt.topic if prompt else "",
        guideline_version=project.guidelines,
    )
    dialogue.offers_suggestions = not is_control(project, by=by, subject=prompt.id if prompt else dialogue.id)
    opening = prompt.messages if prompt else []
    with transaction.atomic():
        dialogue.save()
        Message.objects.bulk_create(
            Message(
                dialogue=dialogue,
                position=position,
                role=message["role"],
                content=message["content"],
                authorship=Authorship.IMPORTED,
            )
            for position, message in enumerate(opening)
        )
        arm = {"offers_suggestions": dialogue.offers_suggestions, "control_share": project.control_share}
        AuditEvent.note("start dialogue", dialogue, by=by, **arm)
    return dialogue


def start_chat(project: Project, *, by: User) -> Dialogue:
    """Start a dialogue in which this trainer is the user and the project's policy answers."""
    with transaction.atomic():
        dialogue = Dialogue.objects.create(
            project=project, author=by, kind=Dialogue.Kind.CHAT, guideline_version=project.guidelines
        )
        AuditEvent.note("start dialogue", dialogue, by=by)
    return dialogue


def add_message(
    dialogue: Dialogue,
    *,
    role: str,
    content: str,
    by: User,
    completion: Completion | None = None,
    seconds: float = 0.0,
) -> Message:
    """Append a message, or insert the system message at the start, and empty the composer.

    `completion` is the suggestion that the text began as, as far as the browser knows; whose words it holds is
    decided by comparing it with all that was shown (labeling.dialogues.authorship).
    """
    require_text(content)
    with transaction.atomic():
        lock(dialogue)
        require_editable(dialogue, by)
        roles = _roles(dialogue)
        require_place(dialogue, roles, role)
        message = Message(dialogue=dialogue, role=role, content=content, seconds=seconds)
        message.position = _make_room(dialogue, roles, role)
        _require_suggested(dialogue, completion, role)
        set_authorship(message, named=completion)
        if message.completion is not None:
            Completion.objects.filter(id=message.completion.id).update(taken_at=Now())
        message.save()
        _save_new_version(dialogue, composer={}, seconds=dialogue.seconds + seconds)
    return message


def add_policy_message(dialogue: Dialogue, completion: Completion) -> Message:
    """Append a policy's answer, unchanged. Adding the same completion again returns the message already there.

    Raises WritingError if the dialogue has changed since the answer was requested.
    """
    run = completion.run
    if run is None or run.dialogue_id != dialogue.id or completion.policy_id is None:
        raise WritingError(_("This answer was not sampled for this dialogue."))
    with transaction.atomic():
        lock(dialogue)
        placed = dialogue.messages.filter(completion=completion, authorship=Authorship.POLICY).first()
        if placed is not None:
            return placed
        roles = _roles(dialogue)
        _require_still_wanted(dialogue, roles, completion)
        message = Message.objects.create(
            dialogue=dialogue,
            position=len(roles),
            role=run.as_role,
            content=completion.content,
            authorship=Authorship.POLICY,
            policy_id=completion.policy_id,
            completion=completion,
        )
        Completion.objects.filter(id=completion.id).update(taken_at=Now(), message=message)
        _save_new_version(dialogue)
    return message


def edit_message(
    message: Message, *, content: str, by: User, later: Later = "mark", seen: str | None = None
) -> Message:
    """Change a message's text; `later` says whether later messages are kept, marked for a second look or deleted.

    A text that is edited back to its suggestion counts as taken again. Saving without a change removes the
    message's own mark. `seen` is the content_digest of the text that the author edited: raises StaleVersion, with
    both texts, if the message has another text by now.
    """
    require_text(content)
    with transaction.atomic():
        dialogue = _locked_dialogue(message, by)
        changed = message.content != content
        if changed and seen is not None and seen != content_digest(message.content):
            texts = {"saved": {"content": message.content}, "yours": {"content": content}}
            raise StaleVersion(version=dialogue.version, **texts)
        after = dialogue.messages.filter(position__gt=message.position)
        message.content, message.needs_second_look, message.before = content, False, None
        if changed:
            message.reasoning = ""  # it led to another text
            set_edited_authorship(message)
            message.comments.mark_answered(Comment.Answer.CHANGED)
            _apply_later(after, later)
            AuditEvent.note("edit message", message, by=by, position=message.position, later=later)
        message.save(update_fields=[*_TEXT_FIELDS, "needs_second_look", "before", "updated_at"])
        _save_new_version(dialogue)
    return message


def replace_message(message: Message, completion: Completion) -> None:
    """Replace a message that is marked for a second look by a policy's answer, unchanged.

    The mark stays and the old text is kept in `before`, until the author decides. Raises WritingError if the message
    or an earlier one has changed since the answer was requested.
    """
    assert completion.run is not None
    with transaction.atomic():
        dialogue = _locked_dialogue(message, message.dialogue.author)
        earlier = dialogue.messages.filter(position__lt=message.position).order_by("position")
        if not message.needs_second_look or [one.plain for one in earlier] != completion.run.messages:
            raise WritingError(_("The dialogue has moved on since this answer was asked for."))
        if not completion.content.strip():
            raise WritingError(_("This answer is empty."))
        message.before = {name: _json_value(getattr(message, name)) for name in _TEXT_FIELDS}
        message.content, message.authorship, message.edit_distance = completion.content, Authorship.POLICY, None
        message.reasoning = ""
        message.policy_id, message.completion_id = completion.policy_id, completion.id
        message.save(update_fields=[*_TEXT_FIELDS, "before", "updated_at"])
        Completion.objects.filter(id=completion.id).update(taken_at=Now(), message=message)
        _save_new_version(dialogue)


def put_back(message: Message, *, by: User) -> None:
    """Restore the text from before a policy's answer replaced it. It stays marked for a second look."""
    with transaction.atomic():
        dialogue = _locked_dialogue(message, by)
        if message.before is None:
            raise WritingError(_("There is no earlier text to bring back."))
        for name, value in message.before.items():
            setattr(message, name, value)
        message.before = None
        message.save(update_fields=[*_TEXT_FIELDS, "before", "updated_at"])
        AuditEvent.note("put message back", message, by=by, position=message.position)
        _save_new_version(dialogue)


def delete_from(message: Message, *, by: User) -> None:
    """Delete a message and all after it. A system message is deleted alone, and the rest marked for a second look."""
    with transaction.atomic():
        dialogue = _locked_dialogue(message, by)
        note = {"position": message.position, "role": message.role}
        AuditEvent.note("delete messages", dialogue, by=by, **note)
        if message.role == Message.Role.SYSTEM:
            _delete(dialogue.messages.filter(id=message.id))
            dialogue.messages.update(position=F("position") - 1, needs_second_look=True)
        else:
            _delete(dialogue.messages.filter(position__gte=message.position))
        _save_new_version(dialogue)


def branch(message: Message, *, by: User) -> Dialogue:
    """Start a draft with copies of the messages up to and including this one, each with its authorship."""
    origin = message.dialogue
    dialogue = Dialogue(
        project_id=origin.project_id,
        author=by,
        kind=origin.kind if origin.kind != Dialogue.Kind.IMPORTED else Dialogue.Kind.DEMONSTRATION,
        prompt_id=origin.prompt_id,
        topic=origin.topic,
        guideline_version=origin.project.guidelines,
        offers_suggestions=origin.offers_suggestions,
        branched_from=origin,
        branched_at=message.position,
    )
    with transaction.atomic():
        dialogue.save()
        copies = list(origin.messages.filter(position__lte=message.position).order_by("position"))
        for copy in copies:
            copy.id, copy.dialogue, copy.seconds = Message._meta.pk.get_default(), dialogue, 0.0
            copy.before = None
            copy._state.adding = True
        Message.objects.bulk_create(copies)
        AuditEvent.note("branch dialogue", dialogue, by=by, origin=str(origin.id), position=message.position)
    return dialogue


def save_composer(
    dialogue: Dialogue, *, role: str, content: str, version: int, by: User, completion: UUID | None = None
) -> int:
    """Save the text in the composer, and the suggestion that it began as. Returns the dialogue's new version.

    Raises StaleVersion, with both texts, if the dialogue was changed elsewhere since `version`. The version is
    compared and raised in one UPDATE, so the row need not be locked first.
    """
    require_editable(dialogue, by)
    if content:
        require_text(content)
    composer = {"role": role, "content": content}
    if completion is not None:
        composer["completion"] = str(completion)
    current = Dialogue.objects.filter(id=dialogue.id, version=version)
    if not current.update(composer=composer, version=version + 1, updated_at=Now()):
        dialogue.refresh_from_db(fields=("version", "composer"))
        raise StaleVersion(version=dialogue.version, saved=dialogue.composer, yours=composer)
    dialogue.version, dialogue.composer = version + 1, composer
    return dialogue.version


_TEXT_FIELDS = (
    "content",
    "authorship",
    "edit_distance",
    "policy_id",
    "completion_id",
    "reasoning",
)  # a text and its authorship


def _json_value(value: Any) -> Any:
    """The value as JSON can hold it: ids as text."""
    return str(value) if isinstance(value, UUID) else value


def _locked_dialogue(message: Message, by: User | None) -> Dialogue:
    """Lock and return the message's dialogue, and reload the message. Raises WritingError if it was deleted."""
    dialogue = message.dialogue
    lock(dialogue)
    require_editable(dialogue, by)
    try:
        message.refresh_from_db(fields=(*_TEXT_FIELDS, "position", "needs_second_look", "before"))
    except Message.DoesNotExist as error:
        raise WritingError(_("This message was deleted in another tab.")) from error
    return dialogue


def _roles(dialogue: Dialogue) -> list[str]:
    """The role at each position."""
    return list(dialogue.messages.order_by("position").values_list("role", flat=True))


def _make_room(dialogue: Dialogue, roles: list[str], role: str) -> int:
    if role != Message.Role.SYSTEM:
        return len(roles)
    dialogue.messages.update(position=F("position") + 1, needs_second_look=True)
    return 0


def _require_suggested(dialogue: Dialogue, completion: Completion | None, role: str) -> None:
    run = completion.run if completion is not None else None
    if completion is not None and (run is None or run.dialogue_id != dialogue.id or run.as_role != role):
        raise WritingError(_("This suggestion was made for another place."))


def _apply_later(after: QuerySet[Message], later: Later) -> None:
    if later == "delete":
        _delete(after)
    elif later == "mark":
        after.update(needs_second_look=True)
    elif later != "keep":
        raise WritingError(_("Later messages can be kept, marked or deleted."))


def _delete(messages: QuerySet[Message]) -> None:
    """Delete messages of a locked dialogue. What reviewers said of them stays, as answered."""
    Comment.objects.filter(message__in=messages).mark_answered(Comment.Answer.REMOVED)
    messages.delete()


def _require_still_wanted(dialogue: Dialogue, roles: list[str], completion: Completion) -> None:
    assert completion.run is not None
    editable = dialogue.state in (Dialogue.State.DRAFT, Dialogue.State.RETURNED)
    at_end = completion.run.position in (None, len(roles))
    last = roles[-1] if roles else None
    if not editable or not at_end or last in (None, completion.run.as_role):
        raise WritingError(_("The dialogue has moved on since this answer was asked for."))
    if not completion.content.strip():
        raise WritingError(_("This answer is empty."))


def _save_new_version(dialogue: Dialogue, **changes: Any) -> None:
    """Save these fields of a locked dialogue and raise its version."""
    for name, value in changes.items():
        setattr(dialogue, name, value)
    dialogue.version += 1
    dialogue.save(update_fields=["version", "updated_at", *changes])
