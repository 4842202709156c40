"""What a model suggested, against what a person made of it: for the reviewer of a dialogue, word by word."""

from collections.abc import Sequence
from dataclasses import dataclass

from labeling.models import Completion, Message
from labeling.prompts.word_diff import Change, word_changes
from labeling.web.form_fields import plain_line_ends

# Characters of suggestions and messages that one page compares, which takes a second at most; those after it are
# shown whole.
MOST_COMPARED = 400_000
FROM_SUGGESTION = (Message.Authorship.TAKEN, Message.Authorship.EDITED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggested:
    """The suggestion that a message was made from. `changes` is None where the two are too long to be compared."""

    policy: str
    text: str
    changes: list[Change] | None

    @property
    def is_unchanged(self) -> bool:
        return self.changes is not None and all(change.kind == "kept" for change in self.changes)


def annotate_suggested(thread: Sequence[Message]) -> None:
    """Set `suggested` of each message that was made from a suggestion."""
    made = [message for message in thread if message.authorship in FROM_SUGGESTION and message.completion_id]
    known = Completion.objects.select_related("policy").in_bulk({message.completion_id for message in made})
    left = MOST_COMPARED
    for message in made:
        completion = known.get(message.completion_id)
        if completion is None:
            continue
        text = plain_line_ends(completion.content)
        left -= len(text) + len(message.content)
        changes = word_changes(text, message.content) if left >= 0 else None
        policy = completion.policy.name if completion.policy else ""
        message.suggested = Suggested(policy=policy, text=text, changes=changes)  # type: ignore[attr-defined]
