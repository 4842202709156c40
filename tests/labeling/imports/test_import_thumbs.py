"""Thumbs from files: each is on the answer that was judged, and what says neither up nor down is refused by name."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from labeling.imports import FileRefused, import_dialogues, import_rankings, import_thumbs, uploads
from labeling.imports.detection import FORMATS
from labeling.imports.importer import read_records
from labeling.imports.reader import Entry, Refusal
from labeling.models import Dialogue, Import, Project, Thumb, User
from records import SamplingParams, encode
from records import Thumb as ThumbRecord
from tests.labeling.imports.files import assistant, open_webui_feedback, user, write_lines

TURN = {"prompt": "Q", "completion": "A"}
SAID = {"messages": [user("Q"), assistant("A")]}
TURNS = [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]


def read(row: dict[str, Any]) -> list[Any]:
    """The thumbs of a row, or the reason why it is refused, by the first format that knows it."""
    entry = Entry(1, row)
    known = next(known for known in FORMATS if known.thumbs and known.recognises(entry))
    (found,) = read_records(iter([entry]), known, "thumbs")
    return [found.reason] if isinstance(found, Refusal) else found.records


def said(thumb: ThumbRecord) -> list[str]:
    return [*(message.content for message in thumb.messages), thumb.completion.content]


@pytest.mark.parametrize(
    "row",
    [
        TURN,
        {"prompt": "Q", "completion": " A"},
        {"prompt": [user("Q")], "completion": [assistant("A")]},
        {"prompt": [user("Q")], "completion": "A"},
        {"instruction": "Q", "output": "A"},
        {"instruction": "Q", "input": "", "output": "A"},
        SAID,
        {"conversations": TURNS},
        {"conversations": TURNS, "tools": "", "images": []},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("thumb", "up"),
    [
        ({"label": True}, True),
        ({"label": 0}, False),
        ({"kto_tag": False}, False),
        ({"rating": 1}, True),
        ({"rating": -1}, False),
        ({"rating": "-1"}, False),
        ({"feedback": "thumbs_up"}, True),
        ({"feedback": "Thumbs down"}, False),
        ({"thumb": "👎🏽"}, False),
        ({"thumbs": "up"}, True),
        ({"label": False, "rating": -1}, False),
    ],
    ids=str,
)
def test_every_shape_of_an_answer_with_a_thumb_is_read(row: dict[str, Any], thumb: dict[str, Any], *, up: bool) -> None:
    (found,) = read(row | thumb)
    assert ([one.strip() for one in said(found)], found.up, found.trainer_kind) == (["Q", "A"], up, "imported")


@pytest.mark.parametrize(
    ("thumb", "key"),
    [
        ({"label": "good"}, "label"),
        ({"label": "true"}, "label"),
        ({"label": 2}, "label"),
        ({"label": -1}, "label"),
        ({"label": 0.5}, "label"),
        ({"label": None}, "label"),
        ({"kto_tag": [True]}, "kto_tag"),
        ({"rating": 0}, "rating"),
        ({"rating": 5}, "rating"),
        ({"rating": "1.5"}, "rating"),
        ({"rating": "- 1"}, "rating"),
        ({"feedback": "not up to it"}, "feedback"),
        ({"feedback": {"score": 1}}, "feedback"),
        ({"rating": 1, "label": False}, "label"),
    ],
    ids=str,
)
@pytest.mark.parametrize("row", [TURN, SAID], ids=["turn", "dialogue"])
def test_what_says_neither_up_nor_down_is_refused_by_name(row: dict[str, Any], thumb: dict[str, Any], key: str) -> None:
    (reason,) = read(row | thumb)
    assert isinstance(reason, str)
    assert reason.startswith(f'"{key}"')


def test_an_answer_that_nobody_rated_has_no_thumb() -> None:
    assert read(SAID | {"rating": None}) == []
    assert read(SAID | {"feedback": ""}) == []
    assert read(open_webui_feedback(None)) == []


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"messages": [user("Q")], "label": True}, "does not end with an answer"),
        (TURN | {"label": True, "output": "B"}, "only one"),
        (TURN | {"label": True, "history": "a, b"}, '"history" must be a list'),
        (TURN | {"label": True, "images": ["x.png"]}, '"images" would be lost'),
        (SAID | {"label": True, "context": "A document."}, '"context" would be lost'),
        (SAID | {"label": True, "weight": 0.5}, '"weight" would be lost'),
        ({"messages": [user("Q"), {**assistant("A"), "weight": 0}], "label": True}, "speaks against the answer"),
        (
            {"messages": [{"role": "system", "content": "S"}, user("Q"), assistant("A")], "system": "T", "label": 1},
            "two system",
        ),
        (TURN | {"label": True, "model": "m" * 101}, '"model" has 101 characters'),
    ],
    ids=str,
)
def test_what_would_change_the_row_is_refused(row: dict[str, Any], complaint: str) -> None:
    (reason,) = read(row)
    assert complaint in reason


def test_model_reason_and_system_are_kept() -> None:
    (found,) = read(
        {"conversations": TURNS, "kto_tag": True, "system": "S", "model": "m", "reason": "short", "comment": "Yes."}
    )
    assert said(found) == ["S", "Q", "A"]
    assert (found.completion.policy, found.reason) == ("m", "short: Yes.")


def test_open_webui_s_feedback_is_a_thumb_on_the_message_that_it_names() -> None:
    (found,) = read(open_webui_feedback())
    assert said(found) == ["Q", "A", "R", "B"]
    assert (found.up, found.reason, found.completion.policy) == (False, "not_helpful: It says B.", "m")
    assert (found.id, found.trainer, found.given_at) == ("f-1", "u-1", "2026-01-01T00:00:01+00:00")
    assert read(open_webui_feedback("1"))[0].up


def test_open_webui_s_system_prompt_is_the_system_message() -> None:
    row = open_webui_feedback()
    row["snapshot"]["chat"]["chat"]["params"] = {"system": "Be brief."}
    assert said(read(row)[0])[0] == "Be brief."


@pytest.mark.parametrize(
    ("where", "value", "complaint"),
    [
        (("data", "rating"), 7, '"data.rating" is 7'),
        (("meta", "message_id"), "gone", "has no message 'gone'"),
        (("meta", "message_id"), None, "nothing says which message"),
        (("meta", "message_id"), "u2", "does not end with an answer"),
        (("type",), "arena", '"type" must be "rating"'),
        (("updated_at",), 10**18, "updated_at"),
        (("snapshot", "chat", "chat", "files"), [{"id": "f"}], '"chat.files" would be lost'),
        (("snapshot", "chat", "chat", "history", "messages", "u1", "parentId"), "a3", "circle"),
        (("snapshot", "chat", "chat", "history", "messages", "u2", "files"), [{"type": "image"}], "files"),
        (("snapshot", "chat", "chat", "history", "messages", "a3", "sources"), [{"document": ["D"]}], '"sources" of'),
        (("snapshot", "chat", "chat", "history", "messages", "a3", "error"), {"content": "e"}, '"error" of'),
        (
            ("snapshot", "chat", "chat", "history", "messages", "a3", "content"),
            '<details type="reasoning" done="true">Hm.</details>B',
            "reasoning written into it",
        ),
    ],
    ids=str,
)
def test_feedback_that_does_not_say_what_was_judged_is_refused(
    where: tuple[str, ...], value: Any, complaint: str
) -> None:
    row = open_webui_feedback()
    inner: Any = row
    for step in where[:-1]:
        inner = inner[step]
    inner[where[-1]] = value
    (reason,) = read(row)
    assert complaint in reason


KTO = [TURN | {"label": True}, TURN | {"completion": "No.", "label": False}]


@pytest.mark.django_db
def test_the_same_file_twice_adds_nothing(project: Project, erin: User, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "kto.jsonl", [*KTO, KTO[0], open_webui_feedback()])
    kto = write_lines(tmp_path / "thumbs.jsonl", [*KTO, KTO[0]])
    report = import_thumbs(kto, project=project, by=erin)
    assert (report.format, report.imported, report.repeated) == ("kto", 2, 1)
    assert import_thumbs(kto, project=project, by=erin).imported == 0
    webui = write_lines(tmp_path / "feedback.jsonl", [open_webui_feedback(), open_webui_feedback(1)])
    assert import_thumbs(webui, project=project, by=erin).imported == 1  # known by its id
    assert import_thumbs(path, project=project, by=erin, on_error="skip").imported == 0
    down = Thumb.objects.get(outside_id="f-1")
    assert (down.up, down.outside_policy, down.policy, down.created_by) == (False, "m", None, erin)
    assert [thumb.up for thumb in Thumb.objects.filter(outside_id="").order_by("created_at")] == [True, False]
    assert set(Thumb.objects.values_list("source", flat=True)) == {"thumbs.jsonl", "feedback.jsonl"}


@pytest.mark.django_db
def test_a_policy_of_ours_is_named_only_with_its_sampling(project: Project, tmp_path: Path) -> None:
    assert project.policy is not None
    record = {"id": "t-1", "messages": [user("Q")], "up": True, "trainer_kind": "imported"}
    completions = [
        {"id": "t", "content": "A", "policy": project.policy.name},
        {"id": "t", "content": "B", "policy": project.policy.name, "sampling": encode(SamplingParams(seed=3))},
    ]
    rows = [record | {"id": f"t-{num}", "completion": one} for num, one in enumerate(completions)]
    assert import_thumbs(write_lines(tmp_path / "t.jsonl", rows), project=project, by=None).format == "records"
    named, ours = Thumb.objects.order_by("outside_id")
    assert (named.policy, named.outside_policy) == (None, project.policy.name)
    assert (ours.policy, ours.outside_policy) == (project.policy, "")


@pytest.mark.django_db
def test_as_dialogues_a_thumb_up_is_a_demonstration_and_a_thumb_down_is_told_where_to_go(
    project: Project, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "kto.jsonl", [*KTO, SAID | {"rating": -1}, SAID | {"kto_tag": False}])
    report = import_dialogues(path, project=project, by=None, on_error="skip", format="alpaca")
    assert Dialogue.objects.count() == report.imported == 1
    reasons = [one.reason for one in report.refused if one.line == 2]
    assert "import it as thumbs" in reasons[0]
    chat = write_lines(tmp_path / "chat.jsonl", [SAID | {"rating": -1}, SAID | {"kto_tag": False}])
    refused = [one.reason for one in import_dialogues(chat, project=project, by=None).refused]
    assert ["import it as thumbs" in reason for reason in refused] == [True, True]
    assert not Thumb.objects.exists()


@pytest.mark.django_db
def test_a_file_of_another_kind_says_what_it_holds(project: Project, tmp_path: Path) -> None:
    feedback = write_lines(tmp_path / "feedback.jsonl", [open_webui_feedback()])
    with pytest.raises(FileRefused, match="holds no dialogues; import it as thumbs"):
        import_dialogues(feedback, project=project, by=None)
    with pytest.raises(FileRefused, match="holds no rankings; import it as thumbs"):
        import_rankings(write_lines(tmp_path / "kto.jsonl", KTO), project=project, by=None)


@pytest.mark.django_db
def test_the_command_tells_what_came_in(project: Project, tmp_path: Path) -> None:
    out = io.StringIO()
    path = write_lines(tmp_path / "feedback.json", [open_webui_feedback()])
    call_command("import_thumbs", str(path), project=project.slug, stdout=out)
    assert out.getvalue() == "feedback.json (open-webui): 1 imported, 0 already there, 0 refused\n"


@pytest.mark.django_db
@pytest.mark.usefixtures("store", "sent")
def test_the_page_shows_each_thumb_before_it_takes_them_in(project: Project, erins_browser: Client) -> None:
    file = SimpleUploadedFile("kto.jsonl", write_lines_of(KTO))
    answer = erins_browser.post(reverse("new_import", args=(project.slug,)), {"file": file, "into": "thumbs"})
    brought = Import.objects.get()
    shown = erins_browser.get(answer.headers["Location"]).content.decode()
    assert (brought.kind, brought.format) == ("thumbs", "kto")
    assert "thumb up" in shown
    assert "thumb down" in shown
    erins_browser.post(reverse("import", args=(project.slug, brought.id)))
    assert uploads.run_import(brought.id)
    assert Thumb.objects.filter(project=project).count() == 2


def write_lines_of(rows: list[dict[str, Any]]) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()
