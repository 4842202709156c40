"""Two answers and the votes of several people: {"prompt", "x", "y", "votes": [{"worker", "winner"}]}, as in LLMFAO.

Each vote is a ranking of its own trainer, so that how far people agree is known afterwards. A row is taken as a whole:
if one of its votes cannot be read, none is.
"""

from collections.abc import Iterator
from typing import Any

from labeling.imports.formats import Format, prompts
from labeling.imports.formats.keys import Keys, keys, says_nothing
from labeling.imports.formats.pair_orders import is_tie_word
from labeling.imports.formats.prompts import prompt_of
from labeling.imports.formats.ranking_tiers import ranking_of, trainer_name
from labeling.imports.messages import FormatError, json_type_of, label_of, list_of, optional_text, text_of
from labeling.imports.reader import Entry
from records import Completion, Ranking

_SIDES = (("x", "y"), ("response_a", "response_b"), ("answer_a", "answer_b"), ("completion_a", "completion_b"))
_PEOPLE = ("worker", "annotator", "trainer", "judge", "user_id")
_CHOICES = ("winner", "vote", "preference", "choice")
_VOTE: Keys = keys(f"{' '.join(_PEOPLE)} {' '.join(_CHOICES)}")
_SIDE_KEYS = " ".join(f"{side} model_{side[-1]}" for pair in _SIDES for side in pair)
KEYS = keys(f"{prompts.KEPT} {_SIDE_KEYS} topic category source", inside={"votes": _VOTE})
_MOST_VOTES = 1000  # of one pair


def rankings(entry: Entry) -> Iterator[Ranking]:
    """One a vote."""
    row = entry.value
    sides = next(pair for pair in _SIDES if all(side in row for side in pair))
    completions = [_completion(row, side) for side in sides]
    prompt = prompt_of(row)
    fields = {
        "topic": label_of(row.get("topic") or row.get("category"), "topic"),
        "source": label_of(row.get("source"), "source"),
    }
    votes = list_of(row["votes"], "votes")
    if not votes:
        raise FormatError('"votes" is empty, so nothing says which answer was preferred')
    if len(votes) > _MOST_VOTES:
        raise FormatError(f'"votes" has {len(votes):,} votes on one pair; at most {_MOST_VOTES:,} can be kept')
    seen: set[str] = set()
    found = []
    for number, vote in enumerate(votes):
        where = f"votes[{number}]"
        person, places = _person(vote, where), _places(vote, sides, where)
        if person in seen:
            raise FormatError(f'"{where}": {person} voted on this pair before; one person has one vote on it')
        seen.add(person)
        found.append(ranking_of(prompt, list(zip(completions, places, strict=True)), trainer=person, **fields))
    yield from found


def _completion(row: dict[str, Any], side: str) -> Completion:
    model = f"model_{side[-1]}"
    return Completion(id=side, content=text_of(row[side], side), policy=optional_text(row.get(model), model))


def _person(vote: Any, where: str) -> str:
    """Who voted. Without a name votes of several people could not be told from those of one."""
    if not isinstance(vote, dict):
        raise FormatError(f'"{where}" must be an object with "worker" and "winner", not {json_type_of(vote)}')
    name = trainer_name(next((vote[key] for key in _PEOPLE if not says_nothing(vote.get(key))), None))
    if name is None:
        raise FormatError(f'"{where}" does not say who voted; give each vote its "worker"')
    return name


def _places(vote: dict[str, Any], sides: tuple[str, str], where: str) -> tuple[float, float]:
    """The places of the two, 0 the better; the same for a tie."""
    given = [(key, vote[key]) for key in _CHOICES if not says_nothing(vote.get(key))]
    if not given:
        raise FormatError(f'"{where}" does not say which answer was preferred; give each vote its "winner"')
    key, value = given[0]
    if is_tie_word(value):
        return 0.0, 0.0
    said = value.strip().lower() if isinstance(value, str) else ""
    for side, places in zip(sides, ((0.0, 1.0), (1.0, 0.0)), strict=True):
        if said in (side, side[-1], f"model_{side[-1]}"):
            return places
    first, second = sides
    raise FormatError(f'"{where}.{key}" is {value!r:.40}; it must be "{first}", "{second}" or "tie"')


def _recognises(entry: Entry) -> bool:
    row = entry.value
    return (
        isinstance(row, dict)
        and isinstance(row.get("votes"), list)
        and any(all(side in row for side in pair) for pair in _SIDES)
    )


FORMAT = Format(
    name="votes",
    label="two answers and the votes of several people",
    recognises=_recognises,
    keys=KEYS,
    rankings=rankings,
)
