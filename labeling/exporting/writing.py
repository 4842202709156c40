"""The files of an export while it is built: one of records, or one for each split in another format."""

import json
from collections import Counter
from pathlib import Path
from typing import IO, Any

from labeling.exporting.formats import OutputFormat
from records.lines import to_line

_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
README = "README.md"


class RecordsWriter:
    """All records in one file, each with its split in it."""

    lost: Counter[str]

    def __init__(self, folder: Path, file_name: str) -> None:
        self._file = _open(folder / file_name)
        self.lost = Counter()

    def write(self, record: Any) -> None:
        self._file.write(to_line(record))

    def close(self) -> None:
        self._file.close()


class FormatWriter:
    """A file for each split, as Hugging Face's `datasets` finds them; counts what the format loses."""

    def __init__(self, folder: Path, output: OutputFormat) -> None:
        self._folder, self._output = folder, output
        self._files: dict[str, IO[str]] = {}
        self.lost: Counter[str] = Counter()

    def write(self, record: Any) -> None:
        self.lost.update(self._output.count_lost(record))
        file = self._files.get(record.split) or self._open(record.split)
        for line in self._output.lines(record):
            file.write(_CANONICAL.encode(line) + "\n")

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        empty = [name for name in self._files if not self._path(name).stat().st_size]
        for name in empty:  # a split of abstentions alone; `datasets` cannot read an empty file
            self._path(name).unlink()
        splits = sorted(set(self._files) - set(empty), key=["train", "validation", "test"].index)
        if splits:
            (self._folder / README).write_text(_readme(splits), encoding="utf-8")

    def _open(self, split: str) -> IO[str]:
        self._files[split] = _open(self._path(split))
        return self._files[split]

    def _path(self, split: str) -> Path:
        return self._folder / f"{split}.jsonl"


def _open(path: Path) -> IO[str]:
    return open(path, "w", encoding="utf-8", newline="\n")


def _readme(splits: list[str]) -> str:
    """What tells `datasets.load_dataset(directory)` which file is which split."""
    files = "".join(f"  - split: {name}\n    path: {name}.jsonl\n" for name in splits)
    return f"---\nconfigs:\n- config_name: default\n  data_files:\n{files}---\n\nWhat is in it is in card.md.\n"
