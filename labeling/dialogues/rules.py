"""What makes a message fit its dialogue, and how a dialogue is locked. Shared by writing and reviewing."""

import hashlib
from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from labeling.models import Dialogue, Message, User

LONGEST_TEXT = 100_000  # characters of one message


class WritingError(ValueError):
    """A change of a dialogue that makes no sense; the text is for the person who tried."""


class StaleVersion(WritingError):
    """The dialogue was changed elsewhere: `version` is the newest, `saved` and `yours` are the two texts."""

    def __init__(self, *, version: int, saved: dict[str, Any], yours: dict[str, Any]) -> None:
        super().__init__(_("This dialogue was changed in another tab."))
        self.version, self.saved, self.yours = version, saved, yours


def mark_of(content: str) -> str:
    """What tells one text from another without being it; a page carries the mark of the text that it shows."""
    return hashlib.sha256(content.encode()).hexdigest()[:16]


_CHANGING = (
    "state", "version", "composer", "seconds", "submitted_at", "reviewed_at", "review_comment",
)  # fmt: skip


def lock(dialogue: Dialogue) -> None:
    """Lock the dialogue's row until the transaction ends, and read what may have changed."""
    dialogue.refresh_from_db(fields=_CHANGING, from_queryset=Dialogue.objects.select_for_update(of=("self",)))


def require_author(dialogue: Dialogue, by: User | None) -> None:
    if by is None or dialogue.author_id != by.id:
        raise WritingError(_("Only its author can change this dialogue."))


def require_editable(dialogue: Dialogue, by: User | None) -> None:
    require_author(dialogue, by)
    if dialogue.state not in (Dialogue.State.DRAFT, Dialogue.State.RETURNED):
        raise WritingError(_("This dialogue is handed in. Undo that, or branch from it, to write on."))


def require_text(content: str) -> None:
    if not content.strip():
        raise WritingError(_("A message cannot be empty."))
    if len(content) > LONGEST_TEXT:
        raise WritingError(_("A message has at most %(n)d characters.") % {"n": LONGEST_TEXT})
    if "\x00" in content:
        raise WritingError(_("This text has a character (NUL) that cannot be kept."))


def require_place(dialogue: Dialogue, roles: Sequence[str], role: str) -> None:
    """User and assistant take turns, the user first; a chat's answers are its policy's; one system message."""
    if role == Message.Role.SYSTEM:
        if Message.Role.SYSTEM in roles:
            raise WritingError(_("There is a system message already. Edit that one."))
        return
    if role not in (Message.Role.USER, Message.Role.ASSISTANT):
        raise WritingError(_("“%(role)s” is not a role.") % {"role": role})
    if dialogue.kind == Dialogue.Kind.CHAT and role == Message.Role.ASSISTANT:
        raise WritingError(_("In a chat the policy answers. Edit its answer to correct it."))
    spoken = [spoken for spoken in roles if spoken != Message.Role.SYSTEM]
    if role == Message.Role.ASSISTANT and not spoken:
        raise WritingError(_("The user speaks first."))
    if spoken and spoken[-1] == role:
        raise WritingError(_("User and assistant take turns. Edit the last message, or write the other side."))
