"""trl preference pairs: {"prompt", "chosen", "rejected"}, or the last two as messages with the prompt inside both.

Each is text or a list of {"role", "content"}; other tools call the prompt "instruction" or "question" (asked.py).
Two texts without a prompt are refused: where in them the answer begins, nobody can tell from the letters they
share. OpenAI says {"input": {"messages"}, "preferred_output", "non_preferred_output"} for the same.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from labeling.imports.formats import Format, Said, has_keys
from labeling.imports.formats.asked import NO_PROMPT, asked_in
from labeling.imports.formats.chat import read_messages
from labeling.imports.formats.hh import is_transcript, pair, ranking_of_pair
from labeling.imports.formats.prompts import read_prompt
from labeling.imports.formats.verdicts import require_learnable
from labeling.imports.messages import FormatError, text_of
from labeling.imports.reader import Entry
from records import Demonstration, Message, Ranking

_OPENAI = ("input", "preferred_output", "non_preferred_output")


def rankings(entry: Entry) -> Iterator[Ranking]:
    value = _as_trl(entry.value)
    before = asked_in(value)
    is_asked = any(_role(message) != "system" for message in before)
    chosen, rejected = (value[name] if is_asked else _messages_in(value[name]) for name in ("chosen", "rejected"))
    if isinstance(chosen, list):
        is_given = isinstance(value.get("prompt"), list)
        whole = _whole(before, chosen, is_given=is_given), _whole(before, rejected, is_given=is_given)
        yield pair(read_messages(whole[0], "chosen"), read_messages(whole[1], "rejected"))
    elif is_asked:
        prompt = read_prompt(before, "prompt")
        yield ranking_of_pair(prompt, text_of(chosen, "chosen"), text_of(rejected, "rejected"))
    else:
        text_of(chosen, "chosen"), text_of(rejected, "rejected")
        raise FormatError(NO_PROMPT)


def dialogues(entry: Entry) -> Iterator[Said]:
    """The prompt with the answer that was chosen."""
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
    """A text may be JSON: messages in a table that holds texts alone."""
    if not isinstance(answer, str) or answer.lstrip()[:1] not in ("{", "["):
        return answer
    try:
        read = orjson.loads(answer)
    except ValueError:
        return answer
    messages = read.get("messages") if isinstance(read, dict) else read
    return messages if isinstance(messages, list) else answer


def _whole(before: list[Any], answers: Any, *, is_given: bool) -> list[Any]:
    """All messages up to and with the answer. Where the answer's own hold what was asked, it is not said twice.

    `is_given` is a prompt that came as messages: the answer's may go on from it, with the user again.
    """
    if not isinstance(answers, list):
        raise FormatError('"chosen" and "rejected" must both be text or both be messages')
    system = before[:1] if before and _role(before[0]) == "system" else []
    asked = before[len(system) :]
    if system and answers[:1] and _role(answers[0]) == "system":
        if _content(answers[0]) != _content(system[0]):
            raise FormatError('"chosen" or "rejected" has a system message other than the one beside it; leave one')
        answers = answers[1:]
    holds = list(map(_spoken, answers[: len(asked)])) == list(map(_spoken, asked))
    if not holds and not is_given and answers and _role(answers[0]) != "assistant":
        _require_held(asked[-1], answers)
        holds = True
    return [*system, *answers] if holds else [*before, *answers]


def _require_held(asked: Any, answers: list[Any]) -> None:
    """A prompt beside whole dialogues may be a part of them or, as a template filled in, hold a part of them."""
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


def _spoken(message: Any) -> tuple[str, Any]:
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
    dialogues=dialogues,
    rankings=rankings,
)
