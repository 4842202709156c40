"""Prompts without answers: MT-bench {"turns": [first, second], "category"}, or {"prompt"} as text or messages.

Only the first turn is kept: the second refers to an answer that does not exist yet.
"""

from collections.abc import Iterator

from labeling.imports.formats import DialogueOrPrompt, Format, has_keys
from labeling.imports.formats.chat import MESSAGE
from labeling.imports.formats.keys import keys
from labeling.imports.formats.prompts import read_prompt
from labeling.imports.messages import FormatError, label_of, list_of, text_of
from labeling.imports.reader import Entry
from records import Message, Prompt

KEYS = keys("turns category", passed_over="question_id reference", inside={"prompt": MESSAGE})


def dialogues(entry: Entry) -> Iterator[DialogueOrPrompt]:
    value = entry.value
    if "turns" in value:
        turns = list_of(value["turns"], "turns")
        if not turns:
            raise FormatError('"turns" is empty')
        messages: tuple[Message, ...] = (Message(role="user", content=text_of(turns[0], "turns[0]")),)
    else:
        messages = read_prompt(value["prompt"], "prompt")
    yield Prompt(id="", messages=messages, topic=label_of(value.get("category"), "category"))


def _recognises(entry: Entry) -> bool:
    value = entry.value
    return has_keys(value, "turns") or (has_keys(value, "prompt") and isinstance(value["prompt"], str | list))


FORMAT = Format(
    name="questions", label="questions without answers", recognises=_recognises, keys=KEYS, dialogues=dialogues
)
