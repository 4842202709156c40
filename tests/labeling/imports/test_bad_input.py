"""Files that are broken or mean harm: each is refused with a reason, and no row is written because of it."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps

from labeling.exports.formats import FORMATS
from labeling.imports import FileRefused, import_dialogues, import_rankings, uploads
from labeling.models import Import, Project, User
from tests.labeling.exports.material import exported, rankings_in
from tests.labeling.factories import make_project
from tests.labeling.imports.files import (
    assistant,
    hh_pair,
    oasst_message,
    oasst_tree,
    ranking_record,
    user,
    write_lines,
)

pytestmark = pytest.mark.django_db
GOOD = json.dumps(ranking_record()).encode() + b"\n"


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky")


def rows() -> dict[str, int]:
    """How many rows every table has."""
    return {model._meta.label: model._default_manager.count() for model in apps.get_app_config("labeling").get_models()}


def ranking_line(**fields: Any) -> bytes:
    return json.dumps(ranking_record(7, **fields)).encode() + b"\n"


def nested(depth: int) -> bytes:
    return b'{"id": ' + b"[" * depth + b"]" * depth + b"}\n"


def cyclic_messages() -> bytes:
    """Flat Open-Assistant messages of which two are each other's parents."""
    lines = [
        {"message_id": "root", "parent_id": None, "message_tree_id": "t", "text": "Q", "role": "prompter"},
        {"message_id": "a", "parent_id": "b", "message_tree_id": "t", "text": "A", "role": "assistant"},
        {"message_id": "b", "parent_id": "a", "message_tree_id": "t", "text": "B", "role": "prompter"},
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


BAD_LINES: dict[str, tuple[bytes, str]] = {
    "latin-1": ('{"id": "ä"}\n'.encode("latin-1"), "not UTF-8 at byte 9"),
    "UTF-16 in the middle": ('{"id": "ä"}'.encode("utf-16-le") + b"\n", "NUL bytes; is the file UTF-16?"),
    "NUL byte": (b'{"id": "a\x00b"}\n', "NUL bytes"),
    "NUL escape": (ranking_line(topic="a\x00b"), "has a NUL character"),
    "half a surrogate pair": (b'{"id": "\\udc00"}\n', "half of a surrogate pair"),
    "byte order mark in the middle": (b"\xef\xbb\xbf" + ranking_line(), "not JSON"),
    "nested junk": (nested(100_000), "nested too deeply"),
    "gigantic line": (b'{"id": "' + b"x" * 17 * 2**20 + b'"}\n', "longer than 16 MiB"),
    "gigantic message": (ranking_line(messages=[user("x" * 100_001)]), "at most 100,000 can be kept"),
    "broken JSON": (b'{"id": \n', "not JSON"),
    "NaN": (ranking_line().replace(b"}\n", b', "seconds": NaN}\n'), "has NaN, which is not JSON"),
    "too large a number": (ranking_line().replace(b"}\n", b', "seconds": 1e999}\n'), "too large a number"),
    "completion named twice": (ranking_line(tiers=[["k-7-0", "k-7-0"], ["k-7-1", "k-7-2", "k-7-3"]]), "twice"),
    "completion ids twice": (
        ranking_line(completions=[{"id": "k", "content": "A"}] * 2, tiers=[["k"]]),
        '"completions" names completion k twice',
    ),
    "completion left out": (ranking_line(tiers=[["k-7-0"]]), "leaves out completion"),
    "tier without anything": (ranking_line(tiers=[["k-7-0", "k-7-1"], [], ["k-7-2", "k-7-3"]]), "has an empty tier"),
    "another object": (b'{"colour": "red"}\n', "does not look like Parley's rankings"),
    "not an object": (b"[1, 2]\n", "does not look like Parley's rankings"),
}  # fmt: skip


@pytest.mark.parametrize(("line", "reason"), BAD_LINES.values(), ids=BAD_LINES)
def test_one_bad_line_stops_the_file_with_its_number(
    project: Project, tmp_path: Path, line: bytes, reason: str
) -> None:
    path = tmp_path / "rankings.jsonl"
    path.write_bytes(GOOD + line + json.dumps(ranking_record(2)).encode() + b"\n")
    before = rows()
    report = import_rankings(path, project=project, by=None)
    assert (report.stopped, report.imported) == (True, 0)
    assert report.refused[0].line == 2
    assert reason in report.refused[0].reason
    assert rows() == before


@pytest.mark.parametrize(("line", "reason"), BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_line_that_is_skipped_takes_nothing_with_it(
    project: Project, tmp_path: Path, line: bytes, reason: str
) -> None:
    path = tmp_path / "rankings.jsonl"
    path.write_bytes(GOOD + line + json.dumps(ranking_record(2)).encode() + b"\n")
    report = import_rankings(path, project=project, by=None, on_error="skip")
    assert (report.imported, report.num_refused) == (2, 1)
    assert len(rankings_in(exported(project))) == 2


BAD_FILES: dict[str, tuple[str, bytes, str]] = {
    "empty": ("a.jsonl", b"", "is empty"),
    "UTF-16": ("a.json", '{"id": 1}\n'.encode("utf-16"), "neither JSON Lines nor JSON"),
    "a zip archive": ("a.json", b"PK\x03\x04 and so on", "neither JSON Lines nor JSON"),
    "gzip in name and first bytes alone": ("a.jsonl.gz", b"\x1f\x8b not gzip at all", "damaged gzip file"),
    "a format nobody knows": ("a.jsonl", b'{"colour": "red"}\n', "no known format looks like that"),
}


@pytest.mark.parametrize(("name", "content", "reason"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_is_nothing_known_is_refused_whole(
    project: Project, tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    before = rows()
    for take_in in (import_rankings, import_dialogues):
        with pytest.raises(FileRefused, match=reason):
            take_in(path, project=project, by=None)
    assert rows() == before


def test_a_gzip_bomb_writes_no_row(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "bomb.jsonl.gz"
    with gzip.open(path, "wb") as file:
        file.write(GOOD)
        for _ in range(200):
            file.write(b" " * (2**20 - 1) + b"\n")
    before = rows()
    report = import_rankings(path, project=project, by=None)
    assert "unpacks to far more than text does" in report.refused[0].reason
    assert rows() == before


def test_a_gzip_file_that_breaks_off_writes_no_row(project: Project, tmp_path: Path) -> None:
    lines = b"".join(json.dumps(ranking_record(number)).encode() + b"\n" for number in range(2_000))
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(gzip.compress(lines)[:-2_000])
    before = rows()
    report = import_rankings(path, project=project, by=None)
    assert "damaged gzip file" in report.refused[-1].reason
    assert rows() == before


def test_a_byte_order_mark_at_the_beginning_is_passed_over(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "rankings.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD)
    assert import_rankings(path, project=project, by=None).imported == 1


def deep_messages() -> bytes:
    """One long thread of a thousand messages, the last with ranked answers."""
    lines = [
        {
            "message_id": f"m{number}",
            "parent_id": f"m{number - 1}" if number else None,
            "message_tree_id": "t",
            "text": "x",
            "role": ("prompter", "assistant")[number % 2],
        }
        for number in range(1_000)
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


BAD_TREES: dict[str, tuple[Callable[[], bytes], str]] = {
    "a message is its own ancestor": (
        lambda: json.dumps(oasst_tree(oasst_message("a", "assistant", oasst_message("root", "prompter")))).encode(),
        "is used twice",
    ),
    "two messages are each other's parents": (cyclic_messages, "does not stand before it"),
    "an id is used twice": (
        lambda: json.dumps(oasst_tree(*(oasst_message("a", "assistant", rank=i) for i in (0, 1)))).encode(),
        "twice",
    ),
    "a rank below zero": (
        lambda: json.dumps(oasst_tree(*(oasst_message(f"a{i}", "assistant", rank=i - 1) for i in (0, 1)))).encode(),
        '"rank" must be',
    ),
    "a tree a thousand deep": (
        deep_messages,
        "deeper than 500",
    ),
}


@pytest.mark.parametrize(("make", "reason"), BAD_TREES.values(), ids=BAD_TREES)
def test_a_tree_that_is_none_writes_no_row(
    project: Project, tmp_path: Path, make: Callable[[], bytes], reason: str
) -> None:
    path = tmp_path / "trees.jsonl"
    path.write_bytes(make() + b"\n")
    before = rows()
    report = import_rankings(path, project=project, by=None)
    assert reason in report.refused[0].reason
    assert rows() == before


def test_ranks_with_gaps_keep_their_order_and_their_ties(project: Project, tmp_path: Path) -> None:
    ranks = (7, 0, 7, 3)
    answers = [oasst_message(f"a{index}", "assistant", rank=rank) for index, rank in enumerate(ranks)]
    path = write_lines(tmp_path / "trees.jsonl", [oasst_tree(*answers)])
    assert import_rankings(path, project=project, by=None).imported == 1
    (record,) = rankings_in(exported(project))
    contents = {completion.id: completion.content for completion in record.completions}
    assert [{contents[name] for name in tier} for tier in record.tiers] == [
        {"text of a1"}, {"text of a3"}, {"text of a0", "text of a2"},
    ]  # fmt: skip


def test_ids_used_twice_in_a_file_are_two_rankings_where_they_say_two_things(project: Project, tmp_path: Path) -> None:
    again = ranking_record(tiers=[["k-0-3"], ["k-0-2"], ["k-0-1"], ["k-0-0"]])
    path = write_lines(tmp_path / "rankings.jsonl", [ranking_record(), ranking_record(), again])
    report = import_rankings(path, project=project, by=None)
    assert (report.imported, report.repeated) == (2, 1)
    assert import_rankings(path, project=project, by=None).imported == 0


# Names and cells


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("/etc/cron.d/evil.jsonl", "evil.jsonl"),
        ("a\nb\x00c\u202e.jsonl", "abc.jsonl"),
        ("..", "file"),
        ("", "file"),
        ("=HYPERLINK(evil).jsonl", "=HYPERLINK(evil).jsonl"),
        ("x" * 400 + ".jsonl", "x" * 194 + ".jsonl"),
    ],
)
def test_the_name_of_a_file_is_no_path(project: Project, erin: User, store: Path, name: str, kept: str) -> None:
    brought = uploads.bring(project, name=name, content=[GOOD], kind="rankings", by=erin)
    assert brought.file_name == kept
    path = uploads.path_of(brought).resolve()
    assert path.is_relative_to((store / "imports" / str(brought.id)).resolve())
    assert {one.name for one in store.parent.iterdir()} == {"store"}


def test_a_refused_upload_leaves_neither_row_nor_file(project: Project, store: Path) -> None:
    before = rows()
    with pytest.raises(uploads.UploadError):
        uploads.bring(project, name="../a.jsonl", content=[b"[1]\n"], kind="rankings", by=None)
    assert rows() == before
    assert Import.objects.count() == 0
    assert [path for path in store.rglob("*") if path.is_file()] == []


def test_no_format_writes_cells_in_which_text_is_a_formula() -> None:
    """Were there a table of text, `=cmd|…` in somebody's answer would run in somebody's spreadsheet."""
    assert {output.ending for output in FORMATS} <= {".jsonl", ".jsonl.gz", ".parquet"}


def test_a_formula_comes_in_and_goes_out_as_the_text_it_is(project: Project, tmp_path: Path) -> None:
    formula = "=cmd|' /C calc'!A0"
    path = write_lines(tmp_path / "pairs.jsonl", [hh_pair(chosen=formula)])
    assert import_rankings(path, project=project, by=None).imported == 1
    (record,) = rankings_in(exported(project))
    assert formula in {completion.content for completion in record.completions}
    said = write_lines(tmp_path / "said.jsonl", [{"messages": [user("+1"), assistant("@SUM(1)")]}])
    assert import_dialogues(said, project=project, by=None).imported == 1
