"""trl preference pairs: {"prompt", "chosen", "rejected"}, or the last two as messages that include the prompt.

Each is text or a list of {"role", "content"}; preference_prompts.py reads other names of the prompt. Two texts without
a prompt are refused: a shared beginning does not tell where the answer starts. OpenAI's form is {"input": {"messages"},
"preferred_output", "non_preferred_output"}.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from labeling.imports.formats import DialogueOrPrompt, Format, has_keys
from labeling.imports.formats.chat import MESSAGE, read_messages
from labeling.imports.formats.hh import is_transcript, pair, ranking_of_pair
from labeling.imports.formats.keys import keys
from labeling.imports.formats.preference_prompts import NO_PROMPT, prompt_messages_of
from labeling.imports.formats.prompts import read_prompt
from labeling.imports.formats.verdicts import require_learnable
from labeling.imports.messages import FormatError, text_of
from labeling.imports.reader import Entry
from records import Demonstration, Message, Ranking

_OPENAI = ("input", "preferred_output", "non_preferred_output")

KEYS = keys(
    "instruction question query input context system system_prompt history",
    inside={"prompt": MESSAGE, "chosen": MESSAGE, "rejected": MESSAGE},
)
_OPENAI_KEYS = keys(
    inside={
        "input": keys(inside={"messages": MESSAGE}),
        "preferred_output": MESSAGE,
        "non_preferred_output": MESSAGE,
    }
)


def rankings(entry: Entry) -> Iterator[Ranking]:
    value = _as_trl(entry.value)
    before = prompt_messages_of(value)
    is_asked = any(_role(message) != "system" for message in before)
    chosen, rejected = (value[name] if is_asked else _messages_in(value[name]) for name in ("chosen", "rejected"))
    if isinstance(chosen, list):
        is_given = isinstance(value.get("prompt"), list)
        whole = _whole_dialogue(before, chosen, is_given=is_given), _whole_dialogue(before, rejected, is_given=is_given)
        yield pair(read_messages(whole[0], "chosen"), read_messages(whole[1], "rejected"))
    elif is_asked:
        prompt = read_prompt(before, "prompt")
        yield ranking_of_pair(prompt, text_of(chosen, "chosen"), text_of(rejected, "rejected"))
    else:
        text_of(chosen, "chosen"), text_of(rejected, "rejected")
        raise FormatError(NO_PROMPT)


def dialogues(entry: Entry) -> Iterator[DialogueOrPrompt]:
    """The prompt with the chosen answer."""
    require_learnable(entry.value)
    for ranking in rankings(entry):
        chosen = next(completion.content for completion in ranking.completions if completion.id == "chosen")
        yield Demonstration(id="", messages=(*ranking.messages, Message(role="assistant", content=chosen)))


def _as_trl(value: dict[str, Any]) -> dict[str, Any]:
    if not has_keys(value, *_OPENAI):
        return value
    asked = value["input"]
    messages = asked.get("messages") if isinstance(asked, dict) else None
    if not isinstance(messages, list):
        raise FormatError('"input" must be an object with "messages"')
    return {"prompt": messages, "chosen": value["preferred_output"], "rejected": value["non_preferred_output"]}


def _messages_in(answer: Any) -> Any:
    """The messages of an answer that is JSON in a text, as in tables of texts; any other answer as it is."""
    if not isinstance(answer, str) or answer.lstrip()[:1] not in ("{", "["):
        return answer
    try:
        read = orjson.loads(answer)
    except ValueError:
        return answer
    messages = read.get("messages") if isinstance(read, dict) else read
    return messages if isinstance(messages, list) else answer


def _whole_dialogue(before: list[Any], answers: Any, *, is_given: bool) -> list[Any]:
    """All messages up to and including the answer. A prompt that the answer's messages repeat is not added twice.

    `is_given` says that the prompt came as messages: then the answer may continue it, with another turn of the user.
    """
    if not isinstance(answers, list):
        raise FormatError('"chosen" and "rejected" must both be text or both be messages')
    system = before[:1] if before and _role(before[0]) == "system" else []
    asked = before[len(system) :]
    if system and answers[:1] and _role(answers[0]) == "system":
        if _content(answers[0]) != _content(system[0]):
            raise FormatError('"chosen" or "rejected" has a system message other than the one beside it; leave one')
        answers = answers[1:]
    holds = list(map(_role_and_content, answers[: len(asked)])) == list(map(_role_and_content, asked))
    if not holds and not is_given and answers and _role(answers[0]) != "assistant":
        _require_overlap(asked[-1], answers)
        holds = True
    return [*system, *answers] if holds else [*before, *answers]


def _require_overlap(asked: Any, answers: list[Any]) -> None:
    """A prompt beside whole dialogues must be a part of a message or, as a filled-in template, contain one."""
    wanted = _content(asked).strip()
    said = [_content(message).strip() for message in answers if _role(message) != "assistant"]
    if not any(one and (one in wanted or wanted in one) for one in said):
        raise FormatError("the prompt says something else than the messages of chosen and rejected; leave one")


def _role(message: Any) -> str:
    role = message.get("role") if isinstance(message, dict) else None
    return role.lower() if isinstance(role, str) else ""


def _content(message: Any) -> str:
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, str) else ""


def _role_and_content(message: Any) -> tuple[str, Any]:
    return _role(message), message.get("content") if isinstance(message, dict) else message


def _recognises(entry: Entry) -> bool:
    value = entry.value
    if has_keys(value, *_OPENAI):
        return True
    whole = has_keys(value, "chosen", "rejected") and is_transcript(value["chosen"]) and value.get("prompt") is None
    return has_keys(value, "chosen", "rejected") and not whole


FORMAT = Format(
    name="trl",
    label="trl preference pairs",
    recognises=_recognises,
    keys=lambda row: _OPENAI_KEYS if has_keys(row, *_OPENAI) else KEYS,
    dialogues=dialogues,
    rankings=rankings,
)
