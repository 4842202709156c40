"""Runs the tests of one mutant in a copy of the checkout, and says what became of it.

A mutant is killed when a test fails with it, fails with it once more, and passes without it. A failure that the second
run does not repeat is luck, and one that comes without the mutant says nothing: neither counts.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from tests.mutants.mutant import Mutant, plant, read_from

LONGEST_RUN = 240  # seconds; a mutant that waits for ever is killed by the end of them

FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


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


def try_mutant(mutant: Mutant, copy: Path, *, store: Path | None = None) -> Verdict:
    """`copy` is a checkout that nobody else uses meanwhile; it is left as it was. `store` holds the bundled policy."""
    clean = read_from(copy, mutant)
    mutated = plant(mutant, clean)
    file = copy / mutant.file

    def with_text(text: str, tests: Sequence[str]) -> _Run:
        file.write_text(text)
        try:
            return _run_tests(copy, tests, store=store)
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


def _run_tests(copy: Path, tests: Sequence[str], *, store: Path | None) -> _Run:
    environment = os.environ | {
        "PYTHONPATH": str(copy),  # for the processes that tests start: the copy's packages, not the installed ones
        "PYTHONDONTWRITEBYTECODE": "1",  # a mutant may have the size and the second of the file it replaces
        "OMP_NUM_THREADS": "1",
    }
    if store:
        environment["PARLEY_TEST_STORE"] = str(store)
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", "--tb=no", "-rfE", *tests]
    process = subprocess.Popen(
        command, cwd=copy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        output, _ = process.communicate(timeout=LONGEST_RUN)
    except subprocess.TimeoutExpired:
        # pytest's own way out ends the database servers that it started.
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        return _Run(None, "", "")
    failed = FAILED.search(output)
    return _Run(process.returncode, failed[1] if failed else "", output)


def _last_line(output: str) -> str:
    lines = output.strip().splitlines()
    return lines[-1] if lines else "no output"
