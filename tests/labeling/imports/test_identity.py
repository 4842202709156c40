"""Ids made from content: they must never change, or what came in once would come in again."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from labeling.imports import identity
from records import Ranking, decode
from tests.labeling.imports.files import ranking_record

PROJECT = uuid.UUID("00000000-0000-4000-8000-000000000001")


@given(st.uuids(), st.integers(0, 99))
def test_a_completions_id_is_the_uuid5_of_its_place(comparison: uuid.UUID, index: int) -> None:
    assert identity.completion_id(comparison, index) == str(uuid.uuid5(comparison, f"completion {index}"))


def test_the_ids_of_a_ranking_are_what_they_always_were() -> None:
    ranking = decode(Ranking, ranking_record(unacceptable_from=1, trainer="t é", ranked_at="2026-03-04T05:06:07+00:00"))
    completions = identity.in_neutral_order(ranking.completions)
    comparison = identity.comparison_id(PROJECT, ranking, completions)
    places = {completion.id: index for index, completion in enumerate(completions)}
    assert str(comparison) == "77dba4fb-f5d0-552f-8202-31a4f1857b60"
    assert str(identity.submission_key(comparison, ranking, places)) == "dc6c36f5-7752-5d10-bdf0-17dfc1b8981a"
