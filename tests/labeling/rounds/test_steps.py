"""The steps of a round: how each stands, what is next, and for whom."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from labeling.models import AuditEvent, Comparison, Dialogue, Export, Policy, Project, Round, TrainingJob, User
from labeling.rounds.steps import RoundStep, round_steps
from tests.labeling.exports.material import make_ranking
from tests.labeling.factories import make_comparison, make_dialogue, make_policy, make_user

pytestmark = pytest.mark.django_db


def found(project: Project, **options: Any) -> dict[str, RoundStep]:
    return {step.name: step for step in round_steps(project, **options)}


def current(project: Project) -> Round:
    assert project.current_round is not None
    return project.current_round


def make_job(project: Project, kind: str, **fields: Any) -> TrainingJob:
    export = Export.objects.create(project=project, kind="rankings", state=Export.State.DONE)
    values = {"output_name": kind, "state": TrainingJob.State.DONE, "round": current(project), **fields}
    return TrainingJob.objects.create(project=project, kind=kind, export=export, **values)


def test_they_come_in_the_order_of_the_loop(project: Project) -> None:
    names = [step.name for step in round_steps(project)]
    assert names == ["write", "sample", "rank", "export", "reward_model", "policy", "compare", "promote"]


def test_at_first_all_but_writing_and_sampling_wait(project: Project) -> None:
    states = {name: step.state for name, step in found(project).items()}
    assert states == {"write": "ready", "sample": "ready"} | dict.fromkeys(
        ("rank", "export", "reward_model", "policy", "compare", "promote"), "waiting"
    )


def test_a_project_without_a_round_has_only_writing() -> None:
    empty = Project.objects.create(slug="empty", name="Empty")
    assert [step.name for step in round_steps(empty)] == ["write"]


def test_the_count_of_each_is_of_this_round_alone(project: Project) -> None:
    make_comparison(project=project, round=current(project), state=Comparison.State.OPEN)
    ranked = make_comparison(project=project, round=current(project), state=Comparison.State.DONE, open_slots=0)
    make_ranking(project=project, comparison=ranked, seconds=40.0)
    make_ranking(project=project, seconds=99.0)
    make_ranking(project=project, comparison=ranked, retracted_at=timezone.now())
    gold = make_comparison(project=project, round=current(project), use="gold", open_slots=0)
    make_ranking(project=project, comparison=gold, seconds=5.0)
    make_dialogue(project=project, state=Dialogue.State.WITHDRAWN, seconds=70.0)
    make_dialogue(project=project, state=Dialogue.State.ACCEPTED, seconds=12.0)
    make_dialogue(project=project, state=Dialogue.State.SUBMITTED)
    here = found(project)
    assert (here["write"].count, here["write"].state, here["write"].note) == (1, "done", "1 waits for review")
    assert here["write"].seconds == 12.0
    assert (here["sample"].count, here["sample"].state) == (12, "done")
    assert (here["rank"].count, here["rank"].seconds, here["rank"].note) == (1, 40.0, "1 more wanted")
    assert (here["rank"].state, here["export"].state) == ("ready", "ready")


def test_training_moves_from_ready_to_working_to_done(project: Project) -> None:
    Export.objects.create(project=project, kind="rankings", state=Export.State.DONE)
    assert found(project)["reward_model"].state == "ready"
    job = make_job(project, "reward_model", state=TrainingJob.State.RUNNING, fraction=0.5)
    step = found(project)["reward_model"]
    assert (step.state, step.note, str(job.id) in step.url) == ("working", "reward_model: 50 %", True)
    now = timezone.now()
    values = {"state": TrainingJob.State.DONE, "started_at": now - timedelta(seconds=90), "finished_at": now}
    TrainingJob.objects.filter(id=job.id).update(**values)
    step = found(project)["reward_model"]
    assert (step.state, step.count, step.seconds) == ("done", 1, 90.0)
    assert found(project)["policy"].state == "ready"
    TrainingJob.objects.filter(id=job.id).update(state=TrainingJob.State.FAILED)
    assert found(project)["reward_model"].state == "failed"


def test_a_policy_that_ppo_made_can_be_compared_and_promoted(project: Project) -> None:
    better = make_policy(name="better", training_job=make_job(project, "ppo"))
    here = found(project)
    assert (here["compare"].state, here["promote"].state, here["promote"].note) == ("ready", "ready", "better")
    assert str(better.id) in here["promote"].url


@pytest.mark.parametrize("kind", ["rloo", "dpo", "kto", "rejection_sampling"])
def test_a_policy_made_in_place_of_ppo_is_a_candidate_too(project: Project, kind: str) -> None:
    better = make_policy(name="better", training_job=make_job(project, kind))
    here = found(project)
    assert (here["policy"].label, here["policy"].state) == (TrainingJob.Kind(kind).label, "done")
    assert here["promote"].note == "better"
    assert str(better.id) in here["compare"].url


def test_a_round_without_a_reward_model_is_not_asked_for_one(project: Project) -> None:
    Export.objects.create(project=project, kind="rankings", state=Export.State.DONE)
    assert found(project)["policy"].label == "PPO", "which is offered first"
    make_policy(training_job=make_job(project, "dpo"))
    here = found(project)
    assert (here["reward_model"].state, here["reward_model"].note) == ("waiting", "DPO needs none")
    assert here["compare"].state == "ready"
    make_job(project, "ppo", state=TrainingJob.State.FAILED)
    assert found(project)["reward_model"].state == "ready"


def test_only_a_policy_that_ppo_made_in_this_round_and_nobody_promoted_is_a_candidate(project: Project) -> None:
    earlier = project.rounds.create(number=0, policy=project.policy, closed_at="2100-01-01T00:00Z")
    make_policy(training_job=make_job(project, "sft"))
    make_policy(training_job=make_job(project, "ppo", output_name="old", round=earlier))
    make_policy(training_job=make_job(project, "ppo", output_name="promoted"), state=Policy.State.PROMOTED)
    assert found(project)["promote"].state == "waiting"


def test_what_was_built_and_compared_before_the_round_does_not_count(project: Project) -> None:
    Export.objects.create(project=project, kind="rankings", state=Export.State.DONE)
    AuditEvent.note("compare policies", project, by=None)
    here = found(project)
    assert (here["export"].count, here["compare"].count) == (1, 1)
    project.rounds.update(started_at=timezone.now() + timedelta(minutes=1))
    here = found(project)
    assert (here["export"].count, here["compare"].count) == (0, 0)


def test_the_first_that_is_ready_is_next(project: Project) -> None:
    make_dialogue(project=project, state=Dialogue.State.ACCEPTED)
    assert [step.name for step in round_steps(project) if step.is_next] == ["sample"]


def test_nobody_is_offered_what_their_role_may_not_do(project: Project) -> None:
    make_comparison(project=project, round=current(project))
    make_dialogue(project=project, state=Dialogue.State.SUBMITTED)
    engineer = found(project, viewer=make_user(role=User.Role.ENGINEER))
    admin = found(project, viewer=make_user(role=User.Role.ADMIN))
    assert [engineer[name].action for name in ("write", "rank")] == ["", ""]
    assert [admin[name].action for name in ("write", "rank")] == ["Review", "Rank"]
    assert engineer["export"].action
