"""Files as streams of JSON values: what is read, what is refused, on which line, in how much memory."""

import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.imports.reader import Entry, EntryReader, FileRefused, Refusal

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
).filter(lambda value: "\\u0000" not in json.dumps(value))


def read(path: Path) -> list[Entry | Refusal]:
    return list(EntryReader(path))


def values(path: Path) -> list[Any]:
    return [entry.value for entry in read(path) if isinstance(entry, Entry)]


def refusals(path: Path) -> list[tuple[int, str]]:
    return [(entry.line, entry.reason) for entry in read(path) if isinstance(entry, Refusal)]


def written(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.txt", "a"])
def test_lines_are_told_by_content(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, '{"a": 1}\n\n{"a": 2}\n')
    assert [(entry.line, entry.value) for entry in read(path)] == [(1, {"a": 1}), (3, {"a": 2})]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_a_list_gives_its_values_with_their_lines(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, '[\n  {"a": 1},\n  {"a":\n 2},\n\n  {"a": 3}\n]\n')
    assert [(entry.line, entry.value["a"]) for entry in read(path)] == [(2, 1), (3, 2), (6, 3)]  # type: ignore[union-attr]


def test_an_object_of_objects_gives_each_with_its_key(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", json.dumps({"x": {"messages": [1]}, "y": {"messages": [2]}}, indent=1))
    assert [(entry.key, entry.value) for entry in read(path)] == [  # type: ignore[union-attr]
        ("x", {"messages": [1]}),
        ("y", {"messages": [2]}),
    ]


def test_a_single_object_is_one_value(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", json.dumps({"prompt": "x", "chosen": "y"}, indent=1))
    assert values(path) == [{"prompt": "x", "chosen": "y"}]


@pytest.mark.parametrize("content", ["[]", " [ ] \n", "{}"])
def test_nothing_inside_gives_nothing(tmp_path: Path, content: str) -> None:
    assert read(written(tmp_path / "a.json", content)) == []


def test_gzip_is_told_by_content_and_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + '{"a": "ä"}\r\n{"a": 2}\r\n'.encode()
    assert values(written(tmp_path / "a.jsonl", content)) == [{"a": "ä"}, {"a": 2}]
    assert values(written(tmp_path / "b.jsonl", gzip.compress(content))) == [{"a": "ä"}, {"a": 2}]


@given(st.lists(JSON, min_size=1, max_size=8))
def test_a_list_and_lines_give_the_same_values(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    folder = tmp_path_factory.mktemp("same")
    listed = written(folder / "a.json", json.dumps(rows, indent=2, ensure_ascii=False))
    assert values(listed) == rows
    wrapped = [{"value": row} for row in rows]
    lines = written(folder / "a.jsonl", "".join(json.dumps(row) + "\n" for row in wrapped))
    assert values(lines) == wrapped


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": 1', "not JSON at column 8"),
        (b"{'a': 1}", "not JSON at column 2"),
        (b'{"a": 1} {"a": 2}', "Extra data"),
        (b'{"a": NaN}', "has NaN, which is not JSON"),
        (b'{"a": -Infinity}', "has -Infinity"),
        (b'{"a": 1e400}', "too large a number"),
        (b'{"a": ' + b"9" * 5000 + b"}", "Exceeds the limit"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 8"),
        (b'{"a": "\\u0000"}', "has a NUL character"),
        (b'{"a": "\\ud800"}', "half of a surrogate pair"),
        (b'{"a": "x\x00y"}', "NUL bytes; is the file UTF-16?"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    ],
)
def test_a_bad_line_is_refused_with_its_number_and_the_rest_is_read(tmp_path: Path, line: bytes, reason: str) -> None:
    path = written(tmp_path / "a.jsonl", b'{"a": 1}\n' + line + b'\n{"a": 3}\n')
    assert values(path) == [{"a": 1}, {"a": 3}]
    ((number, told),) = refusals(path)
    assert number == 2
    assert reason in told


def test_an_escaped_pair_and_an_escaped_backslash_are_kept(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", '{"a": "\\ud83d\\ude00", "b": "\\\\u0000"}\n')
    assert values(path) == [{"a": "😀", "b": "\\u0000"}]


def test_a_line_too_long_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with open(path, "wb") as file:
        file.write(b'{"a": "')
        for _ in range(50):
            file.write(b"x" * 2**20)
        file.write(b'"}\n{"a": 2}\n')
    tracemalloc.start()
    found = read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [entry.line for entry in found] == [1, 2]
    assert found[0] == Refusal(1, "longer than 16 MiB")
    assert peak < 100 * 2**20


def test_a_long_list_is_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with open(path, "w") as file:
        file.write("[" + ",".join(json.dumps({"a": "y" * 1000}) for _ in range(30_000)) + "]")
    assert path.stat().st_size > 30e6
    tracemalloc.start()
    num = sum(isinstance(entry, Entry) for entry in EntryReader(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert num == 30_000
    assert peak < 8 * 2**20


def test_a_gzip_bomb_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "bomb.jsonl.gz"
    with gzip.open(path, "wb") as file:
        file.write(b'{"a": 1}\n')
        for _ in range(200):
            file.write(b" " * (2**20 - 1) + b"\n")
    ((_, reason),) = refusals(path)
    assert "unpacks to far more than text does" in reason


@pytest.mark.parametrize("cut", range(1, 21))
def test_a_file_that_breaks_off_gives_what_came_before(tmp_path: Path, cut: int) -> None:
    rows = [{"a": number, "text": "ä" * 50} for number in range(20)]
    for name, content in (
        ("a.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode()),
        ("a.json", json.dumps(rows, ensure_ascii=False).encode()),
    ):
        path = written(tmp_path / name, content[: len(content) * cut // 21])
        found = values(path)
        assert found == rows[: len(found)]
        assert len(refusals(path)) == (0 if content[: len(content) * cut // 21].endswith(b"}\n") else 1)


@pytest.mark.parametrize("cut", [30, 60, 90])
def test_a_damaged_gzip_file_is_reported_where_it_breaks(tmp_path: Path, cut: int) -> None:
    content = gzip.compress(b"".join(json.dumps({"a": str(hash(i))}).encode() + b"\n" for i in range(50_000)))
    path = written(tmp_path / "a.jsonl.gz", content[: len(content) * cut // 100])
    found = read(path)
    assert isinstance(found[-1], Refusal)
    assert "damaged gzip file" in found[-1].reason
    assert len(found) > 1000


def test_a_million_junk_lines_end_soon(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", b"junk\n" * 1_000_000)
    found = refusals(path)
    assert len(found) == 10_001
    assert "the rest is left" in found[-1][1]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b" \n\n ", "is empty"),
        (b"Name,Rank\nA,1\n", "neither JSON Lines nor JSON; it begins with 'Name,Rank"),
        (b"PK\x03\x04 zip", "neither JSON Lines nor JSON"),
        ('{"a": 1}\n'.encode("utf-16"), "neither JSON Lines nor JSON"),
        (b"\x1f\x8b not gzip at all", "damaged gzip file"),
    ],
)
def test_what_is_no_json_at_all_is_refused_whole(tmp_path: Path, content: bytes, complaint: str) -> None:
    with pytest.raises(FileRefused, match=complaint.replace("(", "\\(")):
        read(written(tmp_path / "a.json", content))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="No such file"):
        EntryReader(tmp_path / "absent.jsonl")


@given(st.binary(max_size=300))
def test_no_bytes_whatever_break_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    for name in ("a.jsonl", "a.json"):
        try:
            found = read(written(tmp_path_factory.mktemp("any") / name, content))
        except FileRefused:
            continue
        assert all(isinstance(entry, Entry | Refusal) for entry in found)


@pytest.mark.parametrize("number", ["12345678901234567890123", "-98765432109876543210"])
def test_a_whole_number_beyond_64_bits_is_no_whole_number_of_a_record(tmp_path: Path, number: str) -> None:
    (value,) = values(written(tmp_path / "a.jsonl", f'{{"a": {number}, "b": 1}}\n'))
    assert (value["a"], value["b"]) == (float(number), 1)
