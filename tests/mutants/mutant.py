"""A mutant: one small fault, planted on purpose, that a test must find."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mutant:
    """`edits` are pairs of text: the first stands exactly once in `file`, the second takes its place."""

    file: str
    fault: str  # what is wrong with the program then, for who reads that it survived
    edits: tuple[tuple[str, str], ...]
    tests: tuple[str, ...]  # files or tests that are run until one fails
    equivalent: str = ""  # why no test can tell it from the program, if none can: it is not run

    @property
    def package(self) -> str:
        return self.file.split("/")[0]

    @property
    def name(self) -> str:
        return f"{self.file}: {self.fault}"


def planter(file: str, *tests: str) -> Callable[[str, str, str], Mutant]:
    """Makes mutants of one file, by fault, text and what takes its place; `tests` are those that ought to find them."""

    def planted(fault: str, before: str, after: str) -> Mutant:
        return Mutant(file, fault, ((before, after),), tests)

    return planted


def platform_planter(file: str, *tests: str) -> Callable[[str, str, str], Mutant]:
    """The same with a file of labeling/ and tests of tests/labeling/, named from there."""
    return planter(f"labeling/{file}", *(f"tests/labeling/{test}" for test in tests))


def unnoted(planted: Callable[[str, str, str], Mutant], fault: str, verb: str) -> Mutant:
    """The audit row of this verb is not written."""
    return planted(fault, f'AuditEvent.note("{verb}"', f'(lambda *_, **__: None)("{verb}"')


class MutantError(Exception):
    """A mutant cannot be planted: its text is not there, or not once."""


def plant(mutant: Mutant, text: str) -> str:
    """The text of the mutant's file with the fault in it.

    Raises:
        MutantError: what is to be replaced stands there never or more than once, or nothing changes.
    """
    for before, after in mutant.edits:
        if before == after:
            raise MutantError(f"{mutant.name}: {before!r} is replaced by itself")
        if (num := text.count(before)) != 1:
            raise MutantError(f"{mutant.name}: {before!r} stands {num} times in the file, and must stand there once")
        text = text.replace(before, after)
    return text


def read_from(root: Path, mutant: Mutant) -> str:
    try:
        return (root / mutant.file).read_text()
    except FileNotFoundError as error:
        raise MutantError(f"{mutant.name}: there is no such file") from error
