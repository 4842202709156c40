"""`make test` tries the same examples every time; `make fuzz` tries others, for as long as it is told to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
PROPERTY = """
from hypothesis import given, strategies as st
import pytest

tried = []

@given(st.integers(0, 10**9))
def test_it(number):
    tried.append(number)
    with open(__file__ + ".drawn", "a") as file:
        print(number, file=file)
    assert {holds}

def test_without_examples():
    pytest.fail("is no property test")
"""
FUZZ = ["-p", "tests.fuzzing", "--hypothesis-profile=fuzz", "-m", "hypothesis"]


def examples(folder: Path, *arguments: str, holds: str = "True") -> tuple[list[int], str]:
    """What one run of a property test tries, in order, and what it prints."""
    file = folder / "test_property.py"
    file.write_text(PROPERTY.format(holds=holds))
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", *arguments, str(file)]
    variables = os.environ | {"HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "found")}
    done = subprocess.run(command, cwd=CHECKOUT, env=variables, capture_output=True, text=True, check=False)
    return [int(line) for line in Path(f"{file}.drawn").read_text().split()], done.stdout


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> list[int]:
    return examples(tmp_path_factory.mktemp("once"))[0]


def test_every_run_tries_the_same_examples_whatever_else_is_loaded(
    tmp_path: Path, once: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(set(once)) > 50
    (tmp_path / "odd_numbers.py").write_text(f"ODD = {list(range(1_001, 2_001, 2))}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert examples(tmp_path, "-p", "odd_numbers")[0] == once


def test_exploring_tries_others_until_it_finds_what_can_be_tried_again(tmp_path: Path, once: list[int]) -> None:
    found, said = examples(tmp_path, *FUZZ, "--fuzz-seconds=600", holds="len(tried) < 2_500")
    assert len(set(found) - set(once)) > 1_500
    assert "@reproduce_failure" in said
    assert "1 failed, 1 deselected" in said


def test_exploring_ends_when_its_time_is_up(tmp_path: Path) -> None:
    found, said = examples(tmp_path, *FUZZ, "--fuzz-seconds=0")
    assert 500 < len(found) <= 1_000
    assert "1 passed, 1 deselected" in said
