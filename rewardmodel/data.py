"""Rankings from an export or a file: read strictly, split by prompt, counted where left out.

What cannot be right is refused, with file and line, before any training starts. What is right but
cannot teach (an abstention, a ranking that is all ties, a prompt that is also held out) is left out
and counted, and the counts travel with the model.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from records import FORMAT_VERSION, Completion, Demonstration, ManifestError, Message, Ranking, RecordError, decode
from records.lines import read_json_lines
from records.manifest import MANIFEST, sha256_of, verify_directory
from records.names import DEMONSTRATIONS_FILE, RANKINGS_FILE
from rewardmodel.rewardbench import holds_pairs, read_pairs
from rewardmodel.splits import HELD_OUT, SplitBy, assign_splits, find_leaks

Record = TypeVar("Record")


class DataError(ValueError):
    """Data that cannot be trained on or evaluated: where, what, what to do."""


@dataclass(frozen=True)
class Source:
    """A file of records and the hash by which a model's card names it."""

    path: Path
    sha256: str
    export: str | None = None
    """Identity of the export that the file is part of, where its manifest gives one."""


@dataclass(frozen=True)
class RankingSet:
    """Rankings that can teach, each with a split, and how many were left out for which reason."""

    source: Source
    rankings: tuple[Ranking, ...]
    left_out: dict[str, int]
    has_splits: bool = True
    """False where no record carries a split and none was drawn: nothing is held out."""

    def of_split(self, *splits: str) -> list[Ranking]:
        """The rankings in any of `splits`."""
        return [ranking for ranking in self.rankings if ranking.split in splits]


def load_rankings(path: Path, *, validation_fraction: float = 0.1, split_by: SplitBy = "prompt") -> RankingSet:
    """Read, check and split the rankings of an export directory or a .jsonl file.

    `left_out` counts: abstained; all_tied (no pair); leaking (in train, though the same prompt or one nearly
    the same is held out). Held-out rankings are never dropped for what is in train, so that figures
    of several models stay comparable.
    """
    source = find_source(path, RANKINGS_FILE)
    rankings = list(read_rankings(source.path))
    if not rankings:
        raise DataError(f"{source.path}: holds no rankings")
    has_splits = validation_fraction > 0 or any(ranking.split for ranking in rankings)
    drawn = [ranking.trainer for ranking in rankings if not ranking.split]
    rankings = assign_splits(rankings, validation_fraction=validation_fraction, split_by=split_by)
    if split_by == "trainer" and drawn and validation_fraction > 0:
        _require_held_out_trainers(source.path, rankings, drawn)
    leaking = {leak.record_id for leak in find_leaks(rankings)}
    reasons = [_reason_to_leave_out(ranking, leaking) for ranking in rankings]
    kept = tuple(ranking for ranking, reason in zip(rankings, reasons, strict=True) if reason is None)
    return RankingSet(source, kept, dict(Counter(filter(None, reasons))), has_splits)


def load_demonstrations(path: Path) -> tuple[Source, list[Demonstration]]:
    """Demonstrations that teach: those in no held-out split."""
    source = find_source(path, DEMONSTRATIONS_FILE)
    return source, [record for record in _read(source.path, Demonstration) if record.split in (None, "train")]


def find_source(path: Path, file_name: str) -> Source:
    """The file of records at `path`: itself, or `file_name` in a published directory that verifies."""
    if path.is_file():
        return Source(path, sha256_of(path))
    if not path.is_dir():
        raise DataError(f"{path}: no such file or directory; give an export's directory or a .jsonl file")
    manifest = verify_directory(path)
    _require_version(manifest, path)
    if file_name not in manifest["files"]:
        raise DataError(f"{path}: this export holds no {file_name}; export that kind, or give a .jsonl file")
    export = manifest.get("export_id", manifest.get("id"))
    return Source(path / file_name, sha256_of(path / MANIFEST), None if export is None else str(export))


def read_rankings(path: Path) -> Iterator[Ranking]:
    """Rankings of a file, checked against one another; pairs (rewardmodel.rewardbench) count as rankings of two.

    RecordError names file, line and field.
    """
    seen: set[str] = set()
    compared: dict[str, tuple[str, str]] = {}
    for where, ranking in read_pairs(path) if holds_pairs(path) else _located(path, Ranking):
        label = f"{where}: ranking {ranking.id}"
        if ranking.id in seen:
            raise RecordError(f'{label}: "id" is used twice in this file')
        seen.add(ranking.id)
        _require_text(ranking, label)
        content = _digest(ranking.messages, ranking.completions)
        known, first = compared.setdefault(ranking.comparison_id, (content, ranking.id))
        if known != content:
            raise RecordError(
                f'{label}: "comparison_id" {ranking.comparison_id} has other messages or completions here than in '
                f"ranking {first}; two comparisons share an id"
            )
        yield ranking


def _read(path: Path, cls: type[Record]) -> Iterator[Record]:
    return (record for _, record in _located(path, cls))


def _located(path: Path, cls: type[Record]) -> Iterator[tuple[str, Record]]:
    for number, values in read_json_lines(path):
        where = f"{path.name}:{number}"
        yield where, decode(cls, values, where=where)


def _reason_to_leave_out(ranking: Ranking, leaking: set[str]) -> str | None:
    if ranking.abstained is not None:
        return "abstained"
    if len(ranking.tiers) < 2:
        return "all_tied"
    return "leaking" if ranking.id in leaking else None


def _require_held_out_trainers(path: Path, rankings: Sequence[Ranking], drawn: Sequence[str | None]) -> None:
    """Raise DataError where trainers were to be held out and none is."""
    trainers = set(drawn) - {None}
    if not trainers:
        raise DataError(f'{path}: cannot be split by trainer, since no ranking without a "split" names its "trainer"')
    if not any(ranking.trainer in trainers for ranking in rankings if ranking.split in HELD_OUT):
        raise DataError(
            f"{path}: of {len(trainers)} trainers none is drawn to be held out; raise --validation-fraction, "
            'or give each record its "split"'
        )


def _require_version(manifest: dict[str, Any], path: Path) -> None:
    version = manifest.get("format_version", FORMAT_VERSION)
    if version != FORMAT_VERSION:
        raise ManifestError(
            f'{path}: manifest.json: "format_version" is {version}, this program reads {FORMAT_VERSION}; '
            "export again, or use the program's matching version"
        )


def _require_text(ranking: Ranking, label: str) -> None:
    for index, message in enumerate(ranking.messages):
        if not message.content.strip():
            raise RecordError(f'{label}: "messages[{index}].content" is empty')
    for index, completion in enumerate(ranking.completions):
        if not completion.content.strip() and not _stopped_at_once(completion):
            raise RecordError(
                f'{label}: "completions[{index}].content" is empty; only a policy that stopped at once '
                '("policy" set, "finish_reason" stop) has nothing to say'
            )


def _stopped_at_once(completion: Completion) -> bool:
    return completion.policy is not None and completion.finish_reason in ("stop", "other_stop")


def _digest(messages: Sequence[Message], completions: Sequence[Completion]) -> str:
    spoken = [(message.role, message.content) for message in messages]
    parts = (spoken, sorted((completion.id, completion.content) for completion in completions))
    return hashlib.sha256(repr(parts).encode()).hexdigest()
