"""A study as cells: each is made once, by itself, in any order, and what is missing has a name.

A cell's facts are one JSON file, written by one rename when it is whole; what it needs to go on lies in its own work
folder, so that one killed at any moment goes on where it was. Knows nothing of what the cells are about.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.platform import CHECKOUT
from language.options import OptionError

CELLS = "cells"
BEGUN = ".begun"

Facts = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One piece of a study: its name, what makes its facts, the cells it reads, its expected minutes of one core.

    `lacks` says why it cannot be made here at all, such as a program that is not there; empty where it can.
    """

    name: str
    make: Callable[[], Facts]
    needs: tuple[str, ...] = ()
    minutes: float = 1.0
    lacks: str = ""


class Study:
    """The cells of one folder."""

    def __init__(self, folder: Path, cells: Sequence[Cell]) -> None:
        self.folder = folder
        self.cells = {cell.name: cell for cell in cells}
        assert len(self.cells) == len(cells), "two cells have one name"
        (folder / CELLS).mkdir(parents=True, exist_ok=True)

    def facts(self, name: str) -> Facts | None:
        """What a cell came to, or None where it is missing."""
        path = self._path(name)
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def missing(self, names: Sequence[str]) -> list[str]:
        """Those of `names` that are not made yet."""
        return [name for name in names if not self._path(name).exists()]

    def make(self, name: str) -> None:
        """Make one cell, and first what it needs. OptionError where there is no such cell, or it cannot be made."""
        if name not in self.cells:
            raise OptionError(f"there is no cell {name!r}; --status lists them")
        cell = self.cells[name]
        if self._path(name).exists():
            return
        if cell.lacks:
            raise OptionError(f"{name} cannot be made: {cell.lacks}")
        for needed in cell.needs:
            self.make(needed)
        note(f"{name}: about {cell.minutes:g} minutes of one core")
        with open(self._path(name).with_suffix(BEGUN), "a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}\n")
        began, cpu = time.monotonic(), _cpu_seconds()
        facts = cell.make()
        beginnings = self._path(name).with_suffix(BEGUN).read_text(encoding="utf-8").count("\n")
        write_json(
            self._path(name),
            facts
            | {
                "cell": name,
                "seconds": round(time.monotonic() - began, 1),
                # Of one that was killed and went on only the last part is known, so it is none.
                "cpu_seconds": round(_cpu_seconds() - cpu, 1) if beginnings == 1 else None,
            },
        )

    def make_all(self, *, minutes: float = 0.0, beginning: str = "") -> dict[str, str]:
        """Make whatever is missing and can be made, in order; begin none after so many minutes (0: no limit).

        Of all cells, or of those whose names begin so.

        Returns why cells could not be made, by name; the others are made all the same.
        """
        began, failed = time.monotonic(), {}
        for name in (one for one in self.cells if one.startswith(beginning)):
            if minutes and time.monotonic() - began > 60 * minutes:
                note(f"{minutes:g} minutes are over; the same command goes on")
                break
            try:
                self.make(name)
            except OptionError as error:
                failed[name] = str(error)
                note(f"{name}: {error}")
        return failed

    def status(self) -> str:
        """Every cell: done with its seconds, or missing with its expected minutes and what stands in its way."""
        lines, left = [], 0.0
        for cell in self.cells.values():
            facts = self.facts(cell.name)
            if facts is not None:
                lines.append(f"{cell.name:28} done     {facts['seconds']:.0f} s")
                continue
            left += 0.0 if cell.lacks else cell.minutes
            waits = self.missing(cell.needs)
            words = cell.lacks or (f"needs {', '.join(waits)}" if waits else "can be made now")
            lines.append(f"{cell.name:28} missing  about {cell.minutes:g} min; {words}")
        num_done = len(self.cells) - len(self.missing(list(self.cells)))
        lines.append(f"{num_done} of {len(self.cells)} cells are done; the rest takes about {left:.0f} min of one core")
        return "\n".join(lines)

    def _path(self, name: str) -> Path:
        return self.folder / CELLS / f"{name}.json"


def run_program(module: str, *arguments: object, stdin: Path | None = None, stdout: Path | None = None) -> None:
    """Run one of our programs in the checkout. OptionError where it fails; what it said is on stderr."""
    with open(stdin or os.devnull, "rb") as source, open(stdout or os.devnull, "wb") as sink:
        ended = subprocess.run(
            [sys.executable, "-m", module, *map(str, arguments)],
            cwd=CHECKOUT,
            stdin=source,
            stdout=sink if stdout else sys.stderr,
        )
    if ended.returncode != 0:
        raise OptionError(f"python -m {module} ended with {ended.returncode}; what it said is above")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file by one rename."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def note(text: str) -> None:
    """A line for whoever waits."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.children_user
