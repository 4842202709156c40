"""The simulated trainer ranks by the gold preference, through the queue, and says that it is simulated."""

import pytest

from labeling.gold import preference
from labeling.models import Comparison, Completion
from labeling.rankings.simulated_trainer import rank_with_gold
from records import Completion as CompletionRecord
from records import Message
from tests.labeling.factories import make_comparison, make_project, make_user, places_of

pytestmark = pytest.mark.django_db

ANSWERS = ["The capital of France is Paris.", "capital capital capital", "I like trains and", "Paris."]


def test_it_ranks_what_is_there_and_stops() -> None:
    project = make_project()
    trainer = make_user(projects=[project], is_simulated=True)
    comparisons = [make_comparison(project=project) for _ in range(3)]
    for comparison in comparisons:
        for completion, content in zip(comparison.completions.order_by("index"), ANSWERS, strict=True):
            Completion.objects.filter(id=completion.id).update(content=content)
    assert rank_with_gold(project, trainer=trainer, limit=2) == 2
    assert rank_with_gold(project, trainer=trainer, limit=9) == 1
    assert rank_with_gold(project, trainer=trainer, limit=9) == 0
    for comparison in comparisons:
        assert places_of(comparison) == (1, 0, 0, 1)
        ranking = comparison.rankings.get()
        assert ranking.trainer is not None
        assert ranking.trainer.is_simulated
        assert ranking.tiers == [list(tier) for tier in _judged(comparison).tiers]
        assert ranking.unacceptable_from == _judged(comparison).unacceptable_from


def test_a_person_cannot_rank_by_gold() -> None:
    project = make_project()
    with pytest.raises(ValueError, match="is a person"):
        rank_with_gold(project, trainer=make_user(projects=[project]), limit=1)


def _judged(comparison: Comparison) -> preference.Judgement:
    messages = [Message(role=message["role"], content=message["content"]) for message in comparison.messages]
    return preference.judge(
        messages,
        [
            CompletionRecord(id=str(completion.id), content=completion.content)
            for completion in comparison.completions.all()
        ],
    )
