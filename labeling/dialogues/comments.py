"""Comments of reviewers on single messages: written, taken back before they are sent, answered by the author.

labeling.dialogues.review sends them with its decision; labeling.dialogues.editing answers them with an edit.
"""

from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from labeling.dialogues.rules import WritingError, lock, require_editable, require_reviewer
from labeling.models import AuditEvent, Comment, Dialogue, Message, User

COMMENTED_IN = (Dialogue.State.SUBMITTED, Dialogue.State.ACCEPTED)  # states in which a reviewer may comment
MOST_OF_A_MESSAGE = 50  # comments; each is shown


def comment_on(message: Message, *, text: str, by: User) -> Comment:
    """Comment on a message of a dialogue that this person may review. Its author reads it with the decision."""
    text = text.strip()
    if not text:
        raise WritingError(_("Say something of this message."))
    if len(text) > Comment.LONGEST:
        raise WritingError(_("A comment has at most %(n)d characters.") % {"n": Comment.LONGEST})
    dialogue = message.dialogue
    with transaction.atomic():
        lock(dialogue)
        require_reviewer(dialogue, by, *COMMENTED_IN)
        if not dialogue.messages.filter(id=message.id).exists():
            raise WritingError(_("This message is there no more; its author removed it."))
        if message.comments.count() >= MOST_OF_A_MESSAGE:
            raise WritingError(_("A message has at most %(n)d comments.") % {"n": MOST_OF_A_MESSAGE})
        comment = Comment.objects.create(
            project_id=dialogue.project_id, dialogue=dialogue, message=message, author=by, text=text
        )
        AuditEvent.note("comment on message", comment, by=by, dialogue=str(dialogue.id), position=message.position)
    return comment


def take_back(comment: Comment, *, by: User) -> None:
    """Delete one's own comment that the dialogue's author cannot read yet."""
    dialogue = comment.dialogue
    with transaction.atomic():
        lock(dialogue)
        if comment.author_id != by.id:
            raise WritingError(_("Only who wrote a comment takes it back."))
        if not Comment.objects.filter(id=comment.id, sent_at=None).exists():
            raise WritingError(_("The author of the dialogue has read this comment; it stays."))
        AuditEvent.note("take comment back", comment, by=by, dialogue=str(dialogue.id))
        comment.delete()


def answer(comment: Comment, *, by: User) -> None:
    """Mark a comment as answered without an edit, as the dialogue's author. Marking it again changes nothing."""
    dialogue = comment.dialogue
    with transaction.atomic():
        lock(dialogue)
        require_editable(dialogue, by)
        if Comment.objects.sent().filter(id=comment.id).mark_answered(Comment.Answer.SAID):
            AuditEvent.note("answer comment", comment, by=by, dialogue=str(dialogue.id))


def annotate_comments(dialogue: Dialogue, thread: Sequence[Message], *, reviews: bool) -> list[Comment]:
    """Set `shown_comments` of each message: all for a reviewer, for the author those that were sent.

    Returns those on messages that were removed.
    """
    found = dialogue.comments.select_related("author").order_by("created_at", "id")
    by_message: dict[object, list[Comment]] = {}
    for comment in found if reviews else found.sent():
        by_message.setdefault(comment.message_id, []).append(comment)
    for message in thread:
        message.shown_comments = by_message.get(message.pk, [])  # type: ignore[attr-defined]
    return by_message.get(None, [])


def first_open(thread: Sequence[Message]) -> Message | None:
    """The first message with a comment that its author can read and has not answered."""
    return next((message for message in thread if _open_comments(message)), None)


def num_open(thread: Sequence[Message]) -> int:
    return sum(len(_open_comments(message)) for message in thread)


def _open_comments(message: Message) -> list[Comment]:
    return [comment for comment in getattr(message, "shown_comments", ()) if comment.answered_at is None]
