"""Progress of a management command: a bar on a terminal, else a plain line every few seconds."""

import time
from types import TracebackType
from typing import TextIO

from tqdm import tqdm

_LINE_SECONDS = 5.0


class CommandProgress:
    """Shows progress as a fraction from 0 to 1. Use as a context manager."""

    def __init__(self, stream: TextIO, *, description: str) -> None:
        self._stream, self._description, self._line_due = stream, description, time.monotonic() + _LINE_SECONDS
        self._bar = tqdm(total=100, desc=description, unit="%", file=stream) if stream.isatty() else None

    def show(self, fraction: float, note: str = "") -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(int(100 * fraction) - self._bar.n)
        elif time.monotonic() >= self._line_due:
            self._line_due = time.monotonic() + _LINE_SECONDS
            print(f"{self._description}: {fraction:.0%} {note}".rstrip(), file=self._stream, flush=True)

    def __enter__(self) -> "CommandProgress":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()
