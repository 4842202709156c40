"""What a training job reads: which exports and models fit which kind, and where they go on the command line."""

from pathlib import Path
from typing import Any

import pytest
import redis

from labeling.models import Export, Policy, Project, TrainingJob
from labeling.rounds import training_inputs, training_jobs
from labeling.rounds.training_inputs import JobError
from labeling.rounds.training_jobs import record_result, start_job
from tests.labeling.factories import make_policy, make_project, make_served_policy
from tests.labeling.rounds.test_training_jobs import Commits, make_export, make_reward_model, publish, result, sent

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(store: Path) -> Project:
    return make_project(policy=make_policy(name="start"))


@pytest.mark.parametrize(
    ("kind", "paths"),
    [
        ("sft", {"mix_data": "exports/beside", "select_reward": "rewardmodels/second"}),
        ("ppo", {"ptx_data": "exports/beside", "watch_reward": "rewardmodels/second"}),
        ("rloo", {"ptx_data": "exports/beside", "watch_reward": "rewardmodels/second"}),
    ],
)
def test_demonstrations_and_a_watching_model_go_to_the_trainers_options(
    project: Project, broker: redis.Redis, commits: Commits, kind: str, paths: dict[str, str]
) -> None:
    with commits():
        job = start_job(
            project,
            kind=kind,
            export=make_export(project, training_inputs.EXPORT_KINDS[TrainingJob.Kind(kind)]),
            output_name="round-1",
            reward_model=make_reward_model(),
            demonstrations=make_export(project, store_path="exports/beside"),
            watching_model=make_reward_model("second"),
            by=None,
        )
    (request,) = sent(broker)
    assert request.further_paths == paths
    assert job.watching_model is not None


def test_a_reward_model_is_0_on_the_demonstrations_named(
    project: Project, broker: redis.Redis, commits: Commits
) -> None:
    beside = make_export(project, store_path="exports/beside")
    rankings = make_export(project, "rankings")
    with commits():
        start_job(project, kind="reward_model", export=rankings, output_name="rm-2", demonstrations=beside, by=None)
    assert sent(broker)[0].further_paths == {"demonstrations": "exports/beside"}


def test_further_material_that_does_not_fit_is_refused(project: Project) -> None:
    export, reward = make_export(project), make_reward_model()
    prompts, rankings = make_export(project, "prompts"), make_export(project, "rankings")
    second = make_reward_model("second")
    rloo = {"kind": "rloo", "export": prompts, "reward_model": reward}
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("another export", {"kind": "sft", "export": export, "demonstrations": export}),
        ("finished export of demonstrations", {"kind": "sft", "export": export, "demonstrations": prompts}),
        ("Nothing watches", {"kind": "reward_model", "export": rankings, "watching_model": reward}),
        ("Nothing watches", {"kind": "dpo", "export": rankings, "watching_model": reward}),
        ("DPO mixes no demonstrations in", {"kind": "dpo", "export": rankings, "demonstrations": export}),
        ("DPO takes one reward model at most", {"kind": "dpo", "export": rankings, "ensemble_models": [reward]}),
        ("in an ensemble only once", rloo | {"ensemble_models": [reward]}),
        ("must be another", rloo | {"ensemble_models": [second], "watching_model": second}),
        ("must be another", {"kind": "ppo", "export": prompts, "reward_model": reward, "watching_model": reward}),
    ]
    for complaint, values in wrong:
        with pytest.raises(JobError, match=complaint):
            start_job(project, output_name="better", by=None, **values)
    assert not TrainingJob.objects.exists()


def test_an_export_of_another_project_or_unfinished_is_refused(project: Project) -> None:
    for export in (make_export(make_project()), make_export(project, state=Export.State.RUNNING)):
        with pytest.raises(JobError, match="finished export of demonstrations of this project"):
            start_job(project, kind="sft", export=export, output_name="better", by=None)
    columns = make_export(project, format="chat-jsonl")
    with pytest.raises(JobError, match="Training reads the records format"):
        start_job(project, kind="sft", export=columns, output_name="better", by=None)


def test_what_samples_needs_a_reward_model_and_a_policy_of_files(project: Project) -> None:
    export = make_export(project, "prompts")
    for kind, name in (("ppo", "PPO"), ("rloo", "RLOO"), ("rejection_sampling", "Rejection sampling")):
        with pytest.raises(JobError, match=f"{name} needs a reward model"):
            start_job(project, kind=kind, export=export, output_name="better", by=None)
    elsewhere = make_served_policy()
    with pytest.raises(JobError, match="served runs on another server"):
        start_job(project, kind="ppo", export=export, output_name="better", policy=elsewhere, by=None)


@pytest.mark.parametrize(
    ("kind", "data", "reward"),
    [
        ("rloo", "prompts", True),
        ("dpo", "rankings", False),
        ("kto", "thumbs", False),
        ("rejection_sampling", "prompts", True),
    ],
)
def test_each_new_way_to_a_policy_is_sent_and_registered(
    project: Project, store: Path, broker: redis.Redis, kind: str, data: str, reward: bool
) -> None:
    ensemble = [make_reward_model("third"), make_reward_model("second")] if kind == "rloo" else []
    job = start_job(
        project, kind=kind, export=make_export(project, data), output_name="better",
        reward_model=make_reward_model(), ensemble_models=ensemble, by=None,
    )  # fmt: skip
    training_jobs.send_job(job.id)
    (request,) = sent(broker)
    assert (request.kind, request.data_path, request.model_path) == (kind, f"exports/{data}", "policies/start")
    assert (request.reward_path, request.out_path) == ("rewardmodels/rm" if reward else None, "policies/better")
    assert request.ensemble_paths == (("rewardmodels/second", "rewardmodels/third") if ensemble else ())
    job.refresh_from_db()
    assert record_result(result(job, publish(store, "policies/better")))
    policy = Policy.objects.get(name="better")
    assert (policy.parent, policy.training_job, policy.state) == (project.policy, job, Policy.State.CANDIDATE)
