"""Dialogues and prompts from files as rows."""

from pathlib import Path
from typing import Any

import pytest

from labeling.imports import ImportReport, import_dialogues, importer, preview
from labeling.imports.formats import chitchat
from labeling.models import AuditEvent, Dialogue, Message, Project, Prompt, User
from records import Demonstration
from tests.labeling.factories import make_prompt
from tests.labeling.imports.files import assistant, real_file, user, write_lines

pytestmark = pytest.mark.django_db
DIALOGUE = {"messages": [user("Hello"), assistant("Hi."), user("Why?\n\tSo: \\n"), assistant("So.")]}


def take_in(tmp_path: Path, project: Project, *values: Any, **options: Any) -> ImportReport:
    path = write_lines(tmp_path / "file.jsonl", values)
    return import_dialogues(path, project=project, by=options.pop("by", None), **options)


def said(dialogue: Dialogue) -> list[tuple[str, str]]:
    return list(dialogue.messages.values_list("role", "content"))


def test_a_dialogue_comes_in_accepted_with_its_messages(tmp_path: Path, project: Project, erin: User) -> None:
    assert take_in(tmp_path, project, DIALOGUE, by=erin).imported == 1
    dialogue = Dialogue.objects.get()
    assert (dialogue.kind, dialogue.state) == (Dialogue.Kind.IMPORTED, Dialogue.State.ACCEPTED)
    assert (dialogue.author, dialogue.reviewed_by, dialogue.source) == (None, erin, "file.jsonl")
    assert said(dialogue) == [(message["role"], message["content"]) for message in DIALOGUE["messages"]]
    assert set(Message.objects.values_list("authorship", flat=True)) == {Message.Authorship.IMPORTED}
    assert AuditEvent.objects.get().verb == "import dialogues"


def test_a_question_becomes_a_prompt_of_the_pool(tmp_path: Path, project: Project) -> None:
    take_in(tmp_path, project, {"turns": ["One"], "category": "writing"})
    prompt = Prompt.objects.get()
    assert (prompt.messages, prompt.topic) == ([user("One")], "writing")
    assert not Dialogue.objects.exists()


def test_the_same_file_twice_adds_nothing(tmp_path: Path, project: Project) -> None:
    values = [DIALOGUE, {"messages": [user("A prompt")]}, DIALOGUE]
    first, again = take_in(tmp_path, project, *values), take_in(tmp_path, project, *values)
    assert (first.imported, first.repeated) == (2, 1)
    assert (again.imported, again.repeated) == (0, 3)
    assert (Dialogue.objects.count(), Prompt.objects.count()) == (1, 1)


def test_rows_stand_in_the_order_of_their_file(
    tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "CHUNK", 4)
    words = [f"{word}?" for word in ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")]
    take_in(tmp_path, project, *({"messages": [user(word)]} for word in words))
    take_in(tmp_path, project, *({"messages": [user(word), assistant("Yes.")]} for word in words))
    prompts = Prompt.objects.order_by("created_at")
    assert [str(prompt) for prompt in prompts] == words
    assert [said(dialogue)[0][1] for dialogue in Dialogue.objects.order_by("created_at")] == words


def test_a_prompt_that_somebody_wrote_here_is_known(tmp_path: Path, project: Project) -> None:
    make_prompt(project=project, content="Known?")
    assert take_in(tmp_path, project, {"messages": [user("Known?")]}).repeated == 1


@pytest.mark.parametrize(("num_turns", "length"), [(1, 1), (2, 3), (9, 3)])
def test_openings_of_dialogues_can_become_prompts(
    tmp_path: Path, project: Project, num_turns: int, length: int
) -> None:
    assert take_in(tmp_path, project, DIALOGUE, into_prompts=True, num_turns=num_turns).imported == 1
    assert Prompt.objects.get().messages == DIALOGUE["messages"][:length]
    assert not Dialogue.objects.exists()


def test_one_bad_line_stops_all_but_not_with_skip(tmp_path: Path, project: Project) -> None:
    values = [DIALOGUE, {"messages": [user("\ud800")]}]
    assert take_in(tmp_path, project, *values).stopped
    assert not Dialogue.objects.exists()
    assert take_in(tmp_path, project, *values, on_error="skip").imported == 1


def test_a_preview_stores_nothing(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [DIALOGUE, "{broken", *[{"messages": [user(f"Q{i}")]} for i in range(9)]])
    seen = preview(path, kind="dialogues", num=3)
    assert seen.format.label == "OpenAI chat messages or ChatML"
    assert isinstance(seen.records[0], Demonstration)
    assert len(seen.records) == 3
    assert [one.line for one in seen.refused] == [2]
    assert not Dialogue.objects.exists()


@pytest.mark.parametrize(
    ("name", "format_name", "num"),
    [
        ("oasst_trees.jsonl.gz", "oasst", 57),
        ("instruction_seed_tasks.jsonl.gz", "alpaca", 175),
        ("mt_bench_questions.jsonl.gz", "questions", 80),
    ],
)
def test_the_real_files(project: Project, name: str, format_name: str, num: int) -> None:
    report = import_dialogues(real_file(name), project=project, by=None)
    assert (report.format, report.imported, report.num_refused) == (format_name, num, 0)


def test_the_chitchat_data_set(project: Project) -> None:
    path = chitchat.dataset_path()
    if path is None:
        pytest.skip("the wheel chitchat-dataset is not installed")
    report = import_dialogues(path, project=project, by=None, on_error="skip", limit=600)
    assert report.format == "chitchat"
    assert report.imported > 250
    assert report.imported + report.repeated + report.num_refused == 600
    assert {one.reason.partition(": ")[2] for one in report.refused} == {"has 1 speakers; a dialogue has two"}
    roles = Dialogue.objects.first().messages.values_list("role", flat=True)  # type: ignore[union-attr]
    assert list(roles)[:2] == ["user", "assistant"]
