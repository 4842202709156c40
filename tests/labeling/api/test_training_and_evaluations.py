"""The loop from a script: training jobs and evaluations over the API, with the rules of the pages."""

from pathlib import Path
from typing import Any

import pytest

from labeling.models import Evaluation, Export, Project, RewardModel, TrainingJob
from tests.labeling.api.api_client import Program
from tests.labeling.exports.material import exported, make_ranking
from tests.labeling.factories import (
    make_policy,
    make_project,
    make_served_policy,
    make_user,
)
from tests.labeling.rounds.judging import (
    answer_all,
    fill_pool,
    run_evaluation,
    work_through,
)

pytestmark = pytest.mark.django_db
NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def project(store: Path) -> Project:
    project = make_project(slug="ours", policy=make_served_policy(name="base"))
    fill_pool(project)
    return project


@pytest.fixture
def erin(project: Project) -> Program:
    return Program(make_user(username="erin", projects=[project]))


@pytest.fixture
def rankings(project: Project) -> Export:
    make_ranking(project=project, trainer=make_user(projects=[project]))
    return exported(project, "rankings")


def test_a_job_starts_with_what_the_form_proposes_and_what_is_given(
    project: Project, erin: Program, rankings: Export
) -> None:
    start = make_policy(name="start")
    body: dict[str, Any] = {"kind": "reward_model", "export_id": str(rankings.id), "policy_id": str(start.id)}
    answer = erin.post("projects/ours/jobs", {**body, "output_name": "judge", "options": {"epochs": 3, "lora": False}})
    assert answer.status_code == 201, answer.content
    job = TrainingJob.objects.get()
    assert (answer.json()["id"], answer.json()["state"], job.output_name) == (str(job.id), job.state, "judge")
    assert job.options == {"lora": False, "lr": 3e-4, "seed": 0, "epochs": 3, "batch_size": 16}
    assert (job.policy, job.export, str(job.requested_by)) == (start, rankings, "Erin")
    assert erin.get(f"projects/ours/jobs/{job.id}").json()["output_name"] == "judge"
    assert erin.post(f"projects/ours/jobs/{job.id}/cancel").json()["state"] == "cancelled"
    assert [one["id"] for one in erin.get("projects/ours/jobs").json()["results"]] == [str(job.id)]


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        ({"options": {"epoch": 3}}, "body.options.epoch", "no option “epoch”"),
        ({"options": {"kind": 3}}, "body.options.kind", "no option “kind”"),
        ({"options": {"epochs": 0}}, "body.options.epochs", "greater than or equal to 1"),
        ({"export_id": NOBODY}, "body.export_id", "valid choice"),
        ({"policy_id": NOBODY}, "body.policy_id", "valid choice"),
        ({"kind": "rlhf"}, "body.kind", "ppo"),
        ({"kind": "ppo"}, "body.export_id", "valid choice"),
    ],
)
def test_a_job_that_cannot_start_is_refused_by_name(
    project: Project, erin: Program, rankings: Export, change: dict[str, Any], where: str, what: str
) -> None:
    policy = make_policy(name="start")
    body = {"kind": "reward_model", "export_id": str(rankings.id), "policy_id": str(policy.id)}
    answer = erin.post("projects/ours/jobs", body | change)
    assert answer.status_code == 422
    told = [answer.json(), *answer.json()["others"]]
    assert what in {one["where"]: one["what"] for one in told}[where]
    assert TrainingJob.objects.count() == 0


