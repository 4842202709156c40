"""Importing a file: read it as a stream, store new records in chunks, report refused entries by line.

A crash leaves whole chunks stored; the same import again adds the rest and nothing twice.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from django.db import IntegrityError

from labeling.imports.detection import Columns, Kind, find_format
from labeling.imports.dialogues import opening_of, store_dialogues_and_prompts
from labeling.imports.formats import Entries, Format
from labeling.imports.formats.keys import Keys, unread_keys
from labeling.imports.rankings import store_rankings
from labeling.imports.reader import Entry, EntryReader, FileRefused, Refusal
from labeling.imports.report import ImportReport, UnreadKeys
from labeling.imports.thumbs import store_thumbs
from labeling.models import AuditEvent, Project, User

OnError = Literal["stop", "skip"]
OnProgress = Callable[[float, ImportReport], None]

CHUNK = 1_000  # records stored in one transaction
CHUNK_CHARACTERS = 8 * 2**20  # of the file; ends a chunk early where records are long
HELD_CHARACTERS = 64 * 2**20  # kept in memory between check and storing; a larger file is read twice
_ENTRIES_SEEN = 200  # by a preview: a key that stands in some rows only is seen too
_MOST_ENTRIES_SEEN = 1_000  # by a preview that finds nothing it can show
_MOST_BYTES_SEEN = 32 * 2**20  # by a preview, however long the entries are: a person waits
_MOST_TRIES = 3
_LONGEST_REASON = 500  # characters; some reasons repeat a value of the file, which may be megabytes


@dataclass(frozen=True, slots=True)
class Read:
    """The records that one entry of a file gave, the entry's size in characters, and the keys that were not read."""

    records: list[Any]
    size: int
    line: int
    unread: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """The first records and refusals of a file, and the keys that were not read in its beginning."""

    format: Format
    records: list[Any]
    refused: list[Refusal]
    unread: UnreadKeys


class Options(TypedDict, total=False):
    """What may be said of every import. `limit` is a number of entries."""

    format: str  # "auto": found out
    on_error: OnError  # "stop": one bad line and nothing is imported
    limit: int | None
    source: str | None  # recorded as where the rows come from; the file's name by default
    columns: Columns  # what the file's names mean where they are not the format's
    on_progress: OnProgress | None


def import_dialogues(
    path: Path,
    *,
    project: Project,
    by: User | None,
    into_prompts: bool = False,
    num_turns: int = 1,
    **options: Unpack[Options],
) -> ImportReport:
    """Import answered dialogues as accepted dialogues, and unanswered ones as prompts.

    `into_prompts` keeps only the opening of each, up to the user's `num_turns`-th message. Raises FileRefused where the
    file cannot be read at all.
    """
    change = partial(opening_of, num_turns=num_turns) if into_prompts else lambda record: record

    def store(records: list[Any], *, source: str) -> int:
        return store_dialogues_and_prompts(project, list(map(change, records)), source=source, by=by)

    return _import(path, "dialogues", store, project, by, **options)


def import_rankings(path: Path, *, project: Project, by: User | None, **options: Unpack[Options]) -> ImportReport:
    """Import rankings with their comparisons and completions. Raises FileRefused as import_dialogues does."""
    return _import(path, "rankings", partial(store_rankings, project), project, by, **options)


def import_thumbs(path: Path, *, project: Project, by: User | None, **options: Unpack[Options]) -> ImportReport:
    """Import thumbs with the answers that they judge. Raises FileRefused as import_dialogues does."""
    return _import(path, "thumbs", partial(store_thumbs, project, by=by), project, by, **options)


def _import(
    path: Path, kind: Kind, store: Callable[..., int], project: Project, by: User | None, **options: Unpack[Options]
) -> ImportReport:
    columns = options.get("columns")
    known = find_format(options.get("format", "auto"), kind=kind, path=path, columns=columns)
    name = options.get("source") or path.name
    report = _run(
        partial(EntryReader, path, columns=columns),
        known,
        kind,
        partial(store, source=name),
        on_error=options.get("on_error", "stop"),
        limit=options.get("limit"),
        on_progress=options.get("on_progress"),
    )
    _note(f"import {kind}", project, by, name, report)
    return report


def preview(path: Path, *, kind: Kind, format: str = "auto", columns: Columns = None, num: int = 5) -> Preview:
    """The first records and refusals of a file; stores nothing. Raises FileRefused."""
    known = find_format(format, kind=kind, path=path, columns=columns)
    records: list[Any] = []
    refused: list[Refusal] = []
    unread = UnreadKeys()
    entries = EntryReader(path, columns=columns)
    for num_seen, read in enumerate(read_records(entries, known, kind), start=1):
        if isinstance(read, Refusal):
            refused.append(read)
        else:
            records += read.records
            unread.count(read.unread, line=read.line)
        is_enough = num_seen >= _ENTRIES_SEEN and len(records) >= num
        if is_enough or num_seen >= _MOST_ENTRIES_SEEN or entries.num_bytes_read >= _MOST_BYTES_SEEN:
            break
    return Preview(known, records[:num], refused[:num], unread)


