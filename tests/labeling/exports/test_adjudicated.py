"""What exports take of comparisons whose rankings differ: everything, the adjudication, or what trainers agree on."""

from typing import Any

import pytest
from django.utils import timezone

from labeling.exports.retractions import retractions_in
from labeling.imports.rankings import store_rankings
from labeling.models import Adjudication, Comparison, Export, Project, User
from labeling.rankings import adjudication
from tests.labeling.exports.material import (
    directory_of,
    exported,
    ids_in,
    make_adjudication,
    make_ranking,
    manifest_of,
    rankings_in,
)
from tests.labeling.factories import make_comparison, make_project, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

HALVES = ((0,), (1,), (2,), (3,)), ((3,), (2,), (1,), (0,))


@pytest.fixture
def rita(project: Project) -> User:
    return make_user(username="rita", role="reviewer", projects=[project])


def ranked(project: Project, *orders: Any) -> tuple[Comparison, set[str]]:
    asked = f"Question {project.comparisons.count()}?"
    said = [{"role": "user", "content": asked}]  # or an import would take them for one comparison
    comparison = make_comparison(project=project, state="done", open_slots=0, messages=said)
    rankings = [make_ranking(project=project, comparison=comparison, order=order) for order in orders]
    return comparison, {str(one.id) for one in rankings}


def settled(project: Project, rita: User, **fields: Any) -> tuple[Adjudication, set[str], set[str]]:
    """An adjudication of one comparison, the rankings of it, and those of another on which all agree."""
    comparison, differing = ranked(project, *HALVES)
    _, alike = ranked(project, HALVES[0], HALVES[0])
    return make_adjudication(comparison, reviewer=rita, **fields), differing, alike


def card_of(export: Export) -> str:
    return (directory_of(export) / "card.md").read_text()


def test_all_are_the_rankings_and_the_adjudications_beside_them(project: Project, rita: User) -> None:
    given, differing, alike = settled(project, rita, words="B is right.\n", order=(1, 0, 2, 3), seconds=12.0)
    export = exported(project)
    assert ids_in(export) == {str(given.id), *differing, *alike}
    records = {one.id: one for one in rankings_in(export)}
    one = records[str(given.id)]
    assert (one.adjudication, one.trainer, one.trainer_kind) == ("mistake", rita.pseudonym, "person")
    assert (one.note, one.seconds, one.comparison_id) == ("B is right.\n", 12.0, str(given.comparison_id))
    assert one.tiers == tuple(map(tuple, given.tiers))
    assert [other.adjudication for other in records.values() if other.id != one.id] == [None] * 4
    keys = [(one.comparison_id, one.id) for one in rankings_in(export)]
    assert keys == sorted(keys)
    assert "adjudications beside them" in card_of(export)
    assert (manifest_of(export)["counts"]["adjudicated"], export.num_records) == (1, 5)
    assert "disagreements" not in manifest_of(export)["filters"]


def test_the_adjudication_takes_the_place_of_the_rankings_of_its_comparison(project: Project, rita: User) -> None:
    given, _, alike = settled(project, rita)
    export = exported(project, disagreements="adjudicated")
    assert ids_in(export) == {str(given.id), *alike}
    assert manifest_of(export)["filters"]["disagreements"] == "adjudicated"
    assert "stands in their place" in card_of(export)


def test_rankings_are_replaced_only_by_an_adjudication_that_the_filters_find(project: Project, rita: User) -> None:
    given, differing, alike = settled(project, rita)
    today = timezone.localdate().isoformat()
    assert ids_in(exported(project, disagreements="adjudicated", since=today)) == {str(given.id), *alike}
    Adjudication.objects.update(decided_at="2020-01-01T00:00:00Z")
    assert ids_in(exported(project, disagreements="adjudicated", since=today)) == differing | alike


