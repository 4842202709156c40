"""Exports of thumbs: what comes in goes out again, what does not count is left out and counted."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from labeling.exports import build, request_export
from labeling.exports.card import card_text
from labeling.exports.filters import Filters
from labeling.exports.inventory import inventory
from labeling.exports.retractions import retractions_in
from labeling.exports.statistics import ThumbStatistics
from labeling.imports import import_thumbs
from labeling.imports.thumbs import set_retracted
from labeling.models import AuditEvent, Export, Project, Thumb, User
from records import Thumb as ThumbRecord
from records import read_jsonl
from tests.labeling.exports.material import directory_of, exported, ids_in, manifest_of
from tests.labeling.factories import make_project, make_thumb
from tests.labeling.imports.files import assistant, open_webui_feedback, user, write_lines

pytestmark = pytest.mark.django_db

KTO = [
    {"prompt": [user(f"Question {num}?")], "completion": [assistant(f"Answer {num}.")], "label": num % 3 == 0}
    for num in range(12)
]


def thumbs_in(export: Export) -> list[ThumbRecord]:
    return list(read_jsonl(directory_of(export) / "thumbs.jsonl", ThumbRecord))


def exported_as_kto(project: Project, **filters: Any) -> Export:
    export = request_export(project, kind="thumbs", format="kto", filters=filters, by=None, notify_worker=False)
    assert build(export.id), Export.objects.get(id=export.id).error
    export.refresh_from_db()
    return export


def lines_in(export: Export) -> list[Any]:
    files = sorted(directory_of(export).glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_what_comes_in_as_kto_goes_out_as_the_same_rows(project: Project, tmp_path: Path) -> None:
    system = {"role": "system", "content": "Be brief."}
    rows = [*KTO, {**KTO[0], "prompt": [system, user("Why?"), assistant("So."), user("And?")]}]
    import_thumbs(write_lines(tmp_path / "kto.jsonl", rows), project=project, by=None)
    export = exported_as_kto(project)
    assert sorted(map(json.dumps, lines_in(export))) == sorted(json.dumps(row, sort_keys=True) for row in rows)
    counts = manifest_of(export)["counts"]
    assert (counts["up"], counts["down"], counts["lost"].get("reasons")) == (5, 8, None)


def test_the_records_of_another_platform_say_the_same_and_our_own_add_nothing(project: Project, tmp_path: Path) -> None:
    import_thumbs(write_lines(tmp_path / "feedback.jsonl", [open_webui_feedback()]), project=project, by=None)
    first = exported(project, "thumbs")
    (record,) = thumbs_in(first)
    assert (record.up, record.completion.policy, record.reason) == (False, "m", "not_helpful: It says B.")
    assert (record.trainer, record.trainer_kind, record.source) == ("u-1", "imported", "feedback.jsonl")
    assert record.id == record.completion.id == str(Thumb.objects.get().id)
    path = directory_of(first) / "thumbs.jsonl"
    assert import_thumbs(path, project=project, by=None).imported == 0
    other = make_project()
    assert import_thumbs(path, project=other, by=None).imported == 1
    (again,) = thumbs_in(exported(other, "thumbs"))
    fields = ("messages", "up", "reason", "trainer", "given_at", "topic", "source", "split")
    assert [getattr(again, name) for name in fields] == [getattr(record, name) for name in fields]


def test_what_was_retracted_is_left_out_counted_and_marks_the_export(project: Project, erin: User) -> None:
    kept, gone = make_thumb(project=project), make_thumb(project=project)
    before = exported(project, "thumbs")
    assert retractions_in(before).num == 0
    set_retracted(gone, retracted=True, by=erin)
    after = exported(project, "thumbs")
    assert ids_in(before) == {str(kept.id), str(gone.id)}
    assert ids_in(after) == {str(kept.id)}
    assert manifest_of(after)["counts"]["left_out"] == {"retracted": 1}
    assert (retractions_in(before).num, retractions_in(after).num) == (1, 0)
    set_retracted(gone, retracted=False, by=erin)
    assert len(ids_in(exported(project, "thumbs"))) == 2
    verbs = AuditEvent.objects.filter(subject_id=str(gone.id)).order_by("at").values_list("verb", flat=True)
    assert list(verbs) == ["retract thumb", "bring thumb back"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"trainers": ["ann"]}, {"old", "sums"}),
        ({"topics": ["sums"]}, {"sums"}),
        ({"since": "2026-01-02"}, {"sums", "new"}),
        ({"until": "2026-01-02"}, {"old", "sums"}),
        ({"since": "2026-01-02", "until": "2026-01-02"}, {"sums"}),
    ],
)
def test_each_filter_of_thumbs(project: Project, filters: dict[str, Any], expected: set[str]) -> None:
    first = datetime(2026, 1, 1, 12, tzinfo=UTC)
    make_thumb(project=project, content="old", outside_trainer="ann", given_at=first)
    make_thumb(project=project, content="sums", outside_trainer="ann", topic="sums", given_at=first + timedelta(days=1))
    make_thumb(project=project, content="new", given_at=first + timedelta(days=2))
    make_thumb(project=make_project(), content="elsewhere")
    assert {thumb.completion.content for thumb in thumbs_in(exported(project, "thumbs", **filters))} == expected


def test_a_prompt_is_on_one_side_and_so_is_a_person_where_people_are_held_out(project: Project) -> None:
    for num in range(40):
        messages = [user(f"Question number {num // 2} of them?")]
        make_thumb(project=project, messages=messages, outside_trainer=f"p{num % 7}")
    by_prompt = thumbs_in(exported(project, "thumbs", test_percent=30))
    by_person = thumbs_in(exported(project, "thumbs", test_percent=30, split_by="trainer"))
    for records, key in ((by_prompt, lambda one: one.messages), (by_person, lambda one: one.trainer)):
        sides = {(key(one), one.split) for one in records}
        assert len(sides) == len({key(one) for one in records})
        assert len({split for _key, split in sides}) > 1


def test_every_text_of_a_thumb_is_scrubbed_and_counted(project: Project) -> None:
    make_thumb(
        project=project,
        messages=[user("I am a@example.org")],
        content="Hello b@example.org",
        reason="Tell c@example.org",
    )
    export = exported(project, "thumbs", scrubs_personal_data=True)
    assert "example.org" not in (directory_of(export) / "thumbs.jsonl").read_text()
    assert manifest_of(export)["counts"]["scrubbed"] == {"e-mail address": 3}


def test_what_kto_cannot_hold_is_counted(project: Project) -> None:
    make_thumb(project=project, reason="Wrong.")
    make_thumb(project=project, up=True)
    assert manifest_of(exported_as_kto(project))["counts"]["lost"]["reasons"] == 1


def test_the_card_says_how_many_of_each_and_who_gave_them(project: Project) -> None:
    make_thumb(project=project, up=True, content="x" * 30, outside_trainer="ann", outside_policy="theirs")
    make_thumb(project=project, up=False, content="x" * 10)
    export = exported(project, "thumbs")
    card = (directory_of(export) / "card.md").read_text()
    assert "| up | 1 |" in card
    assert "| down | 1 |" in card
    assert "Balance: up are 50.0% of 2" in card
    assert "with a thumb up 30 characters on average, with a thumb down 10" in card
    assert "| theirs | 1 |" in card
    assert manifest_of(export)["counts"]["by_policy"] == {"none": 1, "theirs": 1}


def test_the_card_of_none_is_no_error(project: Project) -> None:
    card = card_text("thumbs", project=project, filters=Filters(), statistics=ThumbStatistics(), left_out={})
    assert "# " in card


def test_the_data_page_counts_them_once_there_are_some(project: Project) -> None:
    assert "Thumbs" not in [str(figure.label) for figure in inventory(project)]
    make_thumb(project=project, up=True)
    make_thumb(project=project)
    make_thumb(project=project, retracted_at=timezone.now())
    figure = inventory(project)[-1]
    assert (figure.num, figure.note) == (2, "1 up, 1 down")
