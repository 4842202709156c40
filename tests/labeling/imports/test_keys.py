"""What nobody reads of a file: it is named and counted, or refused where leaving it out would change a row."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.imports import import_dialogues
from labeling.imports.detection import FORMATS, detect
from labeling.imports.formats.keys import ALWAYS_PASSED_OVER, CHANGES, Keys, keys, says_nothing, unread_keys
from labeling.imports.importer import preview, read_records
from labeling.imports.messages import FormatError
from labeling.imports.reader import Entry, Refusal
from labeling.imports.report import MOST_UNREAD_KEYS, UnreadKey, UnreadKeys
from labeling.models import Import, Project
from tests.labeling.imports.files import assistant, user, write_lines

ANSWERED = {"messages": [user("Q"), assistant("A")]}
CHAT = next(known for known in FORMATS if known.name == "openai")


def test_a_key_that_is_not_read_is_named_and_counted(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "chat.jsonl",
        [ANSWERED, ANSWERED | {"mood": {"calm": True}}, ANSWERED | {"mood": "x" * 500, "place": 0}],
    )
    seen = preview(path, kind="dialogues")
    assert list(seen.unread) == ["mood", "place"]
    assert seen.unread["mood"] == UnreadKey(num_entries=2, line=2, example='{"calm": true}')


def test_a_key_inside_a_message_is_named_with_where_it_stands() -> None:
    row = {"messages": [user("Q") | {"mood": "calm"}, assistant("A") | {"mood": "glad", "name": "Ann"}]}
    assert list(unread_keys(row, _keys_of_chat(row))) == [("messages[].mood", "calm"), ("messages[].mood", "glad")]


@pytest.mark.parametrize("key", ["images", "System-Prompt", "history", "tool_calls", "reasoning", "votes", "deleted"])
def test_a_key_that_changes_the_meaning_refuses_the_row(key: str) -> None:
    (refused,) = _read(ANSWERED | {key: "something"})
    assert isinstance(refused, Refusal)
    assert refused.reason.startswith(f'"{key}" would be lost')


@pytest.mark.parametrize("value", [None, "", "  ", [], {}, "[]", "null", False])
def test_a_key_without_a_value_changes_nothing(value: Any) -> None:
    (read,) = _read(ANSWERED | {"images": value, "mood": value})
    assert not isinstance(read, Refusal)
    assert read.unread == ()
    assert says_nothing(value)


@pytest.mark.parametrize("value", [0, "0", "no", [None], {"a": None}, True])
def test_a_zero_is_a_value(value: Any) -> None:
    assert not says_nothing(value)


def test_a_weight_of_one_says_what_is_so_anyway() -> None:
    """Zero is a verdict, which verdicts.py refuses; between them, a row would count for more than it should."""
    whole, half = _read(ANSWERED | {"weight": 1.0}), _read(ANSWERED | {"weight": 0.5})
    assert not isinstance(whole[0], Refusal)
    assert isinstance(half[0], Refusal)


def test_a_key_that_a_format_keeps_is_not_refused() -> None:
    row = {"images": ["a.png"], "inner": [{"tools": "t"}]}
    assert list(unread_keys(row, keys("images", inside={"inner": keys("tools")}))) == []
    with pytest.raises(FormatError, match=r'"inner\[\]\.tools" would be lost'):
        list(unread_keys(row, keys("images", inside={"inner": keys()})))


def test_what_changes_the_meaning_is_never_passed_over_in_every_format() -> None:
    assert not ALWAYS_PASSED_OVER & CHANGES.keys()


def test_every_format_declares_its_keys() -> None:
    assert len(FORMATS) > 10
    for known in FORMATS:
        declared = known.keys if isinstance(known.keys, Keys) else known.keys(ANSWERED)
        assert isinstance(declared, Keys), known.name


def test_keys_beyond_what_a_report_holds_are_left() -> None:
    unread = UnreadKeys()
    unread.count(((f"key {number}", 1) for number in range(MOST_UNREAD_KEYS + 50)), line=1)
    unread.count([("key 0", 1), ("another", 2)], line=2)
    assert len(unread) == MOST_UNREAD_KEYS
    assert unread["key 0"].num_entries == 2


def test_a_bad_first_line_refuses_no_file(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "chat.jsonl", ["not JSON", {"messages": []}, 7, ANSWERED])
    assert detect(path, kind="dialogues").name == "openai"


@pytest.mark.django_db
def test_a_report_keeps_what_was_not_read(project: Project, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "chat.jsonl", [ANSWERED | {"mood": "calm"}])
    for on_error in ("stop", "skip"):
        report = import_dialogues(path, project=project, by=None, on_error=on_error)  # type: ignore[arg-type]
        assert report.encoded()["unread"] == {"mood": {"num_entries": 1, "line": 1, "example": "calm"}}


@pytest.mark.django_db
def test_the_pages_say_what_was_not_read(
    project: Project, erins_browser: Client, tmp_path: Path, sent: list[Any]
) -> None:
    from labeling.imports.uploads import run_import

    path = write_lines(tmp_path / "chat.jsonl", [ANSWERED | {"mood": "calm and bright"}])
    with path.open("rb") as file:
        erins_browser.post(reverse("new_import", args=[project.slug]), {"file": file, "into": "dialogues"})
    brought = Import.objects.get()
    address = reverse("import", args=[project.slug, brought.id])
    assert "calm and bright" in erins_browser.get(address).text
    erins_browser.post(address, {})
    assert run_import(brought.id)
    assert "calm and bright" in erins_browser.get(address).text


def _read(row: dict[str, Any]) -> list[Any]:
    return list(read_records(iter([Entry(1, row)]), CHAT, "dialogues"))


def _keys_of_chat(row: dict[str, Any]) -> Keys:
    assert not isinstance(CHAT.keys, Keys)
    return CHAT.keys(row)
