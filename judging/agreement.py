"""How far people agree, which is the most that a judge learnt from them can be asked for.

A judge, such as a reward model or "the longer one wins", is set beside people on the very same votes: whether it agrees
with the majority of the others as often as one more person does. Intervals draw prompts and people anew, both, and
weigh a vote by how often its prompt and its people were drawn (Owen 2007, the pigeonhole bootstrap): a project with two
trainers knows little of a third, however many prompts they ranked.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from judging.weak_orders import WeakOrder, of_several

_ROUNDS = 400
_TAIL = 0.025

Scores = Mapping[str, float]
"""What a judge holds of each completion, by the comparison's id, a slash and the completion's name."""
Cells = Mapping[tuple[str, ...], Sequence[float]]
"""By prompt and the people concerned: how much is alike, of how much."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """A share with its 95 % interval, whose ends are None where there is one prompt or one person alone."""

    value: float
    low: float | None
    high: float | None
    num_votes: int
    num_prompts: int
    num_people: int


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeAgreement:
    """Of a judge: with what single people ordered, and with the majority of the others on each person's votes.

    Where the judge holds both for equal it is half right.
    """

    with_one: Agreement
    with_majority: Agreement


@dataclass(frozen=True, kw_only=True, slots=True)
class PeopleAgreement:
    """Over pairs of completions that several people ordered; ties are no order.

    `of_two`: of two people who both order a pair, the share that order it alike. `with_majority`: of a person's orders,
    the share that the majority of the others shares, where they have one. `judges` are judged on those same votes.
    """

    of_two: Agreement
    with_majority: Agreement
    judges: dict[str, JudgeAgreement]


def people_agreement(
    orders: Iterable[WeakOrder], judges: Mapping[str, Scores] | None = None, *, seed: int = 0
) -> PeopleAgreement | None:
    """None where no two people ordered the same pair, or nowhere with a majority."""
    alike, majority = _cells(), _cells()
    by_judge = {name: (_cells(), _cells()) for name in judges or {}}
    for prompt, comparison, one, other, votes in _pairs(orders):
        ordered = {person: vote for person, vote in votes.items() if vote}
        for (first, mine), (second, theirs) in combinations(sorted(ordered.items()), 2):
            _count(alike[prompt, first, second], float(mine == theirs))
        everybody = sum(ordered.values())
        verdicts = {name: _verdict(scores, comparison, one, other) for name, scores in (judges or {}).items()}
        for person, vote in ordered.items():
            others = everybody - vote
            if others:
                _count(majority[prompt, person], float(vote * others > 0))
            for name, verdict in verdicts.items():
                with_one, with_majority = by_judge[name]
                _count(with_one[prompt, person], _right(verdict, vote))
                if others:
                    _count(with_majority[prompt, person], _right(verdict, others))
    if not alike or not majority:
        return None
    return PeopleAgreement(
        of_two=_agreement(alike, seed),
        with_majority=_agreement(majority, seed),
        judges={
            name: JudgeAgreement(with_one=_agreement(one, seed), with_majority=_agreement(most, seed))
            for name, (one, most) in by_judge.items()
        },
    )


def _cells() -> defaultdict[tuple[str, ...], list[float]]:
    return defaultdict(lambda: [0.0, 0.0])


def _pairs(orders: Iterable[WeakOrder]) -> Iterator[tuple[str, str, str, str, dict[str, int]]]:
    """Prompt, comparison, two completions, and of each person 1 (the first is better), −1 or 0 (a tie)."""
    by_comparison: defaultdict[str, list[WeakOrder]] = defaultdict(list)
    for order in of_several(orders):
        by_comparison[order.comparison].append(order)
    for comparison, several in sorted(by_comparison.items()):
        for one, other in combinations(sorted(set.intersection(*(set(order.places) for order in several))), 2):
            votes = {order.trainer: _sign(order.places[other] - order.places[one]) for order in several}
            yield several[0].prompt, comparison, one, other, votes


def _verdict(scores: Scores, comparison: str, one: str, other: str) -> int:
    return _sign(scores[f"{comparison}/{one}"] - scores[f"{comparison}/{other}"])


def _right(verdict: int, wanted: int) -> float:
    return 0.5 if verdict == 0 else float(verdict * wanted > 0)


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _count(cell: list[float], right: float) -> None:
    cell[0] += right
    cell[1] += 1


def _agreement(cells: Cells, seed: int) -> Agreement:
    prompts = sorted({prompt for prompt, *_ in cells})
    people = sorted({person for _, *own in cells for person in own})
    right, num = (sum(cell[part] for cell in cells.values()) for part in (0, 1))
    low = high = None
    if len(prompts) > 1 and len(people) > 1:
        draws = sorted(_draws(cells, prompts, people, seed))
        low, high = draws[int(_TAIL * len(draws))], draws[-1 - int(_TAIL * len(draws))]
        low, high = min(low, right / num), max(high, right / num)
    return Agreement(
        value=right / num, low=low, high=high, num_votes=int(num), num_prompts=len(prompts), num_people=len(people)
    )


def _draws(cells: Cells, prompts: Sequence[str], people: Sequence[str], seed: int) -> Iterator[float]:
    drawn = random.Random(seed)
    for _ in range(_ROUNDS):
        of_prompt, of_person = (Counter(drawn.choices(names, k=len(names))) for names in (prompts, people))
        right = num = 0.0
        for (prompt, *own), (alike, of) in cells.items():
            times = of_prompt[prompt]
            for person in own:
                times *= of_person[person]
            right += times * alike
            num += times * of
        if num:
            yield right / num
