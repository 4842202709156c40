"""Rankings as rows: one import at a time, every judgement once, under the name of who made it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from labeling.imports.project_lock import lock_project
from labeling.imports.rankings import store_rankings
from labeling.models import Comparison, Completion, Project, Ranking
from records import Ranking as RankingRecord
from records import decode
from tests.labeling.factories import make_policy, make_project
from tests.labeling.imports.files import ranking_record

pytestmark = pytest.mark.django_db


def store(project: Project, *values: dict[str, Any]) -> int:
    return store_rankings(project, [decode(RankingRecord, value) for value in values], source="file")


def elsewhere(act: Callable[[], int]) -> int:
    """What another process would get, which does not wait for a lock."""

    def run() -> int:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '200ms'")
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(run).result()


@pytest.mark.django_db(transaction=True)
def test_an_import_waits_for_another_into_the_same_project_and_for_no_other() -> None:
    project, other = make_project(), make_project()
    with transaction.atomic():
        lock_project(project)
        assert elsewhere(lambda: store(other, ranking_record())) == 1
        with pytest.raises(OperationalError, match="lock timeout"):
            elsewhere(lambda: store(project, ranking_record()))
    assert elsewhere(lambda: store(project, ranking_record())) == 1


def without_ids(**fields: Any) -> dict[str, Any]:
    """A ranking of a format that gives rankings no ids: the reader names them by their line."""
    return ranking_record(comparison_id="", **fields)


def test_without_ids_the_same_judgement_is_one_and_two_peoples_are_two(project: Project) -> None:
    names = [f"k-0-{index}" for index in range(4)]
    tied = [[names[0], names[1]], names[2:]]
    first = without_ids(tiers=tied, trainer="t-1")
    assert store(project, first, {**first, "id": "line 2"}) == 1
    assert store(project, {**first, "tiers": [tier[::-1] for tier in tied]}) == 0  # ties have no order
    assert store(project, {**first, "trainer": "t-2"}) == 1
    assert store(project, {**first, "unacceptable_from": 1}) == 1
    assert store(project, {**first, "ranked_at": "2026-01-01T00:00:00+00:00"}) == 1
    assert sorted(Ranking.objects.values_list("outside_trainer", flat=True)) == ["t-1", "t-1", "t-1", "t-2"]
    assert Comparison.objects.get().num_rankings == 4


def test_with_ids_the_same_judgement_twice_is_two(project: Project) -> None:
    assert store(project, ranking_record(), ranking_record() | {"id": "r-other"}) == 2


def test_a_policy_of_ours_is_credited_only_with_what_was_sampled(project: Project) -> None:
    """A name alone may be another model's that happens to be called the same."""
    ours = make_policy(name="ours")
    value = ranking_record()
    value["completions"][0] |= {"policy": "ours", "sampling": {"seed": 1}}
    value["completions"][1] |= {"policy": "ours"}
    store(project, value)
    said = {one.content: (one.policy, one.outside_policy) for one in Completion.objects.all()}
    assert said["Answer k-0-0."] == (ours, "")
    assert said["Answer k-0-1."] == (None, "ours")
    assert said["Answer k-0-2."] == (None, "")


def test_a_comparison_wants_as_many_rankings_as_count(project: Project) -> None:
    store(project, ranking_record(trainer="t-1"))
    Ranking.objects.update(retracted_at=timezone.now())
    store(project, ranking_record(trainer="t-2") | {"id": "r-2"}, ranking_record(trainer="t-3") | {"id": "r-3"})
    comparison = Comparison.objects.get()
    assert (comparison.num_rankings, comparison.rankings_wanted, comparison.open_slots) == (2, 2, 0)


def test_a_comparison_that_is_being_ranked_keeps_its_places(project: Project) -> None:
    store(project, ranking_record())
    Comparison.objects.update(state=Comparison.State.OPEN, rankings_wanted=3, open_slots=2)
    store(project, ranking_record() | {"id": "r-2"})
    comparison = Comparison.objects.get()
    assert (comparison.num_rankings, comparison.rankings_wanted, comparison.open_slots) == (1, 3, 2)
