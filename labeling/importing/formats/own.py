"""Parley's own records, as an export in the records format holds them; read as strictly as everywhere."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from labeling.importing.formats import Format, Said, has_keys
from labeling.importing.reading import Entry
from labeling.importing.speech import FormatError, require_turns, text_of
from records import Demonstration, Message, Prompt, Ranking, decode

_SPLIT = ": "


def dialogues(entry: Entry) -> Iterator[Said]:
    cls: Any = Prompt if _is_prompt(entry.value) else Demonstration
    said = _decoded(cls, entry.value)
    require_turns(said.messages)
    yield said


def rankings(entry: Entry) -> Iterator[Ranking]:
    ranking = _decoded(Ranking, entry.value)
    require_turns(ranking.messages)
    _require_keepable(ranking)
    yield ranking


def _require_keepable(ranking: Ranking) -> None:
    for completion in ranking.completions:
        text_of(completion.content, "content", may_be_empty=True)
        if not 0 <= (completion.num_tokens or 0) < 2**31:
            raise FormatError(f'"num_tokens" cannot be {completion.num_tokens}')
    for name, value in (("ranked_at", ranking.ranked_at), ("trainer", ranking.trainer)):
        if value is not None and len(value) > 80:
            raise FormatError(f'"{name}" has more than 80 characters')
    try:
        datetime.fromisoformat(ranking.ranked_at or "2000-01-01")
    except ValueError as error:
        raise FormatError(f'"ranked_at" is no date and time: {ranking.ranked_at}') from error


def _decoded(cls: Any, value: Any) -> Any:
    try:
        return decode(cls, value, where="")
    except ValueError as error:
        raise FormatError(str(error).removeprefix(_SPLIT)) from error


def _is_prompt(value: dict[str, Any]) -> bool:
    """Both end with a user's message at times; then only a demonstration says who wrote it, and under what."""
    messages = value["messages"] if isinstance(value["messages"], list) else []
    unanswered = bool(messages) and has_keys(messages[-1], "role") and messages[-1]["role"] == "user"
    return unanswered and not ("trainer" in value or "guideline_version" in value)


def _is_ranking(entry: Entry) -> bool:
    return has_keys(entry.value, "comparison_id", "messages", "completions")


def _is_dialogue(entry: Entry) -> bool:
    value = entry.value
    if not has_keys(value, "id", "messages") or not isinstance(value["id"], str):
        return False
    known = set(Demonstration.__dataclass_fields__) | set(Prompt.__dataclass_fields__)
    messages = value["messages"] if isinstance(value["messages"], list) else []
    return set(value) <= known and all(
        isinstance(message, dict) and set(message) <= set(Message.__dataclass_fields__) for message in messages
    )


SAID = Format(name="records", label="Parley's demonstrations or prompts", recognises=_is_dialogue, dialogues=dialogues)
RANKINGS = Format(name="records", label="Parley's rankings", recognises=_is_ranking, rankings=rankings)
