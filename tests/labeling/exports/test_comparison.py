"""What changed between two exports, and what was taken back after one was built."""

import shutil
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.dialogues import review
from labeling.exports import build, comparison, request_export
from labeling.exports.comparison import Differences, compare_exports
from labeling.exports.lineage import retractions_behind
from labeling.exports.retractions import retractions_in, with_retractions
from labeling.models import Comparison, Dialogue, Export, Project, Ranking, RewardModel
from tests.labeling.exports.material import directory_of, exported, make_ranking
from tests.labeling.factories import make_comparison, make_dialogue, make_project, make_user


@pytest.fixture
def project(db: None) -> Project:
    return make_project(slug="sky", name="Sky")


def retract(ranking: Ranking) -> None:
    Ranking.objects.filter(id=ranking.id).update(retracted_at=timezone.now())


def test_what_came_went_and_changed_is_told_by_id(project: Project) -> None:
    kept, gone, changed = (make_ranking(project=project) for _ in range(3))
    older = exported(project)
    retract(gone)
    Ranking.objects.filter(id=changed.id).update(seconds=99.0, unacceptable_from=1)
    come = make_ranking(project=project)
    found = compare_exports(older, exported(project))
    assert (found.num_same, found.num_added, found.num_removed, found.num_changed) == (1, 1, 1, 1)
    assert [record["id"] for record in found.added] == [str(come.id)]
    assert [record["id"] for record in found.removed] == [str(gone.id)]
    ((record, fields),) = found.changed
    assert (record["id"], fields) == (str(changed.id), ["seconds", "unacceptable_from"])
    assert str(kept.id) not in {one["id"] for one in (*found.added, *found.removed, record)}


def test_the_same_rows_are_the_same_and_are_not_read(project: Project) -> None:
    for _ in range(3):
        make_ranking(project=project)
    older, newer = exported(project), exported(project)
    found = compare_exports(older, newer)
    assert (found.num_same, found.num) == (3, 0)


