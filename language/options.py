"""What the options of every trainer have in common: refusals, and where a run keeps what it needs to go on."""

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

# The numbers that may be below 0. All others count or measure something.
_SIGNED = frozenset({"seed", "missing_end_score"})


class OptionError(ValueError):
    """Options that contradict one another or what is on disk: which, and what to do."""


class MayPass(Exception):
    """Beside another class: what is in the way may be gone the next time, so the same options may be tried again."""


class KeepsWork:
    """A configuration whose result is published at `out`, and whose states lie in `work`, or beside it."""

    out: Path
    work: Path | None

    @property
    def work_directory(self) -> Path:
        """Where this run keeps its states, samples and metrics."""
        return self.work or self.out.with_name(self.out.name + ".work")


def require_sound_numbers(config: Any) -> None:
    """Raise OptionError where an option is no finite number, or is below 0 and has no sense there."""
    for field in fields(config):
        value = getattr(config, field.name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if not math.isfinite(value):
            raise OptionError(f"{flag(field.name)} must be a finite number, not {value}")
        if value < 0 and field.name not in _SIGNED:
            raise OptionError(f"{flag(field.name)} must not be below 0, but is {value}")


def require_positive(config: Any, *names: str) -> None:
    """Raise OptionError where one of these options is not above 0."""
    for name in names:
        if getattr(config, name) <= 0:
            raise OptionError(f"{flag(name)} must be above 0, not {getattr(config, name)}")


def require_not_negative(config: Any, *names: str) -> None:
    """Raise OptionError where one of these options is below 0."""
    for name in names:
        if getattr(config, name) < 0:
            raise OptionError(f"{flag(name)} must be at least 0, not {getattr(config, name)}")


def require_share(config: Any, name: str) -> None:
    """Raise OptionError unless this option is a share of less than the whole."""
    if not 0 <= getattr(config, name) < 1:
        raise OptionError(f"{flag(name)} must be at least 0 and below 1, not {getattr(config, name)}")


def flag(name: str) -> str:
    """An option as the command line spells it: batch_size is --batch-size."""
    return f"--{name.replace('_', '-')}"
