"""The rules that a change of a dialogue must satisfy, and the lock on its row. Shared by editing and review."""

import hashlib
from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from labeling.models import Dialogue, Message, User
from labeling.sampling import screenings
from labeling.web.form_fields import LONGEST_TEXT


class WritingError(ValueError):
    """A change of a dialogue that is refused; the text is for the person who tried."""


class StaleVersion(WritingError):
    """The dialogue was changed elsewhere: `version` is the newest, `saved` and `yours` hold the two texts."""

    def __init__(self, *, version: int, saved: dict[str, Any], yours: dict[str, Any]) -> None:
        super().__init__(_("This dialogue was changed in another tab."))
        self.version, self.saved, self.yours = version, saved, yours


def content_digest(content: str) -> str:
    """A short digest of a text. The edit form carries the digest of the text that it shows, to detect other edits."""
    return hashlib.sha256(content.encode()).hexdigest()[:16]


_CHANGING = (
    "state", "version", "composer", "seconds", "submitted_at", "reviewed_by", "reviewed_at", "review_comment",
)  # fmt: skip


def lock(dialogue: Dialogue) -> None:
    """Lock the dialogue's row until the transaction ends, and reload the fields that another request may have changed.

    Concurrent changes, such as those of two tabs, then happen one after the other.
    """
    dialogue.refresh_from_db(fields=_CHANGING, from_queryset=Dialogue.objects.select_for_update(of=("self",)))


def require_author(dialogue: Dialogue, by: User | None) -> None:
    if by is None or dialogue.author_id != by.id:
        raise WritingError(_("Only its author can change this dialogue."))


def require_editable(dialogue: Dialogue, by: User | None) -> None:
    require_author(dialogue, by)
    if dialogue.state not in (Dialogue.State.DRAFT, Dialogue.State.RETURNED):
        raise WritingError(_("This dialogue is handed in. Undo that, or branch from it, to write on."))


def require_unblocked(messages: Sequence[Message]) -> None:
    """Raise WritingError where the content filter blocked what was said last: it is not sent again until it changes."""
    if screenings.blocks(messages) is not None:
        raise WritingError(_("The filter blocked this message, so no answer is asked for until it is changed."))


def require_reviewer(dialogue: Dialogue, by: User, *states: Dialogue.State) -> None:
    """Raise WritingError unless this person may review the dialogue and it is in one of these states.

    An admin may review their own, since they may be alone.
    """
    if not by.can_review:
        raise WritingError(_("Only reviewers and admins can do this."))
    if dialogue.author_id == by.id and not by.is_admin:
        raise WritingError(_("Your own dialogue is for another reviewer."))
    if dialogue.state not in states:
        raise WritingError(
            _("This dialogue is %(state)s now; somebody was faster.") % {"state": dialogue.get_state_display().lower()}
        )


def require_text(content: str) -> None:
    if not content.strip():
        raise WritingError(_("A message cannot be empty."))
    if len(content) > LONGEST_TEXT:
        raise WritingError(_("A message has at most %(n)d characters.") % {"n": LONGEST_TEXT})
    if "\x00" in content:
        raise WritingError(_("This text has a character (NUL) that cannot be kept."))


def require_place(dialogue: Dialogue, roles: Sequence[str], role: str) -> None:
    """Raise WritingError unless a message of this role may be added after messages of these roles.

    User and assistant take turns, the user first; in a chat only the policy answers; there is one system message.
    """
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
