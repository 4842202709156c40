"""The lists of mutants stay true to the code, and the runner tells a killed mutant from one that survived."""

import ast
import subprocess
from pathlib import Path

import pytest

from tests.mutants.lists import all_mutants
from tests.mutants.mutant import Mutant, MutantError, plant, read_from
from tests.mutants.runs import Outcome, Runs, Verdict, copy_checkout, try_mutant

CHECKOUT = Path(__file__).resolve().parents[1]
SUM = Mutant("sums.py", "subtracts", (("a + b", "a - b"),), ("test_sums.py",))


def test_every_mutant_can_be_planted_and_still_parses() -> None:
    unchanged = []
    for mutant in all_mutants():
        clean = read_from(CHECKOUT, mutant)
        if ast.dump(ast.parse(plant(mutant, clean))) == ast.dump(ast.parse(clean)):
            unchanged.append(mutant.name)
    assert not unchanged, "faults that change no more than how the file is written"


def test_every_mutant_names_tests_that_are_there() -> None:
    missing = [f"{mutant.name}: {test}" for mutant in all_mutants() for test in mutant.tests if not _has_test(test)]
    assert not missing, missing


def test_no_two_mutants_have_one_name() -> None:
    names = [mutant.name for mutant in all_mutants()]
    assert len(names) == len(set(names))


def test_a_text_that_stands_twice_is_no_place_for_a_fault() -> None:
    with pytest.raises(MutantError, match="stands 2 times"):
        plant(SUM, "a + b\na + b\n")
    with pytest.raises(MutantError, match="stands 0 times"):
        plant(SUM, "b + a\n")


def test_a_mutant_is_killed_when_a_test_fails_because_of_it(sums: Path) -> None:
    (sums / "test_sums.py").write_text("from sums import add\n\ndef test_sum():\n    assert add(1, 2) == 3\n")
    assert _tried(SUM, sums) == Verdict(Outcome.KILLED, "test_sums.py::test_sum")
    assert "a + b" in (sums / "sums.py").read_text()


def test_a_mutant_survives_a_test_that_does_not_look(sums: Path) -> None:
    (sums / "test_sums.py").write_text("from sums import add\n\ndef test_sum():\n    assert add(1, 0) == 1\n")
    assert _tried(SUM, sums).outcome == Outcome.SURVIVED


def test_a_test_that_fails_without_the_mutant_kills_nothing(sums: Path) -> None:
    (sums / "test_sums.py").write_text("from sums import add\n\ndef test_sum():\n    assert add(1, 2) == 4\n")
    assert _tried(SUM, sums).outcome == Outcome.UNCLEAR


def test_a_test_that_finds_a_mutant_now_and_then_kills_nothing(sums: Path) -> None:
    (sums / "test_sums.py").write_text(
        "from pathlib import Path\nfrom sums import add\n\ndef test_sum():\n"
        "    seen = Path('seen')\n    again = seen.exists()\n    seen.touch()\n    assert again or add(1, 2) == 3\n"
    )
    assert _tried(SUM, sums).outcome == Outcome.LUCK


def test_a_mutant_that_does_not_load_kills_nothing(sums: Path) -> None:
    (sums / "test_sums.py").write_text("from sums import add\n\ndef test_sum():\n    assert add(1, 2) == 3\n")
    broken = Mutant("sums.py", "does not parse", (("a + b", "a +"),), ("test_sums.py",))
    assert _tried(broken, sums).outcome == Outcome.BROKEN


def test_a_copy_holds_what_git_does_not_know_yet(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path / "here")], check=True)
    (tmp_path / "here" / ".gitignore").write_text("var\n")
    (tmp_path / "here" / "var").mkdir()
    (tmp_path / "here" / "var" / "left.txt").touch()
    (tmp_path / "here" / "new.py").touch()
    copy_checkout(tmp_path / "here", tmp_path / "there")
    assert sorted(path.name for path in (tmp_path / "there").rglob("*")) == [".gitignore", "new.py"]


@pytest.fixture
def sums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of one line; the pytest that the runner starts finds no settings of Parley's."""
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE")
    (tmp_path / "sums.py").write_text("def add(a, b):\n    return a + b\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def _tried(mutant: Mutant, copy: Path) -> Verdict:
    with Runs(copy) as runs:
        return try_mutant(mutant, runs)


def _has_test(name: str) -> bool:
    file, _, function = name.partition("::")
    path = CHECKOUT / file
    return path.exists() and (not function or f"def {function.split('[')[0]}(" in path.read_text())
