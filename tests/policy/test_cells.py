"""A study as cells: once each, in any order, whole or missing."""

import json
from pathlib import Path

import pytest

from benchmarks.cells import Cell, Study
from language.options import OptionError


def test_a_cell_is_made_once_after_what_it_needs(tmp_path: Path) -> None:
    made: list[str] = []

    def maker(name: str) -> Cell:
        needs = ("first",) if name == "second" else ()
        return Cell(name, lambda: made.append(name) or {"value": len(made)}, needs=needs)  # type: ignore[func-returns-value]

    study = Study(tmp_path, [maker("second"), maker("first"), maker("third")])
    study.make("second")
    assert made == ["first", "second"]
    assert study.missing(["first", "second", "third"]) == ["third"]
    assert study.make_all() == {}
    assert made == ["first", "second", "third"]
    facts = study.facts("second")
    assert facts is not None
    assert (facts["value"], facts["cell"]) == (2, "second")
    assert study.facts("fourth") is None


def test_a_cell_that_was_killed_is_missing_and_has_no_cpu_time_when_it_is_made_again(tmp_path: Path) -> None:
    kills = [True, False]

    def make() -> dict[str, int]:
        if kills.pop(0):
            raise KeyboardInterrupt
        return {"value": 1}

    study = Study(tmp_path, [Cell("a", make), Cell("b", lambda: {"value": 2})])
    with pytest.raises(KeyboardInterrupt):
        study.make("a")
    assert study.missing(["a"]) == ["a"]
    study.make_all()
    first, second = (json.loads((tmp_path / "cells" / f"{name}.json").read_text()) for name in "ab")
    assert first["cpu_seconds"] is None
    assert second["cpu_seconds"] is not None


def test_the_status_names_what_is_missing_and_what_stands_in_its_way(tmp_path: Path) -> None:
    def fail() -> dict[str, int]:
        raise OptionError("no such file")

    cells = [
        Cell("done", dict),
        Cell("fails", fail, minutes=3),
        Cell("waits", dict, needs=("fails",), minutes=4),
        Cell("cannot", dict, lacks="there is no python -m policy.none", minutes=5),
    ]
    study = Study(tmp_path, cells)
    assert set(study.make_all()) == {"fails", "waits", "cannot"}
    lines = study.status().splitlines()
    assert "done" in lines[0]
    assert "about 3 min; can be made now" in lines[1]
    assert "about 4 min; needs fails" in lines[2]
    assert "there is no python -m policy.none" in lines[3]
    assert lines[4] == "1 of 4 cells are done; the rest takes about 7 min of one core"
    with pytest.raises(OptionError, match="there is no cell 'none'"):
        study.make("none")


def test_no_cell_is_begun_after_its_time(tmp_path: Path) -> None:
    study = Study(tmp_path, [Cell("a", dict), Cell("b", dict)])
    study.make_all(minutes=1e-9)
    assert study.missing(["a", "b"]) == ["a", "b"]
