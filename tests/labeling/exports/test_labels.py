"""Exports of labels: which texts leave and which do not, and that a filter's training reads them."""

import json
from pathlib import Path
from typing import Any

import pytest

from contentfilter.data import DataError, read_labelled
from labeling.exports import FilterError, build, request_export
from labeling.models import Appeal, DrawnText, Export, Project, User
from tests.labeling.factories import make_user
from tests.labeling.safety.material import SAID, chat_of, make_drawn, make_screening, settle

pytestmark = pytest.mark.django_db


def exported(project: Project, *, by: User | None = None, **filters: Any) -> Export:
    export = request_export(project, kind="labels", filters=filters, by=by, notify_worker=False)
    assert build(export.id)
    export.refresh_from_db()
    return export


def texts_in(export: Export, store: Path) -> dict[str, dict[str, Any]]:
    lines = (store / export.store_path / "labels.jsonl").read_text().splitlines()
    return {row["text"]: row for row in map(json.loads, lines)}


def drawn_text(project: Project, text: str, *, came_by: str = "random", **fields: Any) -> DrawnText:
    return make_drawn(screening=make_screening(project=project, text=text, **fields), came_by=came_by)


def test_settled_texts_leave_with_what_most_said(project: Project, store: Path) -> None:
    settle(drawn_text(project, "A fight."), V="yes", H="unsure")
    settle(drawn_text(project, "Not yet."), num=1)
    export = exported(project)
    (row,) = texts_in(export, store).values()
    assert row["labels"] == {"S": 0, "V": 1, "HR": 0, "SH": 0, "S3": 0, "H2": 0, "V2": 0}
    assert (row["side"], row["came_by"], row["inclusion"], row["num_labels"]) == ("answered", "random", 0.5, 2)
    assert export.counts["by_category"] == {"V": 1}
    assert export.counts["left_out"] == {"not settled": 1}


def test_rows_that_an_appeal_alone_brought_in_are_never_trained_on(project: Project, store: Path) -> None:
    settle(drawn_text(project, "Appealed.", came_by="appeal"))
    for way in ("near", "report", "disagreement"):
        settle(drawn_text(project, way, came_by=way))
    export = exported(project)
    assert set(texts_in(export, store)) == {"near", "report", "disagreement"}
    assert export.counts["left_out"] == {"of appeals alone": 1}


def test_personal_data_is_always_taken_out(project: Project, store: Path) -> None:
    settle(drawn_text(project, "Write to ann@example.org."))
    assert set(texts_in(exported(project, scrubs_personal_data=False), store)) == {"Write to [e-mail address]."}


@pytest.mark.parametrize("side", ["said", "answered"])
def test_visitors_texts_stay(project: Project, store: Path, side: str) -> None:
    visitor = make_user(role="visitor")
    settle(drawn_text(project, "Of a visitor.", side=side, person=visitor))
    settle(drawn_text(project, "Of a trainer.", side=side, person=make_user()))
    export = exported(project)
    assert set(texts_in(export, store)) == {"Of a trainer."}
    assert export.counts["left_out"] == {"of visitors": 1}


def test_what_is_withheld_leaves_only_where_an_admin_asks_for_it(project: Project, store: Path, erin: User) -> None:
    adam = make_user(username="adam")
    settle(drawn_text(project, "Shown.", withheld=" Hidden."), V="yes")
    assert texts_in(exported(project, by=erin), store) == {}
    for by in (erin, None):
        with pytest.raises(FilterError, match="Only an admin"):
            request_export(project, kind="labels", filters={"includes_withheld": True}, by=by, notify_worker=False)
    assert set(texts_in(exported(project, by=adam, includes_withheld=True), store)) == {"Shown. Hidden."}


def test_a_text_that_was_changed_since_it_was_judged_stays(project: Project, store: Path) -> None:
    drawn = settle(drawn_text(project, "One thing.", side=SAID))
    chat_of(drawn.screening).messages.filter(role="user").update(content="Another.")
    assert texts_in(exported(project), store) == {}


def test_equal_texts_are_on_one_side_and_training_sees_none_that_is_held_out(project: Project, store: Path) -> None:
    for number in range(30):
        settle(drawn_text(project, f"The text with the number {number}."), V="yes")
        settle(drawn_text(project, f"the text, with the number {number}"), V="yes")
    export = exported(project, test_percent=40)
    rows = texts_in(export, store)
    assert export.num_records == 60
    for number in range(30):
        sides = {row["split"] for text, row in rows.items() if text.rstrip(".").endswith(f" {number}")}
        assert len(sides) == 1
    learnt, held_out = (read_labelled(store / export.store_path, is_held_out=held) for held in (False, True))
    assert {one.text for one in held_out} == {text for text, row in rows.items() if row["split"] == "test"}
    assert {one.text for one in learnt} == {text for text, row in rows.items() if row["split"] != "test"}
    assert learnt[0].labels["V"] == 1
    assert len(learnt) + len(held_out) == 60


def test_labels_that_are_no_object_are_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.jsonl").write_text('{"text": "x", "labels": [1]}\n')
    with pytest.raises(DataError, match=r'labels\.jsonl:1: "labels" must be an object'):
        read_labelled(tmp_path)


def test_an_overturned_text_is_withheld_no_more(project: Project, store: Path, alice: User, rita: User) -> None:
    from labeling.safety import appeals

    drawn = settle(drawn_text(project, "Shown.", withheld=" Hidden.", person=alice))
    appeals.appeal(drawn.screening, alice, "")
    appeals.decide(Appeal.objects.get(), by=make_user(role="reviewer", projects=[project]), overturns=True, reply="So.")
    assert set(texts_in(exported(project), store)) == {"Shown. Hidden."}


def test_a_table_holds_the_labels_by_name(project: Project, store: Path) -> None:
    import pyarrow.parquet as pq

    settle(drawn_text(project, "A fight."), V="yes", H="unsure")
    none_held_out = {"validation_percent": 0, "test_percent": 0}
    export = request_export(
        project, kind="labels", format="parquet", filters=none_held_out, by=None, notify_worker=False
    )
    assert build(export.id)
    export.refresh_from_db()
    (row,) = pq.read_table(store / export.store_path / "train.parquet").to_pylist()
    assert {one["name"]: one["value"] for one in row["labels"]}["V"] == 1
    assert (row["text"], row["split"]) == ("A fight.", "train")
