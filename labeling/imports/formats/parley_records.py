"""Parley's own records, as in an export in the records format; unknown fields are refused."""

from collections.abc import Iterator
from typing import Any, get_args

from labeling.imports.dates import moment_of
from labeling.imports.formats import DialogueOrPrompt, Format, has_keys
from labeling.imports.formats.keys import keys
from labeling.imports.formats.ranking_tiers import seconds_of
from labeling.imports.messages import FormatError, require_alternating, text_of
from labeling.imports.reader import Entry
from records import Completion, Demonstration, Prompt, Ranking, Thumb, decode
from records.types import Split

# Records are read strictly: decode refuses what it does not know.
_DIALOGUE_KEYS = keys(" ".join({*Demonstration.__dataclass_fields__, *Prompt.__dataclass_fields__}))
_RANKING_KEYS = keys(" ".join(Ranking.__dataclass_fields__))
_THUMB_KEYS = keys(" ".join(Thumb.__dataclass_fields__))
_EMPTY_WHERE = ": "
_SPLITS = get_args(Split)
# As the columns are long. A note has no longest; of ours, 5,000, personal data may have been replaced by longer words.
_MOST_CHARACTERS = {"ranked_at": 80, "trainer": 80, "abstained": 200, "note": 20_000}
_MOST_CHARACTERS_OF_THUMBS = {"id": 200, "given_at": 80, "trainer": 80}


def dialogues(entry: Entry) -> Iterator[DialogueOrPrompt]:
    cls: Any = Prompt if _is_prompt(entry.value) else Demonstration
    said = _decoded(cls, entry.value)
    require_alternating(said.messages)
    yield said


def rankings(entry: Entry) -> Iterator[Ranking]:
    ranking = _decoded(Ranking, entry.value)
    require_alternating(ranking.messages)
    _require_storable(ranking)
    yield ranking


def thumbs(entry: Entry) -> Iterator[Thumb]:
    thumb = _decoded(Thumb, entry.value)
    require_alternating(thumb.messages)
    _require_storable_completion(thumb.completion)
    _require_short(thumb, _MOST_CHARACTERS_OF_THUMBS)
    if thumb.reason is not None:
        text_of(thumb.reason, "reason", may_be_empty=True)
    if thumb.given_at is not None:
        moment_of(thumb.given_at, "given_at")
    yield thumb


def _require_storable(ranking: Ranking) -> None:
    for completion in ranking.completions:
        _require_storable_completion(completion)
    _require_short(ranking, _MOST_CHARACTERS)
    seconds_of(ranking.seconds, "seconds")
    if ranking.ranked_at is not None:
        moment_of(ranking.ranked_at, "ranked_at")


def _require_short(record: Ranking | Thumb, longest: dict[str, int]) -> None:
    for name, most in longest.items():
        value = getattr(record, name)
        if value is not None and len(value) > most:
            raise FormatError(f'"{name}" has more than {most} characters')


def _require_storable_completion(completion: Completion) -> None:
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
        raise FormatError(str(error).removeprefix(_EMPTY_WHERE)) from error


def _is_prompt(value: dict[str, Any]) -> bool:
    """Whether it is a prompt. A demonstration may also end with the user, but it has a trainer or guidelines."""
    messages = value["messages"] if isinstance(value["messages"], list) else []
    unanswered = bool(messages) and has_keys(messages[-1], "role") and messages[-1]["role"] == "user"
    return unanswered and not ("trainer" in value or "guideline_version" in value)


def _is_ranking(entry: Entry) -> bool:
    return has_keys(entry.value, "comparison_id", "messages", "completions")


def _is_thumb(entry: Entry) -> bool:
    return has_keys(entry.value, "id", "messages", "completion", "up")


def _has_messages(entry: Entry) -> bool:
    return has_keys(entry.value, "id", "messages") and isinstance(entry.value["id"], str)


def _is_dialogue(entry: Entry) -> bool:
    """Rows of other tools have ids too, and what the records format refuses (two messages of one role, content in
    parts, another split) they may say. So a row must have a field that only Parley writes.
    """
    value = entry.value
    if not _has_messages(entry):
        return False
    messages = value["messages"] if isinstance(value["messages"], list) else []
    has_mark = "trainer" in value or "guideline_version" in value or value.get("split") in _SPLITS
    return has_mark or any(isinstance(one, dict) and "authorship" in one for one in messages)


DIALOGUES = Format(
    name="records",
    label="Parley's demonstrations or prompts",
    recognises=_is_dialogue,
    accepts=_has_messages,
    keys=_DIALOGUE_KEYS,
    dialogues=dialogues,
)
RANKINGS = Format(
    name="records", label="Parley's rankings", recognises=_is_ranking, keys=_RANKING_KEYS, rankings=rankings
)
THUMBS = Format(name="records", label="Parley's thumbs", recognises=_is_thumb, keys=_THUMB_KEYS, thumbs=thumbs)