@pytest.mark.parametrize(
    ("kind", "data", "ids", "options"),
    [
        ("rloo", "prompts", ("reward_model_id",), {"advantage": "group-normalised", "updates": 2}),
        ("dpo", "rankings", (), {"beta": 0.2, "whole_tiers": True}),
        ("kto", "thumbs", (), {"desirable_weight": 1, "undesirable_weight": 2}),
        ("rejection_sampling", "prompts", ("reward_model_id",), {"num_samples": 8}),
    ],
)
def test_each_way_to_a_policy_starts_from_a_script(
    project: Project, erin: Program, kind: str, data: str, ids: tuple[str, ...], options: dict[str, Any]
) -> None:
    judges = [
        RewardModel.objects.create(name=name, store_path=f"rewardmodels/{name}", manifest_sha256="0" * 64)
        for name in ("judge", "second")
    ]
    export = Export.objects.create(
        project=project, kind=data, state=Export.State.DONE, num_records=7, store_path=f"exports/{data}"
    )
    body = {
        "kind": kind,
        "export_id": str(export.id),
        "policy_id": str(make_policy(name="start").id),
        "options": options,
    }
    if ids and kind == "rloo":
        body |= {"ensemble_model_ids": [str(judges[1].id)]}
    answer = erin.post("projects/ours/jobs", body | {name: str(judges[0].id) for name in ids})
    assert answer.status_code == 201, answer.content
    job = TrainingJob.objects.get()
    assert (job.kind, job.export, job.reward_model) == (kind, export, judges[0] if ids else None)
    assert options.items() <= job.options.items()
    assert answer.json()["ensemble_model_ids"] == ([str(judges[1].id)] if kind == "rloo" else [])
    wrong = body | {"options": {**options, "value_lr": 1.0}}
    refused = erin.post("projects/ours/jobs", wrong)
    assert (refused.status_code, refused.json()["where"]) == (422, "body.options.value_lr")
    if ids:
        missing = erin.post("projects/ours/jobs", body | {"output_name": "other"})
        assert (missing.status_code, missing.json()["where"]) == (422, "body.reward_model_id")
        assert "A reward model is needed" in missing.json()["what"]


def test_reward_models_are_listed_by_name(project: Project, erin: Program) -> None:
    for name in ("judge", "other"):
        RewardModel.objects.create(name=name, store_path=f"rewardmodels/{name}", manifest_sha256="0" * 64)
    assert [one["name"] for one in erin.get("reward-models").json()["results"]] == ["other", "judge"]
    assert [one["name"] for one in erin.get("reward-models", name="judge").json()["results"]] == ["judge"]


def test_an_evaluation_is_begun_followed_and_stopped(project: Project, erin: Program) -> None:
    newer = make_served_policy(name="newer")
    body = {"policy_ids": [str(newer.id)], "num_prompts": 25, "share": 1.0}
    answer = erin.post("projects/ours/evaluations", body)
    assert answer.status_code == 201, answer.content
    evaluation = Evaluation.objects.get()
    place = f"projects/ours/evaluations/{evaluation.id}"
    begun = erin.get(place).json()
    assert (begun["baseline"], begun["state"], begun["figures"]) == ("base", "open", {"newer": None})
    assert [one["verdict"] for one in begun["candidates"]] == ["open"]
    again = erin.post("projects/ours/evaluations", body)
    assert (again.status_code, "open already" in again.json()["what"]) == (422, True)
    answer_all(evaluation, most=3)
    work_through(project, make_user(projects=[project]), better="newer")
    figures = erin.get(place).json()["figures"]["newer"]
    assert (figures["wins"], figures["win_rate"]["value"], figures["win_rate"]["n"]) == (3, 1.0, 3)
    assert erin.post(f"{place}/stop").json()["state"] == "stopped"
    assert [one["id"] for one in erin.get("projects/ours/evaluations").json()["results"]] == [str(evaluation.id)]
    missing = erin.post("projects/ours/evaluations", {"policy_ids": [NOBODY]})
    assert (missing.status_code, missing.json()["where"]) == (422, "body.policy_ids[0]")


def test_a_verdict_of_people_promotes_without_a_reason(project: Project, erin: Program) -> None:
    newer = make_served_policy(name="newer")
    evaluation = run_evaluation(project, newer, better="newer")
    told = erin.get(f"projects/ours/evaluations/{evaluation.id}").json()
    assert [(one["policy"], one["verdict"]) for one in told["candidates"]] == [("newer", "better")]
    assert erin.post("projects/ours/promote", {"policy_id": str(newer.id)}).status_code == 201
