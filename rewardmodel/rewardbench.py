"""Pairs as RewardBench and its like publish them, `prompt, chosen, rejected`, read as rankings of two.

https://huggingface.co/datasets/allenai/reward-bench: texts in all three; `subset` is kept as the topic.
A prompt may also be a list of messages, and chosen and rejected the answer as one message.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from records import Completion, Message, Ranking, RecordError, decode
from records.lines import read_json_lines

FIELDS = ("prompt", "chosen", "rejected")


def holds_pairs(path: Path) -> bool:
    """Whether the first record of a .jsonl file is a pair and no ranking."""
    first = next(iter(read_json_lines(path)), None)
    return first is not None and isinstance(first[1], dict) and set(FIELDS) <= set(first[1])


def read_pairs(path: Path) -> Iterator[tuple[str, Ranking]]:
    """Where each pair stands, and it as a ranking without a trainer. RecordError names file, line and field."""
    for number, values in read_json_lines(path):
        where = f"{path.name}:{number}"
        if not isinstance(values, dict):
            raise RecordError(f"{where}: expected an object with prompt, chosen and rejected")
        identifier = f"pair-{number}"
        chosen, rejected = (_answer(values, name, where) for name in FIELDS[1:])
        yield where, _ranking(identifier, _prompt(values, where), chosen, rejected, values.get("subset"), where)


def _ranking(
    identifier: str, messages: tuple[Message, ...], chosen: str, rejected: str, subset: Any, where: str
) -> Ranking:
    ids = (f"{identifier}-chosen", f"{identifier}-rejected")
    try:
        return Ranking(
            id=identifier,
            comparison_id=identifier,
            messages=messages,
            completions=(Completion(id=ids[0], content=chosen), Completion(id=ids[1], content=rejected)),
            tiers=((ids[0],), (ids[1],)),
            topic=None if subset is None else str(subset),
        )
    except ValueError as error:
        raise RecordError(f"{where}: {error}") from error


def _prompt(values: dict[str, Any], where: str) -> tuple[Message, ...]:
    prompt = values.get("prompt")
    if isinstance(prompt, str):
        return (Message(role="user", content=prompt),)
    if not isinstance(prompt, list) or not prompt:
        raise RecordError(f'{where}: "prompt" must be a text or a list of messages')
    return tuple(_message(member, where) for member in prompt)


def _answer(values: dict[str, Any], name: str, where: str) -> str:
    answer = values.get(name)
    if isinstance(answer, list) and len(answer) == 1:
        return _message(answer[0], where).content
    if not isinstance(answer, str):
        raise RecordError(f'{where}: "{name}" must be a text, or a list of one message')
    return answer


def _message(value: Any, where: str) -> Message:
    if not isinstance(value, dict) or not isinstance(value.get("content"), str):
        raise RecordError(f'{where}: a message must be an object with "role" and "content"')
    message: Message = decode(Message, {"role": value.get("role"), "content": value["content"]}, where=where)
    return message
