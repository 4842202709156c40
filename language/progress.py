"""One progress reporter for every command: a bar on a terminal, plain lines elsewhere, and a file.

The file (PARLEY_PROGRESS_FILE, or given) takes one JSON object a line, {"fraction", "stage", "metrics",
"message"}: that is how another process follows a running job. A run has stages besides the counted one; `begin_stage`
names each, and `after` says how much of the whole comes after the counted one, so that nothing is 100 % before its end.
"""

import io
import json
import math
import os
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Never

from tqdm import tqdm

ENVIRONMENT_VARIABLE = "PARLEY_PROGRESS_FILE"
COUNTED = "training"  # the stage in which units of work are counted


class Progress:
    """Progress through `total` units of work, after which work worth `after` more units follows uncounted.

    Work worth `before` units was done by an earlier count of the same run. Metrics named in `called` are shown by other
    names, so that a reader knows which data they are of.

    Use as a context manager. Of several processes of one run one `tells`; the others keep silent.

    Lines and file entries are written at most every `line_seconds` and `file_seconds`; the first, the last
    and every message are always written.
    """

    def __init__(
        self,
        total: int,
        *,
        description: str,
        unit: str = "steps",
        done: int = 0,
        after: float = 0.0,
        before: float = 0.0,
        called: Mapping[str, str] | None = None,
        file: str | os.PathLike[str] | None = None,
        stream: io.TextIOBase | None = None,
        line_seconds: float = 10.0,
        file_seconds: float = 1.0,
        tells: bool = True,
    ) -> None:
        self._tells = tells
        self.total = max(total, 1)
        self.done, self.after, self.before = done, after, before
        self.description, self.unit = description, unit
        self.metrics: dict[str, float] = {}
        self._stream = stream or sys.stderr
        self._path = file or os.environ.get(ENVIRONMENT_VARIABLE) or None
        self._line_seconds, self._file_seconds = line_seconds, file_seconds
        self._line_due = self._file_due = 0.0
        self._said: set[str] = set()
        self._called = called or {}
        self._bar = self._open_bar() if self._tells and self._stream.isatty() else None
        self._report(None)

    @property
    def fraction(self) -> float:
        """Done so far, 0 to 1."""
        return (self.before + min(self.done, self.total)) / (self.before + self.total + self.after)

    def advance(self, count: int = 1, metrics: Mapping[str, float] | None = None) -> None:
        """Note that `count` more units are done, with the newest metrics."""
        self.done += count
        self.metrics.update(metrics or {})
        if self._bar is not None:
            self._bar.update(count)
        self._report(None)

    def say(self, message: str) -> None:
        """Tell what is going on, at once and everywhere."""
        self._report(message)

    def say_once(self, message: str) -> None:
        """Tell it the first time that it is so, and not again."""
        if message not in self._said:
            self._said.add(message)
            self.say(message)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._line_due = self._file_due = 0.0
        self._report(None)
        if self._bar is not None:
            self._bar.close()

    def _open_bar(self) -> "tqdm[Never]":
        return tqdm(total=self.total, initial=self.done, desc=self.description, unit=f" {self.unit}", file=self._stream)

    def _report(self, message: str | None) -> None:
        if not self._tells:
            return
        now = time.monotonic()
        if message or now >= self._line_due:
            self._line_due = now + self._line_seconds
            self._show(message)
        if self._path and (message or now >= self._file_due):
            self._file_due = now + self._file_seconds
            self._append(message)

    def _show(self, message: str | None) -> None:
        shown = " ".join(f"{self._called.get(name, name)}={value:.4g}" for name, value in self.metrics.items())
        if self._bar is None:
            counted = f"{self.description}: {self.done}/{self.total} {self.unit}"
            print(" ".join(filter(None, [counted, shown, message])), file=self._stream, flush=True)
            return
        self._bar.set_postfix_str(shown)
        if message:
            self._bar.write(message, file=self._stream)

    def _append(self, message: str | None) -> None:
        # JSON has no NaN: a metric that is not finite is told in words instead.
        finite = {name: value for name, value in self.metrics.items() if math.isfinite(value)}
        diverged = [f"{name} is not finite" for name in self.metrics if name not in finite]
        text = "; ".join(filter(None, [message, *diverged])) or None
        entry = {"fraction": self.fraction, "stage": COUNTED, "metrics": finite, "message": text}
        _append_line(str(self._path), entry)


def begin_stage(name: str, *, file: str | os.PathLike[str] | None = None, stream: io.TextIOBase | None = None) -> None:
    """Tell that an uncounted stage begins, a word such as "loading" or "evaluating"; the fraction stays what it was."""
    print(f"{name} …", file=stream or sys.stderr, flush=True)
    path = file or os.environ.get(ENVIRONMENT_VARIABLE) or None
    if path is not None:
        before = _last_entry(str(path))
        _append_line(str(path), {**before, "stage": name, "message": None})


def tell(message: str, *, file: str | os.PathLike[str] | None = None, stream: io.TextIOBase | None = None) -> None:
    """Say what a person should know outside of any count: a line, and a message in the file; all else stays."""
    print(message, file=stream or sys.stderr, flush=True)
    path = file or os.environ.get(ENVIRONMENT_VARIABLE) or None
    if path is not None:
        _append_line(str(path), {"stage": "loading", **_last_entry(str(path)), "message": message})


def _last_entry(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        lines = []
    return json.loads(lines[-1]) if lines else {"fraction": 0.0, "metrics": {}}


def _append_line(path: str, entry: Mapping[str, Any]) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
