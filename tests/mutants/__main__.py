"""`make mutants`: plants every fault of the lists, one at a time, and says which ones no test finds.

What is known of a mutant is kept in var/mutants.jsonl under a hash of the mutant, its file and its tests, so that a run
that was cut short goes on where it stopped, and a change asks only about what it touches.
"""

import argparse
import hashlib
import json
import queue
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from tests.mutants.lists import all_mutants
from tests.mutants.mutant import Mutant, plant, read_from
from tests.mutants.runs import CHECKOUT, Outcome, Runs, Verdict, copy_checkout, try_mutant

GOAL = 0.95  # of the mutants that are not equivalent


class Memory:
    """Verdicts by the hash of all that decides them: a line of JSON each, written as soon as it is known."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()  # two threads append
        self._known: dict[str, Verdict] = {}
        if file.exists():
            for line in file.read_text().splitlines():
                row = json.loads(line)
                if row["outcome"] not in (Outcome.UNCLEAR, Outcome.BROKEN):  # they say nothing, so they are tried again
                    self._known[row["key"]] = Verdict(Outcome(row["outcome"]), row["test"])

    def find(self, key: str) -> Verdict | None:
        return self._known.get(key)

    def keep(self, key: str, mutant: Mutant, verdict: Verdict, *, seconds: float) -> None:
        row = {"key": key, "mutant": mutant.name, "outcome": verdict.outcome, "test": verdict.test}
        with self._lock:
            self._known[key] = verdict
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a") as lines:
                lines.write(json.dumps(row | {"seconds": round(seconds, 1)}) + "\n")


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    mutants = [mutant for mutant in all_mutants() if options.only in mutant.name]
    asked = [mutant for mutant in mutants if not mutant.equivalent]
    if not asked:
        print(f"No mutant has {options.only!r} in its file or its fault.", file=sys.stderr)
        return 2
    for mutant in asked:
        plant(mutant, read_from(CHECKOUT, mutant))  # an error in the list is said before the first hour is spent
    memory = Memory(CHECKOUT / "var" / "mutants.jsonl")
    keys = {mutant: _key(mutant) for mutant in asked}
    waiting: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
    for mutant in asked:
        if memory.find(keys[mutant]) is None:
            waiting.put(mutant)
    print(f"{len(asked)} mutants, {waiting.qsize()} not tried yet, {options.jobs} at a time.", flush=True)
    until = time.monotonic() + options.minutes * 60
    threads = [threading.Thread(target=_work, args=(waiting, memory, keys, until)) for _ in range(options.jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return _report(mutants, {mutant: memory.find(keys[mutant]) for mutant in asked})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description="Plant faults that tests must find.")
    parser.add_argument("--only", default="", help="mutants with this text in their file or fault")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (default: 2)")
    parser.add_argument("--minutes", type=float, default=60, help="begin none after this time (default: 60)")
    return parser


def _work(waiting: "queue.SimpleQueue[Mutant]", memory: Memory, keys: dict[Mutant, str], until: float) -> None:
    """Tries what is waiting, in a copy of its own: two that mutate one checkout would test each other."""
    with tempfile.TemporaryDirectory(prefix="parley-mutants-") as folder:
        copy_checkout(CHECKOUT, Path(folder))
        with Runs(Path(folder), store=CHECKOUT / "var" / "store") as runs:
            while time.monotonic() < until:
                try:
                    mutant = waiting.get_nowait()
                except queue.Empty:
                    return
                began = time.monotonic()
                verdict = try_mutant(mutant, runs)
                memory.keep(keys[mutant], mutant, verdict, seconds=time.monotonic() - began)
                print(f"{verdict.outcome}: {mutant.name}  {verdict.test}", flush=True)


def _key(mutant: Mutant) -> str:
    digest = hashlib.sha256(repr(mutant).encode())
    digest.update(read_from(CHECKOUT, mutant).encode())
    for test in mutant.tests:
        for file in _files_of(CHECKOUT / test.split("::")[0]):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _files_of(path: Path) -> Iterable[Path]:
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


def _report(mutants: list[Mutant], verdicts: dict[Mutant, Verdict | None]) -> int:
    """The share killed by package, then every mutant that is not. The exit status is 1 below the goal."""
    print()
    for package in sorted({mutant.package for mutant in mutants}):
        of_package = [verdict for mutant, verdict in verdicts.items() if mutant.package == package and verdict]
        if of_package:
            killed = sum(verdict.outcome == Outcome.KILLED for verdict in of_package)
            print(f"{package:12} {killed:4} of {len(of_package):4} killed  {killed / len(of_package):4.0%}")
    known = [verdict for verdict in verdicts.values() if verdict]
    killed = sum(verdict.outcome == Outcome.KILLED for verdict in known)
    equivalent = len(mutants) - len(verdicts)
    print(
        f"{'all':12} {killed:4} of {len(known):4} killed  {killed / max(1, len(known)):4.0%}; {equivalent} equivalent"
    )
    for mutant, verdict in verdicts.items():
        if verdict is None:
            print(f"not tried: {mutant.name}")
        elif verdict.outcome != Outcome.KILLED:
            print(f"{verdict.outcome}: {mutant.name}  {verdict.test}")
    if len(known) < len(verdicts):
        print("Not all were tried; the same command goes on.")
        return 1
    return int(killed < GOAL * len(known))


if __name__ == "__main__":
    sys.exit(main())
