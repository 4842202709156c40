"""Two answers by their sides, and which of them was preferred: LMSYS arena battles, SHP, PKU-SafeRLHF, WebGPT,
HelpSteer 3, and {"prompt", "response_a", "response_b", "preference"} in its many spellings.

A number means the side that its own columns are numbered by, and where they are lettered it means nothing. A tie of two
bad answers puts both below the line of acceptability.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson

from labeling.imports.dates import moment_of_seconds
from labeling.imports.formats import DialogueOrPrompt, Format, prompts
from labeling.imports.formats.chat import MESSAGE, read_messages
from labeling.imports.formats.hh import pair as pair_of
from labeling.imports.formats.keys import keys, says_nothing
from labeling.imports.formats.pair_orders import is_tie_word
from labeling.imports.formats.prompts import prompt_of, read_prompt
from labeling.imports.formats.ranking_tiers import number_of, ranking_of, trainer_name
from labeling.imports.formats.verdicts import require_learnable
from labeling.imports.messages import FormatError, json_type_of, label_of, optional_text, text_of
from labeling.imports.reader import Entry
from records import Completion, Demonstration, Message, Ranking, Rating

_ANSWERS = ("response", "answer", "completion", "output", "conversation", "human_ref")
_SUFFIXES = (("_a", "_b"), ("_A", "_B"), ("_0", "_1"), ("_1", "_2"), ("0", "1"), ("1", "2"))
_WORDS = ("winner", "preference", "preferred", "choice", "verdict", "label", "better", "better_response_id")
_FLAGS = ("winner_model_a", "winner_model_b", "winner_tie")  # 1 in one of them, 0 in the others
# HelpSteer 3: −3, the first is much better, −2 better, −1 slightly better, 0 the same, to 3. So its size is a strength.
_SIGNED = "overall_preference"
_SHP = "labels"  # 1, A has more votes; 0, B has
_PEOPLE = ("judge", "annotator", "annotator_id", "worker", "user_id")
_SCORES = ("score", "rating", "reward")


def _by_sides(*names: str) -> str:
    """The names with every suffix that tells one side from the other, as words."""
    return " ".join(f"{name}{suffix}" for name in names for pair in _SUFFIXES for suffix in pair)


_SIDE_KEYS = _by_sides(*_ANSWERS, *_SCORES, "model")
_SAFE = ("is_response_0_safe", "is_response_1_safe")
_JUDGEMENT = " ".join((*_WORDS, *_FLAGS, _SIGNED, _SHP, *_PEOPLE, *_SAFE))
KEYS = keys(
    f"{prompts.KEPT} {_SIDE_KEYS} {_JUDGEMENT} tstamp source topic category domain",
    passed_over=f"{_by_sides('tokens', 'quotes')} question_id turn anony openai_moderation toxic_chat_tag "
    "conversation_id seconds_difference score_ratio post_id upvote_ratio c_root_id_A c_root_id_B created_at_utc_A "
    "created_at_utc_B individual_preference prompt_source safer_response_id response_0_source response_1_source "
    "response_0_harm_category response_1_harm_category response_0_severity_level response_1_severity_level "
    "response_0_sha256 response_1_sha256",
    inside={"context": MESSAGE, "prompt": MESSAGE},
)


def rankings(entry: Entry) -> Iterator[Ranking]:
    row = entry.value
    first, second = _sides(row)
    order = _order(row, first, second)
    fields: dict[str, Any] = {
        "trainer": trainer_name(next((row[name] for name in _PEOPLE if not says_nothing(row.get(name))), None)),
        "topic": label_of(row.get("topic") or row.get("category") or row.get("domain"), "topic"),
        "source": label_of(row.get("source"), "source"),
        "ranked_at": _moment(row.get("tstamp")),
    }
    completions, prompt = _completions_and_prompt(row, first, second)
    ranking = ranking_of(prompt, list(zip(completions, order, strict=True)), ratings=_safety(row), **fields)
    ranking = replace(ranking, strengths=_strengths(row))
    yield replace(ranking, unacceptable_from=0) if _both_are_bad(row) else ranking


def dialogues(entry: Entry) -> Iterator[DialogueOrPrompt]:
    """The prompt with the preferred answer. Raises FormatError for a tie."""
    for ranking in rankings(entry):
        if len(ranking.tiers) == 1:
            raise FormatError("the two answers are a tie, so neither is a demonstration; import it as a ranking")
        require_learnable({key: value for key, value in entry.value.items() if key not in KEYS.kept})
        if any(one.completion_id == ranking.tiers[0][0] and not one.flags["safe"] for one in ranking.ratings):
            raise FormatError("the preferred answer is marked as not safe, so it is no demonstration")
        best = next(one.content for one in ranking.completions if one.id == ranking.tiers[0][0])
        yield Demonstration(id="", messages=(*ranking.messages, Message(role="assistant", content=best)))


def _sides(row: dict[str, Any]) -> tuple[str, str]:
    """The names of the columns with the two answers."""
    found = _sides_in(row)
    assert found is not None  # else the row would not be recognised
    return found


def _sides_in(row: dict[str, Any]) -> tuple[str, str] | None:
    for word in _ANSWERS:
        for first, second in _SUFFIXES:
            if f"{word}{first}" in row and f"{word}{second}" in row:
                return f"{word}{first}", f"{word}{second}"
    return None


def _suffix(name: str) -> str:
    return name[len(next(word for word in _ANSWERS if name.startswith(word))) :]


def _order(row: dict[str, Any], first: str, second: str) -> tuple[float, float]:
    """The places of the two, 0 the better; the same for a tie. Raises FormatError."""
    verdicts = [
        *(_by_word(row, name, first, second) for name in _WORDS if not says_nothing(row.get(name))),
        *_by_flags(row),
        *_by_sign(row),
        *_by_shp(row, first),
    ]
    verdicts = verdicts or list(_by_scores(row, first, second))
    if not verdicts:
        raise FormatError(f'nothing says which of "{first}" and "{second}" was preferred')
    if len(set(verdicts)) > 1:
        raise FormatError("two of its columns say different things about which answer was preferred")
    return verdicts[0]


def _by_word(row: dict[str, Any], name: str, first: str, second: str) -> tuple[float, float]:
    value = row[name]
    if is_tie_word(value):
        return 0.0, 0.0
    said = str(value).strip().lower() if isinstance(value, str | int) else ""
    for side, place in ((first, (0.0, 1.0)), (second, (1.0, 0.0))):
        suffix = _suffix(side)
        number_or_letter = suffix.strip("_").lower()
        if said in (side.lower(), f"model{suffix}".lower(), f"assistant{suffix}".lower(), number_or_letter):
            return place
        if not says_nothing(row.get(f"model{suffix}")) and value == row[f"model{suffix}"]:
            return place
    raise FormatError(f'"{name}" is {value!r:.40}, which does not say whether "{first}" or "{second}" was preferred')


def _by_flags(row: dict[str, Any]) -> Iterator[tuple[float, float]]:
    given = [row.get(name) for name in _FLAGS]
    if all(value is None for value in given):
        return
    chosen = [value in (1, "1", True) for value in given]
    if sum(chosen) != 1:
        raise FormatError(f"exactly one of {', '.join(_FLAGS)} must be 1")
    yield ((0.0, 1.0), (1.0, 0.0), (0.0, 0.0))[chosen.index(True)]


def _by_sign(row: dict[str, Any]) -> Iterator[tuple[float, float]]:
    if row.get(_SIGNED) is not None:
        preference = number_of(row[_SIGNED], _SIGNED)
        yield (0.0, 0.0) if preference == 0 else (0.0, 1.0) if preference < 0 else (1.0, 0.0)


def _strengths(row: dict[str, Any]) -> tuple[int, ...]:
    """How much better the preferred one is, where the row says so in three steps."""
    preference = 0.0 if row.get(_SIGNED) is None else abs(number_of(row[_SIGNED], _SIGNED))
    return (int(preference),) if preference in (1, 2, 3) else ()


def _by_shp(row: dict[str, Any], first: str) -> Iterator[tuple[float, float]]:
    if row.get(_SHP) is None:
        return
    if not first.startswith("human_ref") or row[_SHP] not in (0, 1):
        raise FormatError(f'"{_SHP}" is {row[_SHP]!r:.40}, which does not say which answer was preferred')
    yield (0.0, 1.0) if row[_SHP] == 1 else (1.0, 0.0)


def _by_scores(row: dict[str, Any], first: str, second: str) -> Iterator[tuple[float, float]]:
    for word in _SCORES:
        names = [f"{word}{_suffix(side)}" for side in (first, second)]
        if all(row.get(name) is not None for name in names):
            ours, other = (number_of(row[name], name) for name in names)
            yield (0.0, 0.0) if ours == other else (0.0, 1.0) if ours > other else (1.0, 0.0)


def _completions_and_prompt(
    row: dict[str, Any], first: str, second: str
) -> tuple[tuple[Completion, ...], tuple[Message, ...]]:
    said = [_unpacked(row[side]) for side in (first, second)]
    models = [optional_text(row.get(f"model{_suffix(side)}"), "model") for side in (first, second)]
    if all(isinstance(one, list) for one in said):
        whole = [
            _dialogue(one, _unpacked(row.get("prompt")), side) for one, side in zip(said, (first, second), strict=True)
        ]
        both = pair_of(whole[0], whole[1], is_tied=False)
        prompt, texts = both.messages, [one.content for one in both.completions]
    else:
        prompt, texts = _prompt(row), [text_of(one, side) for one, side in zip(said, (first, second), strict=True)]
    return tuple(
        Completion(id=side, content=text, policy=model)
        for side, text, model in zip((first, second), texts, models, strict=True)
    ), prompt


def _dialogue(said: list[Any], asked: Any, side: str) -> tuple[Message, ...]:
    """A whole conversation as messages, or answers in turn beside a list of what was asked."""
    if all(isinstance(one, str) for one in said) and isinstance(asked, list) and len(asked) == len(said):
        turns = [
            {"role": role, "content": text}
            for question, answer in zip(asked, said, strict=True)
            for role, text in (("user", question), ("assistant", answer))
        ]
        return read_messages(turns, side)
    return read_messages(said, side)


def _unpacked(value: Any) -> Any:
    """A list that a table keeps as text of JSON; anything else as it is."""
    if isinstance(value, str) and value.startswith("[") and value.endswith("]"):
        try:
            read = orjson.loads(value)
        except ValueError:
            return value
        return read if isinstance(read, list) and read else value
    return value


def _prompt(row: dict[str, Any]) -> tuple[Message, ...]:
    if isinstance(row.get("context"), list):
        return read_prompt(row["context"], "context")
    if isinstance(row.get("history"), str):  # SHP's whole post
        return read_prompt(row["history"], "history")
    if isinstance(row.get("question"), dict):  # WebGPT's
        return read_prompt(row["question"].get("full_text"), "question.full_text")
    return prompt_of(row)


def _safety(row: dict[str, Any]) -> tuple[Rating, ...]:
    """PKU-SafeRLHF's other judgement: whether each answer is safe."""
    found = []
    for side in ("response_0", "response_1"):
        safe = row.get(f"is_{side}_safe")
        if safe is not None and side in row:
            if not isinstance(safe, bool):
                raise FormatError(f'"is_{side}_safe" must be true or false, not {json_type_of(safe)}')
            found.append(Rating(completion_id=side, flags={"safe": safe}))
    return tuple(found)


def _both_are_bad(row: dict[str, Any]) -> bool:
    return any("bothbad" in "".join(filter(str.isalnum, str(row.get(name)).lower())) for name in _WORDS)


def _moment(seconds: Any) -> str | None:
    """A time in seconds since 1970, as the arena gives it."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return None
    return moment_of_seconds(seconds, "tstamp")


def _recognises(entry: Entry) -> bool:
    row = entry.value
    if not isinstance(row, dict) or (sides := _sides_in(row)) is None:
        return False
    if any(name in row for name in (*_WORDS, *_FLAGS, _SIGNED, _SHP)):
        return True
    return any(all(f"{word}{_suffix(side)}" in row for side in sides) for word in _SCORES)


FORMAT = Format(
    name="judged-pairs",
    label="two answers and which was preferred, as in arena battles",
    recognises=_recognises,
    keys=KEYS,
    dialogues=dialogues,
    rankings=rankings,
)