def test_consensus_is_what_trainers_agree_on(project: Project, rita: User) -> None:
    _, _, alike = settled(project, rita)
    agreed, nearly = ranked(project, HALVES[0], ((0,), (1,), (3,), (2,)))
    make_adjudication(agreed, reviewer=rita)
    ranked(project, HALVES[0])
    export = exported(project, disagreements="consensus")
    assert ids_in(export) == alike
    assert "at least 100 %" in card_of(export)
    assert ids_in(exported(project, disagreements="consensus", agreement_at_least=80)) == alike | nearly


def test_what_a_reviewer_settled_need_not_have_been_agreed_on(project: Project, rita: User) -> None:
    given, _, alike = settled(project, rita)
    both = exported(project, disagreements="adjudicated", agreement_at_least=90)
    assert ids_in(both) == {str(given.id), *alike}
    assert ids_in(exported(project, agreement_at_least=90)) == alike


def test_it_counts_in_no_figure_of_agreement(project: Project, rita: User) -> None:
    """Two opposite rankings agree on 0 of 6 pairs; with the adjudication it would be 6 of 18."""
    settled(project, rita)
    assert "in 50.0% of 12 pairs" in card_of(exported(project))


def test_one_that_is_not_decided_or_was_withdrawn_is_not_exported(project: Project, rita: User) -> None:
    given, differing, alike = settled(project, rita, state="ordered", reason="", decided_at=None)
    assert ids_in(exported(project, disagreements="adjudicated")) == differing | alike
    Adjudication.objects.update(state="done", reason="taste", decided_at=timezone.now())
    export = exported(project, disagreements="adjudicated")
    assert retractions_in(export).num == 0
    adjudication.withdraw(given, by=rita)
    assert retractions_in(export).num == 1
    again = exported(project, disagreements="adjudicated")
    assert ids_in(again) == differing | alike
    assert manifest_of(again)["counts"]["left_out"]["withdrawn_adjudications"] == 1


def test_personal_data_is_taken_out_of_the_reviewers_words(project: Project, rita: User) -> None:
    settled(project, rita, words="Ask me at rita@example.org.")
    export = exported(project, disagreements="adjudicated", scrubs_personal_data=True)
    assert [one.note for one in rankings_in(export) if one.adjudication] == ["Ask me at [e-mail address]."]


def test_an_export_comes_in_again_elsewhere_and_once(project: Project, rita: User) -> None:
    settled(project, rita, words="B.", order=(1, 0, 2, 3))
    records = rankings_in(exported(project))
    assert store_rankings(project, records, source="again") == 0
    elsewhere = make_project(slug="elsewhere")
    assert store_rankings(elsewhere, records, source="file.jsonl") == 5
    assert store_rankings(elsewhere, records, source="file.jsonl") == 0
    came = Adjudication.objects.of(elsewhere).get()
    assert (came.state, came.reason, came.words, came.outside_reviewer) == ("done", "mistake", "B.", rita.pseudonym)
    assert (came.comparison.num_rankings, came.comparison.distance) == (2, 1.0)
    (back,) = [one for one in rankings_in(exported(elsewhere, disagreements="adjudicated")) if one.adjudication]
    contents = {one.id: one.content for one in back.completions}
    (sent,) = [one for one in records if one.adjudication]
    before = {one.id: one.content for one in sent.completions}
    assert [contents[tier[0]] for tier in back.tiers] == [before[tier[0]] for tier in sent.tiers]
    assert (back.trainer, back.trainer_kind) == (rita.pseudonym, "imported")


def test_a_comparison_that_has_an_adjudication_keeps_it(project: Project, rita: User) -> None:
    given, *_ = settled(project, rita)
    records = rankings_in(exported(project))
    elsewhere = make_project(slug="elsewhere")
    store_rankings(elsewhere, records, source="one.jsonl")
    Adjudication.objects.filter(id=given.id).update(reason="taste", submission_key=None, decided_at="2026-01-01T00:00Z")
    changed = rankings_in(exported(project))
    assert store_rankings(elsewhere, changed, source="two.jsonl") == 0
    assert Adjudication.objects.of(elsewhere).get().reason == "mistake"
