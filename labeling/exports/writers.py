"""Writers of an export's files: one file of records, or one file per split in another format."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import IO, Any, Protocol

from labeling.exports.formats import OutputFormat
from labeling.exports.formats.parquet import ParquetFile
from records.lines import to_line

_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
README = "README.md"
_TREES = ".jsonl.gz"  # trees of any depth; `datasets` reads tables only, so they get no README


class RecordsWriter:
    """All records in one JSON Lines file; each record names its split."""

    def __init__(self, folder: Path, file_name: str) -> None:
        self.file: IO[bytes] = open(folder / file_name, "wb", buffering=2**20)  # noqa: SIM115 (closed by `close`)

    def write(self, record: Any) -> None:
        self.file.write(to_line(record).encode())

    def counts(self) -> dict[str, dict[str, int]]:
        return {}

    def close(self) -> None:
        self.file.close()


class FormatWriter:
    """One file per split, named as Hugging Face `datasets` expects; counts what the format loses."""

    def __init__(self, folder: Path, output: OutputFormat) -> None:
        self._folder, self._output = folder, output
        self._files: dict[str, _Rows] = {}
        self._lost: Counter[str] = Counter()
        self._records_with: Counter[str] = Counter()

    def write(self, record: Any) -> None:
        for loss in self._output.losses:
            if num := loss.count(record):
                self._lost[loss.name] += num
                self._records_with[loss.name] += 1
        for line in self._output.lines(record):
            file = self._files.get(record.split) or self._open(record.split)
            file.write(line)

    def counts(self) -> dict[str, dict[str, int]]:
        """What was lost, and in how many records it was, as in the manifest."""
        return {"lost": dict(sorted(self._lost.items())), "lost_in": dict(sorted(self._records_with.items()))}

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        splits = sorted(self._files, key=["train", "validation", "test"].index)
        # A split of which nothing was written, as one of abstentions only, has no file: `datasets` rejects empty ones.
        if splits and self._output.ending != _TREES:
            names = {split: self._path(split).name for split in splits}
            (self._folder / README).write_text(_readme(names), encoding="utf-8")

    def _open(self, split: str) -> "_Rows":
        path = self._path(split)
        parquet = path.suffix == ".parquet"
        self._files[split] = ParquetFile(path, self._output.kind) if parquet else _LinesFile(path)
        return self._files[split]

    def _path(self, split: str) -> Path:
        return self._folder / f"{split}{self._output.ending}"


class _Rows(Protocol):
    def write(self, row: dict[str, Any], /) -> None: ...
    def close(self) -> None: ...


class _LinesFile:
    """JSON Lines, gzipped where the name ends in .gz; the header has no time, so that equal lines give equal bytes."""

    def __init__(self, path: Path) -> None:
        self._raw: Any = open(path, "wb")  # noqa: SIM115 (closed by `close`)
        self._file = gzip.GzipFile("", "wb", fileobj=self._raw, mtime=0) if path.suffix == ".gz" else self._raw

    def write(self, row: dict[str, Any]) -> None:
        self._file.write(f"{_CANONICAL.encode(row)}\n".encode())

    def close(self) -> None:
        self._file.close()
        self._raw.close()


def _readme(files: dict[str, str]) -> str:
    """A README whose YAML header tells `datasets.load_dataset(directory)` which file is which split."""
    listed = "".join(f"  - split: {split}\n    path: {name}\n" for split, name in files.items())
    return f"---\nconfigs:\n- config_name: default\n  data_files:\n{listed}---\n\nWhat is in it is in card.md.\n"
