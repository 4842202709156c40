"""Two policies are compared prompt by prompt: under the same seeds, every answer against every answer."""

from typing import Any
from uuid import UUID

import pytest

from labeling.gold import preference
from labeling.models import AuditEvent, Completion, Project, SamplingRun
from labeling.rounds.policy_evaluation import Answers, PolicyEvaluation, answers_of, compare, outcome, request_answers
from labeling.statistics.length_bias import control_length
from records import Message, SamplingParams
from tests.labeling.factories import make_policy, make_project

QUESTION = Message(role="user", content="How do tides work, and why are there two of them every day?")
GOOD = "Tides rise because the moon pulls the sea. There are two every day, one on each side of the earth."
BAD = "the the the the the the the the"


def make_answers(**changes: Any) -> Answers:
    return Answers(**{"messages": (QUESTION,), "old": (BAD,), "new": (GOOD,), **changes})


def make_evaluation(project: Project, *, num_prompts: int = 2, seed: int = 5) -> PolicyEvaluation:
    assert project.policy is not None
    prompts = [[{"role": "user", "content": f"Question {number}?"}] for number in range(num_prompts)]
    return request_answers(
        project,
        old=project.policy,
        new=make_policy(),
        prompts=prompts,
        num_completions=2,
        params=SamplingParams(seed=seed, max_new_tokens=8),
        by=None,
    )


def finish(run_id: UUID, *texts: str) -> None:
    Completion.objects.bulk_create(
        Completion(run_id=run_id, index=index, content=text) for index, text in enumerate(texts)
    )
    SamplingRun.objects.filter(id=run_id).update(state=SamplingRun.State.DONE)


@pytest.mark.parametrize(
    ("after", "before", "expected"),
    [(0.9, 0.5, 1.0), (0.5, 0.9, 0.0), (0.5, 0.5, 0.5), (0.52, 0.5, 0.5), (0.5, 0.52, 0.5), (0.56, 0.5, 1.0)],
)
def test_a_difference_within_the_margin_is_a_tie(after: float, before: float, expected: float) -> None:
    assert outcome(after, before) == expected


def test_the_better_answers_win_and_the_figures_say_by_how_much() -> None:
    figures = compare([make_answers(), make_answers(), make_answers()])
    assert (figures.wins, figures.ties, figures.losses) == (3, 0, 0)
    assert (figures.win_rate.value, figures.win_rate.n) == (1.0, 3)
    assert figures.gold_after == pytest.approx(preference.score((QUESTION,), GOOD))
    assert figures.gold_before == pytest.approx(preference.score((QUESTION,), BAD))
    assert (figures.length_before, figures.length_after) == (len(BAD), len(GOOD))


def test_every_answer_meets_every_answer_of_its_own_prompt() -> None:
    figures = compare([make_answers(old=(BAD, GOOD), new=(GOOD, BAD)), make_answers()])
    assert (figures.wins, figures.ties, figures.losses) == (2, 2, 1)
    assert figures.win_rate.value == pytest.approx((2 + 2 / 2) / 5)
    assert figures.win_rate.n == 2


def test_changing_sides_turns_the_win_rate_round() -> None:
    answers = [make_answers(old=(BAD, GOOD), new=(GOOD,)), make_answers(new=(BAD,)), make_answers()]
    swapped = [make_answers(old=one.new, new=one.old) for one in answers]
    one, other = compare(answers), compare(swapped)
    assert one.win_rate.value == pytest.approx(1 - other.win_rate.value)
    assert one.length_controlled_win_rate == pytest.approx(1 - other.length_controlled_win_rate)


def test_every_outcome_is_controlled_for_the_lengths_of_its_own_two_answers() -> None:
    one, other = make_answers(old=(BAD, GOOD), new=(GOOD, "Tides.", BAD)), make_answers(new=("The moon does it.",))
    pairs = [(answers, after, before) for answers in (one, other) for after in answers.new for before in answers.old]
    scores = [tuple(preference.score(said.messages, text) for text in texts) for said, *texts in pairs]
    gaps = [float(len(before) - len(after)) for _, after, before in pairs]
    expected = control_length([outcome(*pair) for pair in scores], gaps).win_rate
    assert compare([one, other]).length_controlled_win_rate == pytest.approx(expected)


def test_without_answers_there_is_nothing_to_compare() -> None:
    with pytest.raises(ValueError):
        compare([])


@pytest.mark.django_db
def test_both_policies_are_asked_the_same_under_the_same_seeds() -> None:
    project = make_project()
    evaluation = make_evaluation(project)
    assert len(evaluation.runs) == 2
    for old_id, new_id in evaluation.runs:
        old, new = SamplingRun.objects.get(id=old_id), SamplingRun.objects.get(id=new_id)
        assert (old.messages, old.sampling, old.num_completions) == (new.messages, new.sampling, new.num_completions)
        assert (old.policy, new.policy) == (evaluation.old, evaluation.new)
        assert old.purpose == SamplingRun.Purpose.EVALUATION
    seeds = SamplingRun.objects.values_list("sampling__seed", flat=True)
    assert len(set(seeds)) == 2, "another prompt, another seed"
    detail = AuditEvent.objects.get(verb="compare policies").detail
    assert (detail["num_prompts"], detail["old"], detail["new"]) == (2, evaluation.old.name, evaluation.new.name)
    assert detail["runs"] == [[str(old), str(new)] for old, new in evaluation.runs]


@pytest.mark.django_db
def test_an_evaluation_s_seeds_are_drawn_from_its_own_and_have_31_bits() -> None:
    project = make_project()
    seeds = []
    for seed in (5, 6):
        evaluation = make_evaluation(project, num_prompts=24, seed=seed)
        runs = SamplingRun.objects.filter(id__in=evaluation.run_ids)
        seeds.append(set(runs.values_list("sampling__seed", flat=True)))
    assert not seeds[0] & seeds[1]
    assert max(seeds[0] | seeds[1]) < 2**31


@pytest.mark.django_db
def test_only_prompts_that_both_have_answered_count() -> None:
    evaluation = make_evaluation(make_project())
    (first_old, first_new), (second_old, _) = evaluation.runs
    finish(second_old, "c", "d")
    assert answers_of(evaluation) == []
    finish(first_new, "new 1", "new 2")
    finish(first_old, "old 1", "old 2")
    (answers,) = answers_of(evaluation)
    assert answers.messages == (Message(role="user", content="Question 0?"),)
    assert (answers.old, answers.new) == (("old 1", "old 2"), ("new 1", "new 2"))
