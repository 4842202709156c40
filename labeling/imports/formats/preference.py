"""trl preference pairs: {"prompt", "chosen", "rejected"}, or the last two as messages that include the prompt.

Each is text or a list of {"role", "content"}; prompts.py reads other names of the prompt, pair_orders.py a tie. Two
texts without a prompt are refused: a shared beginning does not tell where the answer starts. OpenAI's form is {"input":
{"messages"}, "preferred_output", "non_preferred_output"}, LLaMA-Factory's {"conversations" or "messages"} beside one
message each.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from labeling.imports.formats import DialogueOrPrompt, Format, has_keys, pair_orders, prompts
from labeling.imports.formats.chat import MESSAGE, read_messages
from labeling.imports.formats.hh import is_transcript, pair, ranking_of_pair
from labeling.imports.formats.keys import Keys, keys
from labeling.imports.formats.pair_orders import pair_is_tied, require_better
from labeling.imports.formats.prompts import NO_PROMPT, prompt_messages_of, read_prompt
from labeling.imports.formats.verdicts import MESSAGE_KEYS, require_learnable
from labeling.imports.messages import FormatError, list_of, text_of
from labeling.imports.reader import Entry
from records import Demonstration, Message, Ranking

_OPENAI = ("input", "preferred_output", "non_preferred_output")

_TURN = keys(f"from value role content {MESSAGE_KEYS}", passed_over="name")
KEYS = keys(f"{prompts.KEPT} {pair_orders.KEPT}", inside=dict.fromkeys(("prompt", "chosen", "rejected"), MESSAGE))
_OPENAI_KEYS = keys(
    inside={"input": keys(inside={"messages": MESSAGE}), **dict.fromkeys(_OPENAI[1:], MESSAGE)},
)
_TURNS_KEYS = keys(
    f"system system_prompt {pair_orders.KEPT}",
    inside=dict.fromkeys(("conversations", "messages", "chosen", "rejected"), _TURN),
)


def rankings(entry: Entry) -> Iterator[Ranking]:
    value = _as_trl(entry.value)
    before = prompt_messages_of(value)
    is_asked = any(_role(message) != "system" for message in before)
    is_tied = pair_is_tied(entry.value)
    chosen, rejected = (value[name] if is_asked else _messages_in(value[name]) for name in ("chosen", "rejected"))
    if isinstance(chosen, list):
        is_given = isinstance(value.get("prompt"), list)
        whole = _whole_dialogue(before, chosen, is_given=is_given), _whole_dialogue(before, rejected, is_given=is_given)
        yield pair(read_messages(whole[0], "chosen"), read_messages(whole[1], "rejected"), is_tied=is_tied)
    elif is_asked:
        prompt = read_prompt(before, "prompt")
        yield ranking_of_pair(prompt, text_of(chosen, "chosen"), text_of(rejected, "rejected"), is_tied=is_tied)
    else:
        text_of(chosen, "chosen"), text_of(rejected, "rejected")
        raise FormatError(NO_PROMPT)


def dialogues(entry: Entry) -> Iterator[DialogueOrPrompt]:
    """The prompt with the chosen answer."""
    require_learnable(entry.value)
    require_better(entry.value)
    for ranking in rankings(entry):
        chosen = next(completion.content for completion in ranking.completions if completion.id == "chosen")
        yield Demonstration(id="", messages=(*ranking.messages, Message(role="assistant", content=chosen)))


def _as_trl(value: dict[str, Any]) -> dict[str, Any]:
    if has_keys(value, *_OPENAI):
        asked = value["input"]
        messages = asked.get("messages") if isinstance(asked, dict) else None
        if not isinstance(messages, list):
            raise FormatError('"input" must be an object with "messages"')
        return {"prompt": messages, "chosen": value["preferred_output"], "rejected": value["non_preferred_output"]}
    if (turns := _turns_name(value)) is not None:
        answers: dict[str, Any] = {name: [_from_turn(value[name])] for name in ("chosen", "rejected")}
        asked = [_from_turn(turn) for turn in list_of(value[turns], turns)]
        return {**value, **answers, "prompt": asked}
    return value


def _turns_name(value: dict[str, Any]) -> str | None:
    """The list of earlier turns beside two single messages, as LLaMA-Factory has them; else None."""
    if not all(isinstance(value.get(name), dict) for name in ("chosen", "rejected")):
        return None
    return next((name for name in ("conversations", "messages") if isinstance(value.get(name), list)), None)


def _from_turn(turn: Any) -> Any:
    """A turn of ShareGPT as a chat message; a chat message as it is."""
    if not has_keys(turn, "from", "value"):
        return turn
    return {
        **{key: turn[key] for key in turn.keys() - {"from", "value"}},
        "role": turn["from"],
        "content": turn["value"],
    }


def _keys_of(row: dict[str, Any]) -> Keys:
    if has_keys(row, *_OPENAI):
        return _OPENAI_KEYS
    return KEYS if _turns_name(row) is None else _TURNS_KEYS


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
    keys=_keys_of,
    dialogues=dialogues,
    rankings=rankings,
)
