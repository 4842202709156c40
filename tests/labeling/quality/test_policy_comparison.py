"""Policies and temperatures on one board: each completion counts for its own source, and only against others."""

import random
from dataclasses import dataclass
from typing import Any

import pytest

from labeling.models import Completion, Project, User
from labeling.quality.policy_comparison import Source, source_figures
from labeling.quality.report import quality_figures
from tests.labeling.exports.material import make_ranking
from tests.labeling.factories import make_comparison, make_policy, make_project, make_user
from tests.labeling.signed_in import as_user

HOT, COLD, OTHER = Source("own", 1.0), Source("own", 0.5), Source("other", 1.0)


@dataclass
class Board:
    """Completions a, b, c, d … of these sources, in these tiers."""

    tiers: list[list[str]]
    sources: dict[str, Source]
    comparison_id: str = "c-1"
    is_choice: bool = False


def test_pairs_of_two_sources_count_and_ties_are_half() -> None:
    """a > b = c > d with a, d hot, b cold, c other: of 6 pairs one (a, d) is of one source."""
    board = Board([["a"], ["b", "c"], ["d"]], {"a": HOT, "b": COLD, "c": OTHER, "d": HOT})
    found = {one.source: (one.num_pairs, one.wins.value) for one in source_figures([board])}
    assert found == {HOT: (4, 0.5), COLD: (3, 0.5), OTHER: (3, 0.5)}
    board = Board([["a", "b"], ["c"], ["d"]], {"a": HOT, "b": COLD, "c": HOT, "d": HOT})
    best, second = source_figures([board])
    assert (best.source, best.num_pairs, best.wins.value) == (COLD, 3, pytest.approx(2.5 / 3))
    assert (second.source, second.num_pairs, second.wins.value) == (HOT, 3, pytest.approx(0.5 / 3))


def test_rankings_of_one_comparison_are_no_new_evidence_of_the_source() -> None:
    """They are resampled together: eight people who say the same of a comparison narrow no interval."""
    orders = [[["a"], ["b"]], [["b"], ["a"]], [["a"], ["b"]]] * 5
    boards = [Board(order, {"a": HOT, "b": COLD}, f"c-{number}") for number, order in enumerate(orders)]
    once = {one.source: one.wins for one in source_figures(boards)}
    again = {one.source: one.wins for one in source_figures(boards * 8)}
    assert once.keys() == {HOT, COLD}
    for source, wins in once.items():
        assert (again[source].low, again[source].high) == (wins.low, wins.high)
        assert wins.low < wins.value < wins.high


def test_a_choice_ties_nobody() -> None:
    board = Board([["a"], ["b", "c"]], {"a": HOT, "b": COLD, "c": OTHER}, is_choice=True)
    assert {one.source: one.num_pairs for one in source_figures([board])} == {HOT: 2, COLD: 1, OTHER: 1}


def test_one_source_alone_has_no_figures() -> None:
    assert source_figures([Board([["a"], ["b"]], {"a": HOT, "b": HOT})]) == []
    assert source_figures([Board([["a"], ["b"]], {"a": HOT})]) == []
    assert source_figures([]) == []


def test_strengths_come_back_from_rankings_drawn_with_them() -> None:
    """Two sources 200 Elo apart: the better one wins 76 of 100."""
    draws = random.Random(3)
    boards = []
    for number in range(4_000):
        won = draws.random() < 1 / (1 + 10 ** (-200 / 400))
        order = [["a"], ["b"]] if won else [["b"], ["a"]]
        boards.append(Board(order, {"a": HOT, "b": COLD}, comparison_id=f"c-{number}"))
    first, second = source_figures(boards)
    assert first.source == HOT
    assert first.wins.low < 0.7597 < first.wins.high
    assert first.elo is not None
    assert second.elo is not None
    assert first.elo - second.elo == pytest.approx(200, abs=25)


def test_who_never_lost_has_no_strength() -> None:
    assert [one.elo for one in source_figures([Board([["a"], ["b"]], {"a": HOT, "b": COLD})])] == [None, None]


@pytest.fixture
def mixed(engines: object, db: None) -> Project:
    """A board of the own policy twice, of another, and of a person's text; ranked by index, best first."""
    project = make_project(slug="mixed", policy=make_policy(name="own"))
    comparison = make_comparison(project=project, state="done", open_slots=0)
    other, writer = make_policy(name="other"), make_user(username="rita", role=User.Role.REVIEWER)
    values: list[dict[str, Any]] = [
        {"sampling": {"temperature": 1.0}},
        {"policy": other, "sampling": {"temperature": 0.5}},
        {"policy": None, "author": writer, "sampling": None},
        {"sampling": {"temperature": 1.0}},
    ]
    for completion, changes in zip(comparison.completions.order_by("index"), values, strict=True):
        Completion.objects.filter(id=completion.id).update(**changes)
    alice = make_user(username="alice", projects=[project])
    make_ranking(project=project, comparison=comparison, trainer=alice, order=((0,), (1,), (2,), (3,)))
    return project


def test_the_quality_page_attributes_each_completion(mixed: Project) -> None:
    found = {one.source: (one.num_pairs, one.wins.value) for one in quality_figures(mixed).sources}
    assert found == {
        Source("own", 1.0): (4, 0.5),
        Source("other", 0.5): (3, pytest.approx(2 / 3)),
        Source("", None): (3, pytest.approx(1 / 3)),
    }


def test_the_quality_page_shows_them(mixed: Project) -> None:
    rita = User.objects.get(username="rita")
    mixed.memberships.create(user=rita)
    shown = as_user(rita).get("/p/mixed/quality/").content.decode()
    assert "Policies on one board" in shown
    assert "other" in shown
    assert "67 %" in shown


def test_simulated_rankings_are_left_out(mixed: Project) -> None:
    User.objects.filter(username="alice").update(is_simulated=True)
    assert quality_figures(mixed).sources == []
