"""Style control: what counts as style, and that a policy which wins by length alone loses its lead."""

import math
import random

import pytest

from labeling.statistics.style_control import MEASURES, Style, StyledVote, control_style, style_of


def test_headers_items_and_bold_passages_are_counted_outside_code() -> None:
    text = """# One
Text with **two bold** and __three__ words, 2 ** 3 ** 2, and a * star.

- first
  * second
3. third
1986.
```
# no header
- no item **not bold**
```
## Two
"""
    assert style_of(text) == Style(length=len(text), headers=2, list_items=3, bold=2)
    assert style_of("") == Style(length=0, headers=0, list_items=0, bold=0)
    assert style_of("```\n# never closed\n- item") == Style(length=25, headers=0, list_items=0, bold=0)


def test_a_policy_that_wins_by_length_alone_loses_its_lead() -> None:
    generator = random.Random(1)
    votes = []
    for _ in range(800):
        long, short = _style(length=generator.randint(300, 900)), _style(length=generator.randint(100, 600))
        share = (long.length - short.length) / (long.length + short.length)
        p = 1 / (1 + math.exp(-3 * share))
        won = float(generator.random() < p)
        votes.append(StyledVote(first="long", second="short", won=won, first_style=long, second_style=short))
    plain = sum(vote.won for vote in votes) / len(votes)
    found = control_style(votes)
    assert plain > 0.65
    assert abs(found.strengths["long"]) < 0.15
    weight = found.weights["length"]
    assert weight is not None
    assert weight.low > 0.5
    assert weight.low < weight.value < weight.high
    assert {measure for measure in MEASURES if found.weights[measure] is None} == {"headers", "list_items", "bold"}


def test_swapping_the_sides_of_votes_changes_nothing() -> None:
    generator = random.Random(2)
    votes = [
        StyledVote(
            first="a",
            second="b",
            won=generator.choice((0.0, 0.5, 1.0)),
            first_style=_style(length=generator.randint(1, 99), bold=generator.randint(0, 3)),
            second_style=_style(length=generator.randint(1, 99), bold=generator.randint(0, 3)),
        )
        for _ in range(60)
    ]
    swapped = [
        StyledVote(
            first=vote.second,
            second=vote.first,
            won=1 - vote.won,
            first_style=vote.second_style,
            second_style=vote.first_style,
        )
        for vote in votes
    ]
    one, other = control_style(votes), control_style([*votes[:30], *swapped[30:]])
    assert one.strengths == pytest.approx(other.strengths)
    assert one.weights["bold"].value == pytest.approx(other.weights["bold"].value)  # type: ignore[union-attr]


def test_without_votes_there_is_nothing_to_fit() -> None:
    with pytest.raises(ValueError, match="no observations"):
        control_style([])


def _style(*, length: int, bold: int = 0) -> Style:
    return Style(length=length, headers=0, list_items=0, bold=bold)
