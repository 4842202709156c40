"""Runs the tests of one mutant in a copy of the checkout, and says what became of it.

A mutant is killed when a test fails with it, fails with it once more, and passes without it. A failure that the second
run does not repeat is luck, and one that comes without the mutant says nothing: neither counts.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from tests.mutants.mutant import Mutant, plant, read_from

CHECKOUT = Path(__file__).resolve().parents[2]

# A test's parameters may hold blanks; its message, if there is one, comes after a dash.
FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)


class Outcome(StrEnum):
    KILLED = "killed"
    SURVIVED = "survived"
    LUCK = "killed once of two times"
    UNCLEAR = "its tests fail without it too"
    BROKEN = "does not even load"


class Verdict(NamedTuple):
    outcome: Outcome
    test: str = ""  # the test that failed


class _Run(NamedTuple):
    code: int | None  # pytest's own; None: it took too long
    failed: str
    output: str


def copy_checkout(root: Path, into: Path) -> None:
    """What git tracks or would: a test that is not committed yet may already kill."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (root / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, into / name)


class Runs:
    """pytest in a copy of the checkout that nobody else uses meanwhile; a context that ends what it started."""

    def __init__(self, copy: Path, *, store: Path | None = None) -> None:
        """`store` holds the bundled policy, converted."""
        self.copy = copy
        more = {"PARLEY_TEST_STORE": str(store)} if store else {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.mutants.forking", str(copy)],
            cwd=CHECKOUT,
            env=os.environ | more,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Runs":
        return self

    def __exit__(self, *_error: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=120)

    def run(self, tests: Sequence[str]) -> _Run:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(list(tests)) + "\n")
        self._process.stdin.flush()
        said = json.loads(self._process.stdout.readline())
        failed = FAILED.search(said["output"])
        return _Run(said["code"], failed[1] if failed else "", said["output"])


def try_mutant(mutant: Mutant, runs: Runs) -> Verdict:
    """Leaves the copy as it was."""
    clean = read_from(runs.copy, mutant)
    mutated = plant(mutant, clean)
    file = runs.copy / mutant.file

    def with_text(text: str, tests: Sequence[str]) -> _Run:
        file.write_text(text)
        try:
            return runs.run(tests)
        finally:
            file.write_text(clean)

    first = with_text(mutated, mutant.tests)
    if first.code == 0:
        return Verdict(Outcome.SURVIVED)
    if first.code is None:
        # Nothing says which test hangs, so all of them are run without the mutant.
        ends = with_text(clean, mutant.tests).code == 0
        return Verdict(Outcome.KILLED if ends else Outcome.UNCLEAR, "a test that did not end")
    if first.code != 1 or not first.failed:
        return Verdict(Outcome.BROKEN, _last_line(first.output))
    if with_text(clean, [first.failed]).code != 0:
        return Verdict(Outcome.UNCLEAR, first.failed)
    if with_text(mutated, [first.failed]).code == 0:
        return Verdict(Outcome.LUCK, first.failed)
    return Verdict(Outcome.KILLED, first.failed)


def _last_line(output: str) -> str:
    lines = output.strip().splitlines()
    return lines[-1] if lines else "no output"
