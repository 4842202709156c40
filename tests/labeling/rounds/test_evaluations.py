"""Evaluations of policies by people: who gets which pair, when the test decides, and what a promotion then needs."""

import random
from pathlib import Path

import pytest

from labeling.models import (
    AuditEvent,
    Candidate,
    Comparison,
    Evaluation,
    Policy,
    Project,
    Promotion,
    User,
)
from labeling.rankings import assignment
from labeling.rankings.submission import Submission
from labeling.rounds import evaluations
from labeling.rounds.errors import RoundError
from labeling.rounds.promotion import peoples_word, promote
from labeling.rounds.verdicts import figures_of, judgements_of, num_alike
from tests.labeling.factories import (
    make_comparison,
    make_policy,
    make_project,
    make_served_policy,
    make_user,
    make_users,
)
from tests.labeling.rounds.judging import (
    answer_all,
    claimed,
    fill_pool,
    judge,
    run_evaluation,
    submit,
    work_through,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(store: Path) -> Project:
    project = make_project(policy=make_served_policy(name="base"))
    fill_pool(project)
    return project


@pytest.fixture
def newer() -> Policy:
    return make_served_policy(name="newer")


def test_both_policies_answer_each_held_out_prompt_under_one_seed(project: Project, newer: Policy, erin: User) -> None:
    evaluation = evaluations.begin(project, [newer], by=erin, num_prompts=30)
    pairs = list(evaluation.comparisons.prefetch_related("sampling_runs"))
    assert len(pairs) == 30
    assert len({pair.prompt_id for pair in pairs}) == 30
    assert {pair.use for pair in pairs} == {Comparison.Use.EVALUATION}
    runs = [sorted(pair.sampling_runs.all(), key=lambda run: run.policy.name) for pair in pairs]
    assert [[run.policy.name for run in two] for two in runs] == [[project.policy.name, "newer"]] * 30  # type: ignore[union-attr]
    assert [len({run.sampling["seed"] for run in two}) for two in runs] == [1] * 30
    assert len({two[0].sampling["seed"] for two in runs}) == 30
    event = AuditEvent.objects.get(verb="begin evaluation")
    assert (event.by, event.detail["candidates"], event.detail["num_prompts"]) == (erin, ["newer"], 30)


def test_an_evaluation_needs_a_policy_of_its_own_and_prompts_enough(project: Project, newer: Policy) -> None:
    assert project.policy is not None
    with pytest.raises(RoundError, match="compared with itself"):
        evaluations.begin(project, [project.policy], by=None)
    with pytest.raises(RoundError, match="Choose at least one"):
        evaluations.begin(project, [], by=None)
    with pytest.raises(RoundError, match="At most 5"):
        evaluations.begin(project, [make_policy() for _ in range(6)], by=None)
    with pytest.raises(RoundError, match="retired"):
        evaluations.begin(project, [make_policy(state="retired")], by=None)
    with pytest.raises(RoundError, match="10 prompts are held out, for 10 judgements: too few"):
        evaluations.begin(project, [newer], by=None, num_prompts=10)
    assert evaluations.begin(project, [newer], by=None, num_prompts=10, verdicts_per_pair=2).num_prompts == 10
    with pytest.raises(RoundError, match="open already"):
        evaluations.begin(project, [newer], by=None)
    assert Evaluation.objects.count() == 1


def test_trainers_get_pairs_as_often_as_the_share_says_and_else_what_there_is(project: Project, newer: Policy) -> None:
    alice, bob = make_user(username="alice", projects=[project]), make_user(username="bob", projects=[project])
    evaluation = evaluations.begin(project, [newer], by=None, num_prompts=30, share=1.0)
    answer_all(evaluation)
    work = make_comparison(project=project)
    assert claimed(project, alice).comparison.evaluation == evaluation
    Evaluation.objects.update(share=0.01)
    random.seed(1)  # the next draw is 0.13
    assert claimed(project, bob).comparison == work
    carol = make_user(projects=[project])
    random.seed(1)
    assert claimed(project, carol).comparison.evaluation == evaluation  # the queue holds nothing else


def test_nobody_gets_two_pairs_of_a_prompt_nor_one_of_their_own(project: Project, newer: Policy) -> None:
    alice = make_user(username="alice", projects=[project])
    project.prompts.update(created_by=alice)
    newest = make_policy(name="newest")
    evaluation = evaluations.begin(project, [newer, newest], by=None, num_prompts=20, share=1.0)
    answer_all(evaluation)
    assert isinstance(assignment.claim(project, by=alice), assignment.Nothing)
    bob = make_user(username="bob", projects=[project])
    seen = []
    for _ in range(20):
        lease = claimed(project, bob)
        seen.append(lease.comparison.prompt_id)
        judge(lease, by=bob, better="newer")
    assert len(set(seen)) == 20
    assert isinstance(assignment.claim(project, by=bob), assignment.Nothing)


def test_a_pair_has_as_many_places_as_judgements_are_wanted(project: Project, newer: Policy) -> None:
    evaluation = evaluations.begin(project, [newer], by=None, num_prompts=20, verdicts_per_pair=2, share=1.0)
    answer_all(evaluation)
    trainers = make_users(num=3, project=project)
    judged = [work_through(project, trainer, better="newer") for trainer in trainers]
    assert sum(judged) == 40
    pairs = evaluation.comparisons.values_list("state", "open_slots", "num_rankings").distinct()
    assert list(pairs) == [(Comparison.State.DONE, 0, 2)]


def test_a_place_that_expires_is_given_back(project: Project, newer: Policy) -> None:
    alice = make_user(username="alice", projects=[project])
    evaluation = evaluations.begin(project, [newer], by=None, num_prompts=20, share=1.0)
    answer_all(evaluation)
    lease = claimed(project, alice)
    lease.comparison.refresh_from_db()
    assert lease.comparison.open_slots == 0
    type(lease).objects.filter(id=lease.id).update(expires_at="2020-01-01T00:00Z")
    assert assignment.expire_leases() == 1
    lease.comparison.refresh_from_db()
    assert lease.comparison.open_slots == 1


def test_a_clear_winner_is_called_better_at_the_first_look_and_no_more_pairs_are_handed_out(
    project: Project, newer: Policy, erin: User
) -> None:
    evaluation = evaluations.begin(project, [newer], by=erin, num_prompts=50, share=1.0)
    answer_all(evaluation)
    trainers = make_users(num=4, project=project)
    for number in range(39):
        judge(claimed(project, trainers[number % 4]), by=trainers[number % 4], better="newer")
    assert evaluations.decide(project) == 0
    judge(claimed(project, trainers[0]), by=trainers[0], better="newer")
    assert evaluations.decide(project) == 1
    candidate = evaluation.candidates.get()
    evaluation.refresh_from_db()
    assert (candidate.verdict, evaluation.state) == (Candidate.Verdict.BETTER, Evaluation.State.DECIDED)
    assert [look["num_verdicts"] for look in candidate.looks] == [40]
    assert isinstance(assignment.claim(project, by=trainers[1]), assignment.Nothing)
    assert evaluations.decide(project) == 0
    event = AuditEvent.objects.get(verb="decide on policy")
    assert (event.detail["policy"], event.detail["verdict"]) == ("newer", "better")


def test_a_pair_in_hand_can_be_finished_after_the_verdict(project: Project, newer: Policy) -> None:
    evaluation = evaluations.begin(project, [newer], by=None, num_prompts=50, share=1.0)
    answer_all(evaluation)
    alice, *others = make_users(num=4, project=project)
    in_hand = claimed(project, alice)
    for number in range(40):
        judge(claimed(project, others[number % 3]), by=others[number % 3], better="newer")
    assert evaluations.decide(project) == 1
    judge(in_hand, by=alice, better=project.policy.name)  # type: ignore[union-attr]
    assert len(judgements_of(evaluation, newer)) == 41
    assert evaluation.candidates.get().verdict == Candidate.Verdict.BETTER


def test_a_worse_policy_is_called_worse(project: Project, newer: Policy) -> None:
    assert project.policy is not None
    evaluation = run_evaluation(project, newer, better=project.policy.name)
    assert evaluation.candidates.get().verdict == Candidate.Verdict.WORSE


def test_without_a_difference_it_is_too_close_once_all_pairs_are_judged(project: Project, newer: Policy) -> None:
    evaluation = evaluations.begin(project, [newer], by=None, num_prompts=30, share=1.0)
    answer_all(evaluation)
    trainers = make_users(num=2, project=project)
    for number in range(29):
        judge(claimed(project, trainers[number % 2]), by=trainers[number % 2], better="")
    assert evaluations.decide(project) == 0
    lease = claimed(project, trainers[0])
    assert evaluations.decide(project) == 0  # a pair is in somebody's hands
    submit(lease, Submission(abstained="I do not know enough about this subject."), by=trainers[0])
    assert evaluations.decide(project) == 1  # abstained from: fewer judgements than planned, and no pair left
    assert evaluation.candidates.get().verdict == Candidate.Verdict.TOO_CLOSE


def test_ties_count_half_and_neither_is_a_tie_that_is_named(project: Project, newer: Policy) -> None:
    evaluation = evaluations.begin(project, [newer], by=None, num_prompts=20, share=1.0)
    answer_all(evaluation)
    alice = make_user(username="alice", projects=[project])
    judge(claimed(project, alice), by=alice, better="newer")
    judge(claimed(project, alice), by=alice, better="")
    lease = claimed(project, alice)
    submit(lease, Submission(tiers=(tuple(lease.shown_order),), unacceptable_from=0), by=alice)
    figures = figures_of(judgements_of(evaluation, newer))
    assert figures is not None
    assert (figures.wins, figures.ties, figures.losses, figures.num_neither) == (1, 2, 0, 1)
    assert figures.win_rate.value == pytest.approx(2 / 3)
    assert figures.win_rate.low < 0.35
    assert (figures.style_controlled, figures.num_trainers, figures.num_prompts) == (None, 1, 3)


def test_what_was_taken_back_does_not_count(project: Project, newer: Policy) -> None:
    evaluation = evaluations.begin(project, [newer], by=None, num_prompts=20, share=1.0)
    answer_all(evaluation)
    alice = make_user(username="alice", projects=[project])
    judge(claimed(project, alice), by=alice, better="newer")
    ranking = judgements_of(evaluation, newer)[0].ranking_id
    alice.rankings.filter(id=ranking).update(retracted_at="2026-11-01T00:00Z")
    assert judgements_of(evaluation, newer) == []
    assert figures_of([]) is None


def test_answers_that_are_the_same_are_shown_to_nobody(project: Project, newer: Policy) -> None:
    evaluation = evaluations.begin(project, [newer], by=None, num_prompts=20, share=1.0)
    answer_all(evaluation, alike=5)
    assert num_alike(evaluation) == 5
    alice = make_user(username="alice", projects=[project])
    assert work_through(project, alice, better="newer") == 15
    assert evaluations.decide(project) == 1  # no pair is left


def test_the_error_is_shared_among_candidates(project: Project, newer: Policy) -> None:
    one = evaluations.begin(project, [newer], by=None, num_prompts=20)
    alone = evaluations.design_of(one)
    evaluations.stop(one, by=None)
    both = evaluations.design_of(evaluations.begin(project, [newer, make_policy()], by=None, num_prompts=20))
    assert both.error == alone.error / 2
    assert (both.first, both.most) == (20, 20)


def test_a_stopped_evaluation_hands_nothing_out_and_cancels_what_is_sampled(
    project: Project, newer: Policy, erin: User
) -> None:
    evaluation = evaluations.begin(project, [newer], by=erin, num_prompts=20, share=1.0)
    answer_all(evaluation, most=10)
    evaluations.stop(evaluation, by=erin)
    alice = make_user(username="alice", projects=[project])
    assert isinstance(assignment.claim(project, by=alice), assignment.Nothing)
    assert set(project.sampling_runs.values_list("state", flat=True)) == {"done", "cancelled"}
    evaluations.stop(evaluation, by=erin)
    assert AuditEvent.objects.filter(verb="stop evaluation").count() == 1
    evaluations.begin(project, [newer], by=erin, num_prompts=20, share=1.0)
    assert isinstance(assignment.claim(project, by=alice), assignment.Nothing)  # none of the pairs of the first


def test_a_policy_that_people_called_better_is_promoted_without_a_reason(
    project: Project, newer: Policy, erin: User
) -> None:
    evaluation = run_evaluation(project, newer, better="newer")
    promotion = promote(newer, project=project, by=erin)
    assert (promotion.verdict, promotion.evaluation, promotion.reason) == ("better", evaluation, "")
    assert promotion.has_peoples_word
    assert promotion.win_rate is not None
    assert (promotion.win_rate["value"], promotion.win_rate["n"]) == (1.0, 40)
    assert (promotion.by, promotion.before.name, promotion.is_return) == (erin, evaluation.baseline.name, False)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [("worse", "newer was judged worse"), ("open", "not decided yet"), ("nobody", "were not asked")],
)
def test_against_peoples_word_or_without_it_a_promotion_needs_a_reason(
    project: Project, newer: Policy, erin: User, asked: str, sentence: str
) -> None:
    before = project.policy
    assert before is not None
    if asked == "worse":
        run_evaluation(project, newer, better=before.name)
    if asked == "open":
        evaluations.begin(project, [newer], by=None, num_prompts=20)
    with pytest.raises(RoundError, match=sentence):
        promote(newer, project=project, by=erin, reason="  ")
    project.refresh_from_db()
    assert (project.policy, Promotion.objects.count()) == (before, 0)
    promotion = promote(newer, project=project, by=erin, reason=" It is safer. ")
    assert (promotion.reason, promotion.has_peoples_word) == ("It is safer.", False)
    assert promotion.verdict == {"worse": "worse", "open": "open", "nobody": ""}[asked]


def test_a_return_to_an_earlier_policy_is_marked(project: Project, newer: Policy, erin: User) -> None:
    first = project.policy
    assert first is not None
    promote(newer, project=project, by=erin, reason="Tried.")
    assert promote(first, project=project, by=erin, reason="It answered worse than before.").is_return


def test_the_word_is_that_on_the_present_policy_and_the_newest(project: Project, newer: Policy) -> None:
    run_evaluation(project, newer, better="newer")
    third = make_policy(name="third")
    assert peoples_word(third, project=project) is None
    promote(newer, project=project, by=None)
    project.refresh_from_db()
    assert peoples_word(newer, project=project) is None  # nothing is known of it against itself
    assert peoples_word(third, project=project) is None
