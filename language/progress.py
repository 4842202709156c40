"""One progress reporter for every command: a bar on a terminal, plain lines elsewhere, and a file.

The file (PARLEY_PROGRESS_FILE, or given) takes one JSON object a line, {"fraction", "metrics",
"message"}: that is how another process follows a running job.
"""

import io
import json
import math
import os
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Never

from tqdm import tqdm

ENVIRONMENT_VARIABLE = "PARLEY_PROGRESS_FILE"


class Progress:
    """Progress through `total` units of work. Use as a context manager.

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
        file: str | os.PathLike[str] | None = None,
        stream: io.TextIOBase | None = None,
        line_seconds: float = 10.0,
        file_seconds: float = 1.0,
    ) -> None:
        self.total = max(total, 1)
        self.done = done
        self.description, self.unit = description, unit
        self.metrics: dict[str, float] = {}
        self._stream = stream or sys.stderr
        self._path = file or os.environ.get(ENVIRONMENT_VARIABLE) or None
        self._line_seconds, self._file_seconds = line_seconds, file_seconds
        self._line_due = self._file_due = 0.0
        self._bar = self._open_bar() if self._stream.isatty() else None
        self._report(None)

    @property
    def fraction(self) -> float:
        """Done so far, 0 to 1."""
        return min(self.done / self.total, 1.0)

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
        now = time.monotonic()
        if message or now >= self._line_due:
            self._line_due = now + self._line_seconds
            self._show(message)
        if self._path and (message or now >= self._file_due):
            self._file_due = now + self._file_seconds
            self._append(message)

    def _show(self, message: str | None) -> None:
        shown = " ".join(f"{name}={value:.4g}" for name, value in self.metrics.items())
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
        line = json.dumps({"fraction": self.fraction, "metrics": finite, "message": text}) + "\n"
        with open(str(self._path), "a", encoding="utf-8") as file:
            file.write(line)
