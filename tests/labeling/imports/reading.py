"""Reading a small file by the format that is found, and what its records say, in plain values."""

from pathlib import Path
from typing import Any

from labeling.imports import detect
from labeling.imports.importer import read_records
from labeling.imports.reader import EntryReader, Refusal
from records import Demonstration, Prompt, Ranking
from tests.labeling.imports.files import write_lines

Spoken = list[tuple[str, str]]


def read(tmp_path: Path, kind: Any, *values: Any) -> tuple[str, list[Any], list[str]]:
    """(format found, records, reasons of refusals) of a file of these values."""
    path = write_lines(tmp_path / "file.jsonl", values)
    known = detect(path, kind=kind)
    reads = list(read_records(EntryReader(path), known, kind))
    records = [record for one in reads if not isinstance(one, Refusal) for record in one.records]
    return known.name, records, [one.reason for one in reads if isinstance(one, Refusal)]


def spoken(record: Demonstration | Prompt) -> Spoken:
    return [(message.role, message.content) for message in record.messages]


def preference(ranking: Ranking) -> list[list[str]]:
    contents = {completion.id: completion.content for completion in ranking.completions}
    return [[contents[name] for name in tier] for tier in ranking.tiers]
