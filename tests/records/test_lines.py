"""Files of records: every line is read, and a complaint names the one that cannot be."""

import gzip
from pathlib import Path

import pytest

from records import Message, RecordError, read_jsonl, write_jsonl
from records.lines import read_json_lines

MESSAGES = [Message(role="user", content=text) for text in ("Hi", "ü\u2028", "Bye")]


def test_what_is_written_is_read_zipped_or_plain(tmp_path: Path) -> None:
    path, zipped = tmp_path / "m.jsonl", tmp_path / "m.jsonl.gz"
    assert write_jsonl(path, MESSAGES) == 3
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    assert list(read_jsonl(path, Message)) == list(read_jsonl(zipped, Message)) == MESSAGES


def test_blank_lines_are_passed_over_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\n\n  \n{"a": 2}')
    assert list(read_json_lines(path)) == [(1, {"a": 1}), (4, {"a": 2})]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b'{"role": "user", "content": "Hi"}\n\n{"role": "user"}\n', 'm.jsonl:3: message: "content" is missing'),
        (b"{}\n", 'm.jsonl:1: message: "role" is missing'),
        (b'{"role": "user", "content": "Hi"}\n{broken\n', "m.jsonl:2: not JSON at column 2"),
        (b"\xff\n", "m.jsonl:1: not UTF-8"),
        (gzip.compress(b'{"role": "user", "content": "Hi"}\n', mtime=0)[:-9], "m.jsonl:2: damaged gzip file"),
    ],
    ids=["third", "first", "no JSON", "no UTF-8", "cut off"],
)
def test_a_complaint_names_file_and_line(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(content)
    with pytest.raises(RecordError) as caught:
        list(read_jsonl(path, Message))
    assert complaint in str(caught.value)
