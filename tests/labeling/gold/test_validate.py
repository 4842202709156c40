"""The figures about the gold preference are counted as they are described, and printed by a command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labeling.gold.validate import gold_figures
from labeling.imports.formats import oasst
from labeling.imports.reader import Entry, EntryReader
from records import Completion, Message, Ranking, write_jsonl

QUESTION = (Message(role="user", content="How should I plant tomatoes on a windy balcony?"),)
GOOD = "Plant the tomatoes in heavy pots, and put them by the wall of the balcony, away from the wind."
DATA = Path(os.environ.get("PARLEY_TEST_DATA") or Path(__file__).parents[3].parent / "shared" / "data")


def make_ranking(identifier: str, tiers: tuple[tuple[str, ...], ...], **texts: str) -> Ranking:
    completions = tuple(Completion(id=name, content=text) for name, text in texts.items())
    return Ranking(id=identifier, comparison_id=identifier, messages=QUESTION, completions=completions, tiers=tiers)


def test_pairs_ties_and_lengths_are_counted() -> None:
    figures = gold_figures(
        [
            make_ranking("r1", (("a",), ("b",), ("c",)), a=GOOD, b=GOOD + " ", c="blorvish unduxed snarvels " * 20),
            make_ranking("r2", (("b",), ("a",)), a=GOOD, b=GOOD[:40]),
        ]
    )
    assert (figures.num_comparisons, figures.num_completions) == (2, 5)
    assert figures.tied_pairs == pytest.approx(1 / 4)  # a and b of the first
    assert figures.unacceptable == pytest.approx(1 / 5)
    assert figures.longer_agrees is not None
    assert figures.longer_agrees.value == pytest.approx(1 / 3)  # only in the second
    assert figures.agrees_with_file is not None
    assert figures.agrees_with_file.value == pytest.approx(2 / 3)  # in the first


def test_equal_lengths_count_half_and_each_unacceptable_completion_counts() -> None:
    empty = " " * len(GOOD)
    figures = gold_figures([make_ranking("r", (("a",), ("b", "c")), a=GOOD, b=empty, c=empty)])
    assert figures.unacceptable == pytest.approx(2 / 3)  # in one tier
    assert figures.longer_agrees is not None
    assert figures.longer_agrees.value == 0.5


def test_there_must_be_something_to_judge() -> None:
    with pytest.raises(ValueError, match="no rankings"):
        gold_figures([])


def test_the_command_prints_json_and_says_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "rankings.jsonl"
    write_jsonl(path, [make_ranking("r", (("a",), ("b",)), a=GOOD, b="No.")])
    command = [sys.executable, "-m", "labeling.gold.validate"]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["num_comparisons"] == 1
    path.write_text("{}\n")
    failed = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)
    assert failed.returncode == 2
    assert "rankings.jsonl:1" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_on_real_answers_a_length_rule_does_not_imitate_the_gold_preference() -> None:
    path = DATA / "oasst_trees.jsonl.gz"
    if not path.exists():
        pytest.skip(f"no real data at {path}; set PARLEY_TEST_DATA")
    entries = (entry for entry in EntryReader(path) if isinstance(entry, Entry))
    figures = gold_figures(ranking for entry in entries for ranking in oasst.rankings(entry))
    assert figures.num_comparisons > 80
    assert figures.longer_agrees is not None
    assert 0.4 < figures.longer_agrees.value < 0.65
    assert figures.unacceptable < 0.15  # people wrote most of these
