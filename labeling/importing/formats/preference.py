"""trl preference pairs: {"prompt", "chosen", "rejected"}, or the last two with the prompt inside both; OpenAI's too.

Each is text or a list of {"role", "content"}. An implicit prompt is the longest beginning that both
share, in whole messages or in whole words. OpenAI says {"input": {"messages"}, "preferred_output",
"non_preferred_output"} for the same.
"""

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from labeling.importing.formats import Format, Said, has_keys
from labeling.importing.formats.chat import read_messages
from labeling.importing.formats.hh import is_transcript, pair, ranking_of_pair
from labeling.importing.formats.prompts import read_prompt
from labeling.importing.formats.verdicts import require_learnable
from labeling.importing.reading import Entry
from labeling.importing.speech import FormatError, text_of
from records import Demonstration, Message, Ranking

_OPENAI = ("input", "preferred_output", "non_preferred_output")


def rankings(entry: Entry) -> Iterator[Ranking]:
    value = _as_trl(entry.value)
    if isinstance(value["chosen"], list):
        yield _ranking_of_messages(value)
    elif value.get("prompt") is not None:
        prompt = read_prompt(value["prompt"], "prompt")
        yield ranking_of_pair(prompt, text_of(value["chosen"], "chosen"), text_of(value["rejected"], "rejected"))
    else:
        yield _ranking_of_texts(text_of(value["chosen"], "chosen"), text_of(value["rejected"], "rejected"))


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


def _ranking_of_messages(value: dict[str, Any]) -> Ranking:
    before = _messages_before(value)
    chosen, rejected = (_whole(before, value[name], name) for name in ("chosen", "rejected"))
    return pair(chosen, rejected)


def _messages_before(value: dict[str, Any]) -> list[Any]:
    """The explicit prompt as messages. Where chosen holds it already, it is not said twice."""
    prompt = value.get("prompt")
    if not isinstance(prompt, list):
        return []
    return [] if value["chosen"][: len(prompt)] == prompt else prompt


def _whole(before: list[Any], answer: Any, name: str) -> tuple[Message, ...]:
    if not isinstance(answer, list):
        raise FormatError('"chosen" and "rejected" must both be text or both be messages')
    return read_messages([*before, *answer], name)


def _ranking_of_texts(chosen: str, rejected: str) -> Ranking:
    num_shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(chosen, rejected, strict=False)))
    shared = chosen[: chosen.rfind(" ", 0, num_shared) + 1]
    if not shared.strip():
        raise FormatError('there is no "prompt", and chosen and rejected share no beginning that could be one')
    prompt = (Message(role="user", content=shared.strip()),)
    return ranking_of_pair(
        prompt, text_of(chosen[len(shared) :], "chosen"), text_of(rejected[len(shared) :], "rejected")
    )


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
