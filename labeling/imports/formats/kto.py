"""One answer with a thumb: trl's KTO rows, LLaMA-Factory's kto_tag, and dialogues whose last answer was rated 1 or -1.

The prompt and its answer are {"prompt", "completion"}, text or messages, or the columns of instructions, or a dialogue
as {"messages"} or {"conversations"} that ends with the answer.
"""

from collections.abc import Iterator
from typing import Any

from labeling.imports.formats import Format, has_keys
from labeling.imports.formats.chat import MESSAGE, read_messages, with_system
from labeling.imports.formats.keys import THUMB_KEYS, keys, thumb_in
from labeling.imports.formats.prompts import prompt_messages_of
from labeling.imports.formats.sharegpt import TURN, read_turns
from labeling.imports.messages import FormatError, optional_text, text_of
from labeling.imports.reader import Entry
from records import Completion, Message, Thumb

_DIALOGUE_KEYS = ("messages", "conversations")
_ASKED = ("prompt", "instruction", "question", "query", "input")
_ANSWERS = ("completion", "output", "response", "answer")
_LONGEST_POLICY = 100  # characters of a model's name
_KEPT = f"{' '.join(THUMB_KEYS)} system system_prompt model reason comment"

_KEYS_OF_A_TURN = keys(
    f"{_KEPT} {' '.join((*_ASKED, *_ANSWERS))} context history", inside={"prompt": MESSAGE, "completion": MESSAGE}
)
_KEYS_OF_A_DIALOGUE = keys(_KEPT, inside={"messages": MESSAGE, "conversations": TURN})


def thumbs(entry: Entry) -> Iterator[Thumb]:
    row = entry.value
    up = thumb_in(row)
    if up is not None:
        yield thumb_on(_said_in(row), up=up, policy=policy_of(row.get("model"), "model"), reason=reason_in(row))


def thumb_on(messages: tuple[Message, ...], *, up: bool, policy: str | None, **fields: Any) -> Thumb:
    """The thumb on the last of these messages, which must be an answer. Raises FormatError."""
    if messages[-1].role != "assistant":
        raise FormatError("does not end with an answer, so there is nothing that the thumb is on")
    answer = Completion(id=fields.get("id", ""), content=messages[-1].content, policy=policy)
    return Thumb(**{"id": "", **fields}, messages=messages[:-1], completion=answer, up=up, trainer_kind="imported")


def policy_of(value: Any, name: str) -> str | None:
    policy = optional_text(value, name)
    if policy and len(policy) > _LONGEST_POLICY:
        raise FormatError(f'"{name}" has {len(policy)} characters; at most {_LONGEST_POLICY} can be kept')
    return policy


def reason_in(fields: dict[str, Any]) -> str | None:
    """The reason and, after a colon, the comment."""
    said = (optional_text(fields.get(name), name) for name in ("reason", "comment"))
    return ": ".join(one.strip() for one in said if one and one.strip()) or None


def _said_in(row: dict[str, Any]) -> tuple[Message, ...]:
    if "messages" in row:
        return with_system(row, read_messages(row["messages"], "messages"))
    if "conversations" in row:
        return with_system(row, read_turns(row["conversations"], "conversations"))
    name = _answer_key(row)
    answer = row[name]
    if not isinstance(answer, list):
        answer = [{"role": "assistant", "content": text_of(answer, name)}]
    asked = prompt_messages_of(row)
    if not asked:
        raise FormatError('nothing says what was asked: "prompt" is empty')
    return read_messages([*asked, *answer], f"prompt and {name}")


def _answer_key(row: dict[str, Any]) -> str:
    given = [name for name in _ANSWERS if row.get(name)]
    if len(given) != 1:
        names = ", ".join(f'"{name}"' for name in given or _ANSWERS)
        raise FormatError(f"{names}: one of them must hold the answer, and only one")
    return given[0]


def _recognises(entry: Entry) -> bool:
    row = entry.value
    if not isinstance(row, dict) or not any(key in row for key in THUMB_KEYS) or has_keys(row, "chosen", "rejected"):
        return False
    is_turn = any(key in row for key in _ASKED) and any(key in row for key in _ANSWERS)
    return is_turn or any(isinstance(row.get(key), list) for key in _DIALOGUE_KEYS)


FORMAT = Format(
    name="kto",
    label="answers with a thumb, as for KTO",
    recognises=_recognises,
    keys=lambda row: _KEYS_OF_A_DIALOGUE if any(key in row for key in _DIALOGUE_KEYS) else _KEYS_OF_A_TURN,
    thumbs=thumbs,
)