def read_records(entries: EntryReader | Entries, known: Format, kind: Kind) -> Iterator[Read | Refusal]:
    """The records of each entry of a file, or the reason why it is refused."""
    reader = getattr(known, kind)
    assert reader is not None
    for entry in known.gather(_refuse_unrecognised(iter(entries), known)):
        if isinstance(entry, Refusal):
            yield entry
            continue
        try:
            records = list(reader(entry))
            unread = tuple(unread_keys(entry.value, _keys_of(known, entry.value)))
            yield Read(records, entry.size, entry.line, unread)
        except ValueError as error:  # from the format's reader or from a record's own checks
            yield Refusal(entry.line, (f"{entry.key}: {error}" if entry.key else str(error))[:_LONGEST_REASON])
        except RecursionError:  # the value could be parsed, but is too deep to be walked or shown
            yield Refusal(entry.line, "nested too deeply")


def _keys_of(known: Format, row: Any) -> Keys:
    return known.keys if isinstance(known.keys, Keys) else known.keys(row)


def _refuse_unrecognised(entries: Entries, known: Format) -> Entries:
    accepts = known.accepts or known.recognises
    for entry in entries:
        if isinstance(entry, Entry) and not accepts(entry):
            yield Refusal(entry.line, f"does not look like {known.label}, as the file's beginning does")
        else:
            yield entry


def _run(
    open_file: Callable[[], EntryReader],
    known: Format,
    kind: Kind,
    store: Callable[[list[Any]], int],
    *,
    on_error: OnError,
    limit: int | None,
    on_progress: OnProgress | None,
) -> ImportReport:
    entries = open_file()
    before = _version_of(entries.path)
    held: deque[Read] | None = None
    if on_error == "stop":
        report, held = _check(entries, known, kind, limit)
        if report.num_refused:
            return report
    report = ImportReport(known.name)
    entries = open_file()
    total = len(held) if held is not None else 0
    reads = _drain(held) if held is not None else read_records(entries, known, kind)
    for chunk in _prefetched(_chunks(islice(reads, limit), report)):
        imported = _store_with_retries(store, chunk)
        report.imported += imported
        report.repeated += len(chunk) - imported
        if on_progress is not None:
            on_progress(entries.fraction if held is None else 1 - len(held) / total, report)
    if _version_of(entries.path) != before:
        raise FileRefused(
            f"{entries.path.name}: changed while it was imported; import it again, what came in stays once"
        )
    return report


def _check(
    entries: EntryReader, known: Format, kind: Kind, limit: int | None
) -> tuple[ImportReport, deque[Read] | None]:
    """Read the whole file without storing anything. The records are kept, unless they take too much memory."""
    report = ImportReport(known.name, stopped=True)
    held: deque[Read] | None = deque()
    size = 0
    for read in islice(read_records(entries, known, kind), limit):
        if isinstance(read, Refusal):
            report.refuse(read)
            held = None
            continue
        report.unread.count(read.unread, line=read.line)
        if held is not None:
            held.append(read)
            size += read.size
            held = held if size <= HELD_CHARACTERS else None
    return report, held


def _drain(held: deque[Read]) -> Iterator[Read]:
    """The records that were kept, each released from memory as it is used."""
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
        report.unread.count(read.unread, line=read.line)
        chunk += read.records
        size += read.size
        if len(chunk) >= CHUNK or size >= CHUNK_CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _prefetched(chunks: Iterator[list[Any]]) -> Iterator[list[Any]]:
    """The chunks, each read in a thread while the database still stores the one before."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        coming = reader.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = reader.submit(next, chunks, None)
            yield chunk


def _store_with_retries(store: Callable[[list[Any]], int], chunk: list[Any]) -> int:
    """Store a chunk; again where another transaction wrote the same prompt between the look-up and the insert."""
    for attempt in range(1, _MOST_TRIES + 1):
        try:
            return store(chunk)
        except IntegrityError:
            if attempt == _MOST_TRIES:
                raise
    raise AssertionError("unreachable")


def _version_of(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise FileRefused(f"{path}: cannot be read: {error.strerror}") from error
    return status.st_size, status.st_mtime_ns


def _note(verb: str, project: Project, by: User | None, name: str, report: ImportReport) -> None:
    if report.imported:
        counts = {"imported": report.imported, "repeated": report.repeated, "refused": report.num_refused}
        AuditEvent.note(verb, project, by=by, file=name, format=report.format, **counts)