def test_counting_stops_somewhere(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    older = exported(project)
    for _ in range(5):
        make_ranking(project=project)
    monkeypatch.setattr(comparison, "MOST_COUNTED", 3)
    found = compare_exports(older, exported(project))
    assert (found.num_added, found.is_whole) == (3, False)


def test_what_cannot_be_compared_says_why(project: Project) -> None:
    make_ranking(project=project)
    rankings, prompts = exported(project), exported(project, "prompts")
    with pytest.raises(ValueError, match="two kinds"):
        compare_exports(rankings, prompts)
    pairs = request_export(project, kind="rankings", format="trl", by=None, notify_worker=False)
    assert build(pairs.id)
    pairs.refresh_from_db()
    with pytest.raises(ValueError, match="records format"):
        compare_exports(rankings, pairs)
    again = exported(project)
    shutil.rmtree(directory_of(again))
    with pytest.raises(ValueError, match="no longer in the store"):
        compare_exports(rankings, again)


@given(st.dictionaries(st.integers(0, 30), st.integers(0, 2)), st.dictionaries(st.integers(0, 30), st.integers(0, 2)))
@settings(max_examples=200)
def test_the_merge_agrees_with_sets(before: dict[int, int], after: dict[int, int]) -> None:
    found = Differences()
    comparison._merge(lines_of(before), lines_of(after), found)
    assert found.num_added == len(after.keys() - before.keys())
    assert found.num_removed == len(before.keys() - after.keys())
    both = before.keys() & after.keys()
    assert found.num_changed == sum(before[one] != after[one] for one in both)
    assert found.num_same == sum(before[one] == after[one] for one in both)


def lines_of(values: dict[int, int]) -> Any:
    return iter([f'{{"id":"{one:02}","seconds":{values[one]}}}\n'.encode() for one in sorted(values)])


# Taken back


@pytest.mark.parametrize("name", ["records", "trl"])
def test_a_ranking_retracted_later_marks_the_export(project: Project, name: str) -> None:
    rankings = [make_ranking(project=project) for _ in range(3)]
    retract(make_ranking(project=project))  # before: it was never in
    elsewhere = make_ranking(project=make_project())
    gold = make_ranking(project=project, comparison=make_comparison(project=project, use="gold"))
    export = request_export(project, kind="rankings", format=name, by=None, notify_worker=False)
    assert build(export.id)
    export.refresh_from_db()
    assert retractions_in(export).num == 0
    retract(rankings[0])
    Comparison.objects.filter(id=rankings[1].comparison_id).update(state=Comparison.State.WITHDRAWN)
    retract(make_ranking(project=project))  # after: it was never in
    for never_in in (elsewhere, gold):
        retract(never_in)
    assert retractions_in(export).num == 2
    assert [found.export for found in with_retractions([export, exported(project)])] == [export]


def test_filters_decide_what_was_in_it(project: Project) -> None:
    inside, outside = make_ranking(project=project), make_ranking(project=project)
    Comparison.objects.filter(id=inside.comparison_id).update(topic="travel")
    export = request_export(
        project, kind="rankings", format="trl", filters={"topics": ["travel"]}, by=None, notify_worker=False
    )
    assert build(export.id)
    export.refresh_from_db()
    retract(outside)
    assert retractions_in(export).num == 0
    retract(inside)
    assert retractions_in(export).num == 1


def test_a_dialogue_withdrawn_later_marks_the_export(project: Project) -> None:
    dialogue = make_dialogue(project=project, state=Dialogue.State.ACCEPTED)
    make_dialogue(project=project, state=Dialogue.State.WITHDRAWN)
    export = exported(project, "demonstrations")
    assert retractions_in(export).num == 0
    Dialogue.objects.filter(id=dialogue.id).update(state=Dialogue.State.WITHDRAWN)
    assert retractions_in(export).num == 1
    assert retractions_in(exported(project, "demonstrations")).num == 0


@pytest.mark.parametrize("how", ["undo", "return"])
@pytest.mark.parametrize("name", ["records", "openai"])
def test_a_dialogue_that_is_accepted_no_more_marks_the_export(project: Project, name: str, how: str) -> None:
    adam = make_user(username="adam")
    inside, before, after = (make_dialogue(project=project, state=Dialogue.State.SUBMITTED) for _ in range(3))
    for dialogue in (inside, before):
        review.accept(dialogue, by=adam)
    review.undo_acceptance(before, by=adam)  # it was never in
    today = timezone.localdate().isoformat()
    filters = {"since": today, "until": today}
    export = request_export(project, kind="demonstrations", format=name, filters=filters, by=None, notify_worker=False)
    assert build(export.id)
    export.refresh_from_db()
    review.accept(after, by=adam)
    assert retractions_in(export).num == 0
    if how == "undo":
        review.undo_acceptance(inside, by=adam)
    else:
        review.return_dialogue(inside, comment="Look again.", by=adam)
        if name == "records":  # where ids are looked up, the day of the return does not matter
            Dialogue.objects.filter(id=inside.id).update(reviewed_at=timezone.now() + timedelta(days=3))
    assert retractions_in(export).num == 1
    if how == "undo":
        review.accept(inside, by=adam)
        assert retractions_in(export).num == 0


def test_an_export_of_submitted_dialogues_holds_what_is_accepted_no_more(project: Project) -> None:
    adam = make_user(username="adam")
    dialogue = make_dialogue(project=project, state=Dialogue.State.SUBMITTED)
    review.accept(dialogue, by=adam)
    states = {"states": ["accepted", "submitted"]}
    export = request_export(project, kind="demonstrations", filters=states, by=None, notify_worker=False)
    assert build(export.id)
    export.refresh_from_db()
    review.undo_acceptance(dialogue, by=adam)
    assert retractions_in(export).num == 0


def test_models_made_of_a_marked_export_are_marked(project: Project) -> None:
    ranking = make_ranking(project=project)
    export = exported(project)
    model = RewardModel.objects.create(name="rm-1", store_path="rewardmodels/rm-1", manifest_sha256="0", export=export)
    assert retractions_behind(model) == []
    retract(ranking)
    (found,) = retractions_behind(model)
    assert (found.export, found.num) == (export, 1)


def test_where_too_many_were_taken_back_the_number_is_a_bound(project: Project, monkeypatch: Any) -> None:
    rankings = [make_ranking(project=project) for _ in range(4)]
    export = exported(project)
    monkeypatch.setattr("labeling.exports.retractions.MOST_LOOKED_UP", 2)
    for ranking in rankings:
        retract(ranking)
    found = retractions_in(Export.objects.get(id=export.id))
    assert (found.num, found.is_whole) == (2, False)
    monkeypatch.setattr("labeling.exports.retractions.MOST_LOOKED_UP", 4)
    found = retractions_in(Export.objects.get(id=export.id))
    assert (found.num, found.is_whole) == (4, True)
