"""A reward model beside the people who ranked: on the same votes, with prompts and people resampled."""

import pytest

from records import Ranking
from rewardmodel.comparisons import Comparison
from rewardmodel.evaluate import summarise
from rewardmodel.evaluation import evaluate_scores, validation_figures
from rewardmodel.report import people_rows, report_html
from tests.rewardmodel.factories import make_ranking

SHORT, LONG = "Yes.", "Yes, and at some length."


def rankings(prompt: int, **tiers: list[list[int]]) -> list[Ranking]:
    return [
        make_ranking(
            id=f"{prompt}-{trainer}",
            comparison_id=f"c-{prompt}",
            prompt=f"{prompt}?",
            completions=(SHORT, LONG),
            tiers=own,
            trainer=trainer,
        )
        for trainer, own in tiers.items()
    ]


def scored(several: list[Ranking], scores: tuple[float, float]) -> tuple[Comparison, tuple[float, float]]:
    places = [
        [one.tiers.index(tier) for name in ("0", "1") for tier in one.tiers if tier[0].endswith(name)]
        for one in several
    ]
    comparison = Comparison(
        id=several[0].comparison_id,
        prompt_ids=(int(several[0].messages[0].content[:-1]),),
        completion_ids=((1,), (1, 1)),
        num_characters=(len(SHORT), len(LONG)),
        ranking_ids=tuple(one.id for one in several),
        tiers=tuple(map(tuple, places)),
    )
    return comparison, scores


def test_people_the_model_and_length_are_judged_on_the_same_votes() -> None:
    """Two of three want the short one, twice; the model too, once."""
    first, second = (rankings(prompt, ann=[[0], [1]], bob=[[0], [1]], cy=[[1], [0]]) for prompt in (1, 2))
    both = [scored(first, (2.0, 1.0)), scored(second, (1.0, 2.0))]
    found = evaluate_scores(both, rankings=[*first, *second])
    assert found.beside_people is not None
    assert found.beside_people.of_two.value == pytest.approx(1 / 3)
    model, longer = (found.beside_people.judges[name] for name in ("model", "longer"))
    assert (model.with_one.value, longer.with_one.value) == (pytest.approx(1 / 2), pytest.approx(1 / 3))
    assert model.with_majority.num_votes == longer.with_majority.num_votes == 2  # Cy's: the others' are one to one
    assert (model.with_majority.value, longer.with_majority.value) == (0.5, 0.0)
    told = summarise(found)
    assert "beside people" in told
    assert "longer with majority    0.000" in told
    assert "2 votes of 1 people" in told
    assert "model with majority" in report_html(found, title="T", facts={})
    assert validation_figures(found)["validation/beside_people/two_people"] == pytest.approx(1 / 3)
    assert len(people_rows(found)) == 6


def test_nothing_is_said_where_everybody_ranked_alone() -> None:
    alone = rankings(1, ann=[[0], [1]])
    found = evaluate_scores([scored(alone, (2.0, 1.0))], rankings=alone)
    assert found.beside_people is None
    assert "beside people" not in summarise(found)
    assert people_rows(found) == []
