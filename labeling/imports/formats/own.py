"""Parley's own records, as an export in the records format holds them; read as strictly as everywhere."""

from collections.abc import Iterator
from typing import Any

from labeling.imports.dates import moment_of
from labeling.imports.formats import Format, Said, has_keys
from labeling.imports.formats.orders import seconds_of
from labeling.imports.messages import FormatError, require_turns, text_of
from labeling.imports.reader import Entry
from records import Completion, Demonstration, Message, Prompt, Ranking, decode

_SPLIT = ": "
_LONGEST = {"ranked_at": 80, "trainer": 80, "abstained": 200}  # characters, as the columns have them


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
        _require_keepable_completion(completion)
    for name, longest in _LONGEST.items():
        value = getattr(ranking, name)
        if value is not None and len(value) > longest:
            raise FormatError(f'"{name}" has more than {longest} characters')
    seconds_of(ranking.seconds, "seconds")
    if ranking.ranked_at is not None:
        moment_of(ranking.ranked_at, "ranked_at")


def _require_keepable_completion(completion: Completion) -> None:
    text_of(completion.content, "content", may_be_empty=True)
    if not 0 <= (completion.num_tokens or 0) < 2**31:
        raise FormatError(f'"num_tokens" cannot be {completion.num_tokens}')
    sampling = completion.sampling
    if sampling and max(abs(sampling.seed), sampling.top_k, sampling.max_new_tokens) >= 2**63:
        raise FormatError('"sampling" has a whole number beyond 64 bits')


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
