"""Reasoning before an answer is kept apart from it, from the file to the export, and goes with an edit."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from labeling.dialogues.editing import branch, edit_message
from labeling.exports.filters import Filters
from labeling.exports.personal_data import scrub
from labeling.exports.records import read_demonstrations
from labeling.imports import import_dialogues
from labeling.models import Message, Project
from tests.labeling.factories import make_user
from tests.labeling.imports.files import assistant, user, write_lines

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "thinking"])
def test_reasoning_comes_in_apart_from_the_answer(project: Project, tmp_path: Path, key: str) -> None:
    answer = _import(project, tmp_path, {key: "two and two"})
    assert (answer.content, answer.reasoning) == ("4", "two and two")


def test_an_edit_of_the_answer_removes_what_led_to_another(project: Project, tmp_path: Path) -> None:
    author = make_user(projects=[project])
    answer = _import(project, tmp_path, {"reasoning": "two and two"})
    copy = branch(answer, by=author).messages.get(role="assistant")
    assert copy.reasoning == "two and two"
    edit_message(copy, content="Four", by=author)
    copy.refresh_from_db()
    assert copy.reasoning == ""


def test_reasoning_is_exported_and_scrubbed(project: Project, tmp_path: Path) -> None:
    answer = _import(project, tmp_path, {"reasoning": "ask ann@example.org"})
    (record,) = read_demonstrations([str(answer.dialogue_id)], Filters())
    assert record.messages[-1].reasoning == "ask ann@example.org"
    scrubbed = scrub(record, found := Counter())
    assert scrubbed.messages[-1].reasoning == "ask [e-mail address]"
    assert found == {"e-mail address": 1}


def _import(project: Project, tmp_path: Path, more: dict[str, Any]) -> Message:
    path = write_lines(tmp_path / "chat.jsonl", [{"messages": [user("2+2?"), assistant("4") | more]}])
    assert import_dialogues(path, project=project, by=None).imported == 1
    return Message.objects.get(role="assistant")
