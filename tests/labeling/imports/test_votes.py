"""Votes of several people on two answers: everybody is kept apart, and what cannot be read says where and why."""

import gzip
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from labeling.imports import import_rankings
from labeling.imports.detection import find_format
from labeling.imports.importer import read_records
from labeling.imports.reader import EntryReader, Refusal
from labeling.models import Comparison, Ranking
from tests.labeling.factories import make_project
from tests.labeling.imports.files import write_lines
from tests.labeling.imports.reading import preference
from tests.labeling.imports.reading import read as read_file

DATA = Path(os.environ.get("PARLEY_TEST_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))


def vote(worker: Any, winner: Any) -> dict[str, Any]:
    return {"worker": worker, "winner": winner}


def row(*votes: Any, **more: Any) -> dict[str, Any]:
    return {"prompt": "Q", "x": "A", "y": "B", "model_x": "one", "model_y": "two", "votes": list(votes), **more}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., tuple[str, list[Any], list[str]]]:
    return partial(read_file, tmp_path, "rankings")


def test_every_vote_is_a_ranking_of_its_own_trainer(read: Any) -> None:
    name, rankings, refused = read(row(vote("5", "x"), vote(7, "y"), vote("9", "tie")))
    assert (name, refused) == ("votes", [])
    assert [(one.trainer, preference(one)) for one in rankings] == [
        ("5", [["A"], ["B"]]),
        ("7", [["B"], ["A"]]),
        ("9", [["A", "B"]]),
    ]
    assert [one.policy for one in rankings[0].completions] == ["one", "two"]


def test_answers_may_be_lettered(read: Any) -> None:
    _, (ranking,), _ = read(
        {"prompt": "Q", "response_a": "A", "response_b": "B", "votes": [{"annotator": "ann", "preference": "b"}]}
    )
    assert (ranking.trainer, preference(ranking)) == ("ann", [["B"], ["A"]])


@pytest.mark.parametrize(
    ("votes", "reason"),
    [
        ([], '"votes" is empty'),
        ([vote("5", "x"), vote("5", "y")], '"votes[1]": 5 voted on this pair before'),
        ([vote("5", "x"), vote("", "y")], '"votes[1]" does not say who voted'),
        ([vote("5", None)], '"votes[0]" does not say which answer was preferred'),
        ([vote("5", "z")], '"votes[0].winner" is \'z\'; it must be "x", "y" or "tie"'),
        (["x"], '"votes[0]" must be an object'),
    ],
)
def test_a_row_with_a_vote_that_cannot_be_read_is_refused_whole(read: Any, votes: Any, reason: str) -> None:
    _, rankings, (refused,) = read(row(*votes))
    assert rankings == []
    assert reason in refused


def test_what_is_lost_with_a_vote_is_said(read: Any) -> None:
    _, rankings, (refused,) = read(row({**vote("5", "x"), "weight": 0.5}))
    assert rankings == []
    assert '"votes[].weight" would be lost' in refused


def test_it_goes_by_its_public_name(tmp_path: Path) -> None:
    assert find_format("llmfao", kind="rankings", path=tmp_path).name == "votes"


@pytest.mark.django_db
def test_two_people_who_vote_alike_stay_two_and_the_same_file_adds_nothing(tmp_path: Path) -> None:
    project = make_project()
    path = write_lines(tmp_path / "votes.jsonl", [row(vote("5", "x"), vote("7", "x"), vote("9", "tie"))])
    for added in (3, 0):
        assert import_rankings(path, project=project, by=None).imported == added
    assert sorted(Ranking.objects.values_list("outside_trainer", flat=True)) == ["5", "7", "9"]
    assert Comparison.objects.get().num_rankings == 3


def kept_votes(path: Path) -> list[list[Any]]:
    """The votes of each pair of which neither answer is empty, by the file itself."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [one["votes"] for one in rows if one["x"].strip() and one["y"].strip()]


def test_real_votes_of_124_people_are_read_where_both_models_said_something() -> None:
    path = DATA / "llmfao.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"no {path}; set PARLEY_TEST_DATA to the folder of real data")
    reads = list(read_records(EntryReader(path), find_format("votes", kind="rankings", path=path), "rankings"))
    refused = [one.reason for one in reads if isinstance(one, Refusal)]
    records = [record for one in reads if not isinstance(one, Refusal) for record in one.records]
    assert (len(refused), set(refused)) == (151, {'"x" is empty', '"y" is empty'})
    assert len({record.trainer for record in records}) == 124
    assert len(records) == sum(map(len, kept_votes(path)))
