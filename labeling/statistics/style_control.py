"""Strengths with style held equal: how policies would stand if their answers were as long and as formatted alike.

Chatbot Arena's form of style control (2024): the strengths of Bradley and Terry, and beside them coefficients for the
differences of four measures of style, each (a - b) / (a + b) and then standardised. A policy that wins by length
alone loses its lead here; a coefficient above 0 says that people prefer more of that style, all else equal.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from statistics import pstdev

from labeling.statistics.intervals import Estimate
from labeling.statistics.logistic_regression import fit_logistic

_FENCED = re.compile(r"^ {0,3}(```|~~~).*?(?:^ {0,3}\1[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)
_HEADER = re.compile(r"^ {0,3}#{1,6} ", re.MULTILINE)
_LIST_ITEM = re.compile(r"^[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]", re.MULTILINE)
_BOLD = re.compile(r"(\*\*|__)(?=\S)(?:(?!\1).)*?\S\1")
_RIDGE = 1e-3  # a weak prior on all coefficients, which keeps them finite where votes are few or unanimous


@dataclass(frozen=True, kw_only=True, slots=True)
class Style:
    """Measures of one answer's style. Headers, list items and bold passages do not count within fenced code."""

    length: int  # characters
    headers: int
    list_items: int
    bold: int


MEASURES = tuple(field.name for field in fields(Style))


@dataclass(frozen=True, kw_only=True, slots=True)
class StyledVote:
    """A verdict on two answers: the share that `first` won, and both answers' styles."""

    first: str
    second: str
    won: float
    first_style: Style
    second_style: Style


@dataclass(frozen=True, kw_only=True, slots=True)
class StyledStrengths:
    """Strengths in logits with mean 0, and the weight of each measure of MEASURES with its interval of 95 %.

    A weight is in logits for one standard deviation of the measure's difference; None where no two answers differ in
    it. `n` counts votes. The intervals treat votes as independent.
    """

    strengths: dict[str, float]
    weights: dict[str, Estimate | None]


def style_of(markdown: str) -> Style:
    """Measure the style of an answer in Markdown."""
    prose = _FENCED.sub("", markdown)
    return Style(
        length=len(markdown),
        headers=len(_HEADER.findall(prose)),
        list_items=len(_LIST_ITEM.findall(prose)),
        bold=len(_BOLD.findall(prose)),
    )


def control_style(votes: Sequence[StyledVote]) -> StyledStrengths:
    """Fit strengths and weights of style together. Raises ValueError without votes."""
    names = sorted({name for vote in votes for name in (vote.first, vote.second)})
    places = {name: index - 1 for index, name in enumerate(names)}  # the first policy's strength is held at 0
    columns = _standardised(votes)
    rows = []
    for number, vote in enumerate(votes):
        row = [0.0] * (len(names) - 1)
        for name, sign in ((vote.first, 1.0), (vote.second, -1.0)):
            if places[name] >= 0:
                row[places[name]] += sign
        rows.append([*row, *(column[number] for column in columns.values())])
    fit = fit_logistic(rows, [vote.won for vote in votes], ridge=_RIDGE)
    raw = [0.0, *fit.coefficients[: len(names) - 1]]
    mean = math.fsum(raw) / len(raw)
    weights: dict[str, Estimate | None] = dict.fromkeys(MEASURES)
    for place, measure in enumerate(columns, start=len(names) - 1):
        value, error = fit.coefficients[place], 1.959964 * fit.standard_errors[place]
        weights[measure] = Estimate(value=value, low=value - error, high=value + error, n=len(votes))
    return StyledStrengths(
        strengths={name: value - mean for name, value in zip(names, raw, strict=True)}, weights=weights
    )


def _standardised(votes: Sequence[StyledVote]) -> Mapping[str, list[float]]:
    """The columns of the measures in which some answers differ: (a - b) / (a + b), divided by its spread.

    Not centred: with a mean taken away the same two answers, swapped, would no longer be each other's mirror image.
    """
    columns = {}
    for place, measure in enumerate(MEASURES):
        pairs = [(astuple(vote.first_style)[place], astuple(vote.second_style)[place]) for vote in votes]
        shares = [(a - b) / (a + b) if a + b else 0.0 for a, b in pairs]
        spread = pstdev([*shares, *(-share for share in shares)]) if shares else 0.0
        if spread:
            columns[measure] = [share / spread for share in shares]
    return columns
