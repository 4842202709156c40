"""Imports, whole: a file is read as a stream, what is new is stored in chunks, what is bad is reported by line.

A crash in the middle leaves whole chunks; the same import again adds the rest and nothing twice.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from django.db import IntegrityError

from labeling.imports.detection import Kind, find_format
from labeling.imports.dialogues import opening_of, store_said
from labeling.imports.formats import Entries, Format
from labeling.imports.rankings import store_rankings
from labeling.imports.reader import Entry, EntryReader, FileRefused, Refusal
from labeling.imports.report import ImportReport
from labeling.models import AuditEvent, Project, User

OnError = Literal["stop", "skip"]
OnProgress = Callable[[float, ImportReport], None]

CHUNK = 1_000  # records stored in one transaction
CHUNK_CHARACTERS = 8 * 2**20  # of the file; the chunk ends here where records are long
HELD_CHARACTERS = 64 * 2**20  # of a file that is kept while all of it is checked; a larger one is read twice
_MOST_TRIES = 3
_LONGEST_REASON = 500  # characters; some reasons repeat a value of the file, which may be megabytes


@dataclass(frozen=True, slots=True)
class Read:
    """What one entry gave."""

    records: list[Any]
    size: int


@dataclass(frozen=True, slots=True)
class Preview:
    """The beginning of a file as Parley understands it."""

    format: Format
    records: list[Any]
    refused: list[Refusal]


def import_dialogues(
    path: Path,
    *,
    project: Project,
    by: User | None,
    format: str = "auto",
    on_error: OnError = "stop",
    into_prompts: bool = False,
    num_turns: int = 1,
    limit: int | None = None,
    source: str | None = None,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    """Take in dialogues that somebody answered, as accepted dialogues, and questions that nobody did, as prompts.

    `into_prompts` keeps only the opening of each, up to the user's `num_turns`-th message. `limit` is a number
    of entries; `source` is what the rows say they come from, the file's name unless given.
    Raises FileRefused where the file cannot be read at all.
    """
    known = find_format(format, kind="dialogues", path=path)
    change = partial(opening_of, num_turns=num_turns) if into_prompts else lambda record: record
    name = source or path.name
    store = lambda records: store_said(project, list(map(change, records)), source=name, by=by)  # noqa: E731
    report = _take_in(path, known, "dialogues", store, on_error=on_error, limit=limit, on_progress=on_progress)
    _note("import dialogues", project, by, name, report)
    return report


def import_rankings(
    path: Path,
    *,
    project: Project,
    by: User | None,
    format: str = "auto",
    on_error: OnError = "stop",
    limit: int | None = None,
    source: str | None = None,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    """Take in rankings with their comparisons and completions. Raises FileRefused as import_dialogues does."""
    known = find_format(format, kind="rankings", path=path)
    name = source or path.name
    store = partial(store_rankings, project, source=name)
    report = _take_in(path, known, "rankings", store, on_error=on_error, limit=limit, on_progress=on_progress)
    _note("import rankings", project, by, name, report)
    return report


def preview(path: Path, *, kind: Kind, format: str = "auto", num: int = 5) -> Preview:
    """The first records and refusals of a file; nothing is stored. Raises FileRefused."""
    known = find_format(format, kind=kind, path=path)
    records: list[Any] = []
    refused: list[Refusal] = []
    for read in islice(read_records(EntryReader(path), known, kind), 1_000):
        if isinstance(read, Refusal):
            refused.append(read)
        else:
            records += read.records
        if len(records) >= num:
            break
    return Preview(known, records[:num], refused[:num])


def read_records(entries: EntryReader | Entries, known: Format, kind: Kind) -> Iterator[Read | Refusal]:
    """What each entry of a file gives, or why it gives nothing."""
    reader = known.dialogues if kind == "dialogues" else known.rankings
    assert reader is not None
    for entry in known.gather(_recognised(iter(entries), known)):
        if isinstance(entry, Refusal):
            yield entry
            continue
        try:
            yield Read(list(reader(entry)), entry.size)
        except ValueError as error:  # of the format, or of the records' own sense
            yield Refusal(entry.line, (f"{entry.key}: {error}" if entry.key else str(error))[:_LONGEST_REASON])
        except RecursionError:  # of a value that was read, but is too deep to be walked or shown
            yield Refusal(entry.line, "nested too deeply")


def _recognised(entries: Entries, known: Format) -> Entries:
    for entry in entries:
        if isinstance(entry, Entry) and not known.recognises(entry):
            yield Refusal(entry.line, f"does not look like {known.label}, as the file's beginning does")
        else:
            yield entry


def _take_in(
    path: Path,
    known: Format,
    kind: Kind,
    store: Callable[[list[Any]], int],
    *,
    on_error: OnError,
    limit: int | None,
    on_progress: OnProgress | None,
) -> ImportReport:
    before = _stamp(path)
    held: deque[Read] | None = None
    if on_error == "stop":
        report, held = _check(path, known, kind, limit)
        if report.num_refused:
            return report
    report = ImportReport(known.name)
    entries = EntryReader(path)
    total = len(held) if held is not None else 0
    reads = _taken_from(held) if held is not None else read_records(entries, known, kind)
    for chunk in _ahead(_chunks(islice(reads, limit), report)):
        imported = _stored(store, chunk)
        report.imported += imported
        report.repeated += len(chunk) - imported
        if on_progress is not None:
            on_progress(entries.fraction if held is None else 1 - len(held) / total, report)
    if _stamp(path) != before:
        raise FileRefused(f"{path.name}: changed while it was imported; import it again, what came in stays once")
    return report


def _check(path: Path, known: Format, kind: Kind, limit: int | None) -> tuple[ImportReport, deque[Read] | None]:
    """Read the whole file without storing anything. What was read is kept, unless that is too much."""
    report = ImportReport(known.name, stopped=True)
    held: deque[Read] | None = deque()
    size = 0
    for read in islice(read_records(EntryReader(path), known, kind), limit):
        if isinstance(read, Refusal):
            report.refuse(read)
            held = None
        elif held is not None:
            held.append(read)
            size += read.size
            held = held if size <= HELD_CHARACTERS else None
    return report, held


def _taken_from(held: deque[Read]) -> Iterator[Read]:
    """What was kept, let go as it is used."""
    while held:
        yield held.popleft()


def _chunks(reads: Iterator[Read | Refusal], report: ImportReport) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    size = 0
    for read in reads:
        if isinstance(read, Refusal):
            report.refuse(read)
            continue
        report.num_empty += not read.records
        chunk += read.records
        size += read.size
        if len(chunk) >= CHUNK or size >= CHUNK_CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _ahead(chunks: Iterator[list[Any]]) -> Iterator[list[Any]]:
    """The chunks, each read while the database still works on the one before."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        coming = reader.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = reader.submit(next, chunks, None)
            yield chunk


def _stored(store: Callable[[list[Any]], int], chunk: list[Any]) -> int:
    """Store a chunk; where somebody else wrote the same prompt in that moment, look again."""
    for attempt in range(1, _MOST_TRIES + 1):
        try:
            return store(chunk)
        except IntegrityError:
            if attempt == _MOST_TRIES:
                raise
    raise AssertionError("unreachable")


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise FileRefused(f"{path}: cannot be read: {error.strerror}") from error
    return status.st_size, status.st_mtime_ns


def _note(verb: str, project: Project, by: User | None, name: str, report: ImportReport) -> None:
    if report.imported:
        counts = {"imported": report.imported, "repeated": report.repeated, "refused": report.num_refused}
        AuditEvent.note(verb, project, by=by, file=name, format=report.format, **counts)
