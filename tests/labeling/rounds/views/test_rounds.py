"""The rounds page: steps, training jobs, comparing and promoting."""

import json
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.exports.splits import split_of
from labeling.jobs import dispatch
from labeling.models import Completion, Export, Policy, Project, RewardModel, Round, SamplingRun, TrainingJob, User
from labeling.rounds.errors import RoundError
from labeling.rounds.evaluation_requests import begin_evaluation, held_out_prompts, newest_evaluation
from labeling.rounds.training_inputs import EXPORT_KINDS
from labeling.sampling.policies import register_policy
from records import publish_directory
from tests.labeling.factories import make_policy, make_project, make_prompt, make_user
from tests.labeling.signed_in import as_user, htmx_get

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    monkeypatch.setattr(dispatch, "send_task", lambda task, **arguments: calls.append(task) or True)
    monkeypatch.setattr(dispatch, "forget_stop", lambda run_id: None)
    monkeypatch.setattr(dispatch, "ask_to_stop", lambda run_id: None)
    return calls


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky", name="Sky", policy=make_policy(name="base"))


def url(name: str, *arguments: Any) -> str:
    return reverse(name, args=("sky", *arguments))


def page(client: Client, name: str, *arguments: Any, query: str = "") -> str:
    return str(client.get(url(name, *arguments) + query).content.decode())


def make_export(project: Project, kind: str, **fields: Any) -> Export:
    values = {"state": Export.State.DONE, "num_records": 7, "store_path": f"exports/{kind}", **fields}
    return Export.objects.create(project=project, kind=kind, **values)


def make_job(project: Project, **fields: Any) -> TrainingJob:
    kind = fields.pop("kind", "sft")
    kinds = {one.value: wanted.value for one, wanted in EXPORT_KINDS.items()}
    values = {"output_name": f"{kind}-{uuid.uuid4().hex[:6]}", "round": project.current_round, "policy": project.policy}
    export = fields.pop("export", None) or make_export(project, kinds[kind])
    return TrainingJob.objects.create(project=project, kind=kind, export=export, **values | fields)


def make_candidate(project: Project, name: str = "better") -> Policy:
    job = make_job(project, kind="ppo", state=TrainingJob.State.DONE, output_name=name)
    return make_policy(name=name, training_job=job, parent=project.policy)


def publish(store: Path, name: str) -> Policy:
    (store / "staging").mkdir(parents=True)
    (store / "staging" / "config.json").write_text("{}")
    publish_directory(store / "staging", store / "policies" / name)
    return register_policy(f"policies/{name}")


def sft_values(export: Export, **values: Any) -> dict[str, Any]:
    return {
        "kind": "sft", "export": export.id, "policy": export.project.policy_id, "output_name": "tuned", "lr": "0.0003",
        "epochs": 1, "batch_size": 8, "seed": 3, "lora": "on", **values,
    }  # fmt: skip


def test_only_engineers_and_admins_may_open_it(project: Project) -> None:
    trainer = as_user(make_user(projects=[project]))
    stranger = as_user(make_user(role=User.Role.ENGINEER))
    job, policy = make_job(project), make_policy()
    for name, arguments in (
        ("rounds", ()), ("round_step_row", ()), ("training_job", (job.id,)), ("job_state", (job.id,)),
        ("job_row", (job.id,)), ("compare_policy", (policy.id,)), ("promote_policy", (policy.id,)),
    ):  # fmt: skip
        assert trainer.get(url(name, *arguments)).status_code == 403
        assert stranger.get(url(name, *arguments)).status_code == 404
    for name, arguments in (
        ("start_training", ()),
        ("open_round", ()),
        ("stop_job", (job.id,)),
        ("retry_job", (job.id,)),
    ):
        assert trainer.post(url(name, *arguments)).status_code == 403
        assert stranger.post(url(name, *arguments)).status_code == 404
    assert stranger.post(url("promote_policy", policy.id)).status_code == 404


def test_a_job_is_started_from_the_form(
    project: Project, erins_browser: Client, sent: list[str], django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    export = make_export(project, "demonstrations")
    with django_capture_on_commit_callbacks(execute=True):
        answer = erins_browser.post(url("start_training"), sft_values(export))
    job = TrainingJob.objects.get()
    assert answer["Location"] == url("training_job", job.id)
    assert job.options == {"lora": True, "lr": 0.0003, "seed": 3, "epochs": 1, "batch_size": 8}
    assert (job.output_name, job.policy, job.export, str(job.requested_by)) == ("tuned", project.policy, export, "Erin")
    assert sent == ["training.train"]
    assert "Waiting for a train worker" in page(erins_browser, "training_job", job.id)


def test_demonstrations_and_a_watching_model_are_chosen_by_name(project: Project, erins_browser: Client) -> None:
    export, beside = (make_export(project, "demonstrations") for _ in range(2))
    second = RewardModel.objects.create(name="second", store_path="rewardmodels/second", manifest_sha256="0" * 64)
    chosen = {"demonstrations": beside.id, "mix_ratio": "0.5", "watching_model": second.id}
    assert erins_browser.post(url("start_training"), sft_values(export, **chosen)).status_code == 302
    job = TrainingJob.objects.get()
    assert (job.demonstrations, job.watching_model, job.options["mix_ratio"]) == (beside, second, 0.5)
    content = page(erins_browser, "training_job", job.id)
    assert "watched by second" in content
    assert f"beside {beside.num_records} demonstration" in content


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"mix_ratio": "0.5"}, "give both or neither"),
        ({"lr": "0"}, "greater than or equal to 1e-09"),
        ({"output_name": "Best Model"}, "small letters, digits"),
        ({"output_name": "base"}, "There is a model called “base” already"),
        ({"export": uuid.uuid4()}, "Select a valid choice"),
        ({"epochs": "many"}, "Enter a whole number"),
    ],
)
def test_a_job_that_makes_no_sense_answers_422(
    project: Project, erins_browser: Client, values: dict[str, Any], complaint: str
) -> None:
    answer = erins_browser.post(url("start_training"), sft_values(make_export(project, "demonstrations")) | values)
    assert answer.status_code == 422
    content = answer.content.decode()
    assert complaint in content
    assert not TrainingJob.objects.exists()


def ppo_values(project: Project, **values: Any) -> dict[str, Any]:
    judge, _ = RewardModel.objects.get_or_create(
        name="judge", store_path="rewardmodels/judge", manifest_sha256="0" * 64
    )
    counts = {"by_split": {"train": 6, "validation": 1}}
    return {
        "kind": "ppo", "export": make_export(project, "prompts", counts=counts).id, "policy": project.policy_id,
        "reward_model": judge.id, "output_name": "optimised", "lr": "0.0001", "seed": 0, "updates": 2,
        "rollouts_per_update": 64, "minibatch_size": 16, "max_new_tokens": 64, "kl_coef": "0.02", **values,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (
            {"minibatch_size": 10},
            "“Completions per update” 64 must be a multiple of “Completions per step” 10; give 60",
        ),
        ({"completions_per_prompt": 5}, "must be a multiple of “Completions per prompt” 5; give 60 or 65"),
        ({"max_new_tokens": 512}, "come to more than the models hold, 512; lower “Longest prompt, tokens” or"),
        ({"max_prompt_tokens": 449}, "prompts of up to 449 tokens and “Longest completion, tokens” 64 come to"),
    ],
)
def test_sizes_that_cannot_run_are_refused_in_the_form(
    project: Project, erins_browser: Client, store: Path, values: dict[str, Any], complaint: str
) -> None:
    for name, context in (("policies/base", 512), ("rewardmodels/judge", 8192)):
        (store / name).mkdir(parents=True)
        (store / name / "config.json").write_text(json.dumps({"max_position_embeddings": context}))
    answer = erins_browser.post(url("start_training"), ppo_values(project, **values))
    assert answer.status_code == 422
    assert complaint in answer.content.decode()
    assert not TrainingJob.objects.exists()


def test_prompts_that_are_all_held_out_are_refused_in_the_form(project: Project, erins_browser: Client) -> None:
    export = make_export(project, "prompts", counts={"by_split": {"validation": 7}})
    answer = erins_browser.post(url("start_training"), ppo_values(project, export=export.id))
    assert "All prompts of this export are held out" in answer.content.decode()
    assert not TrainingJob.objects.exists()


def test_prompts_of_no_given_length_may_fill_what_the_models_hold(
    project: Project, erins_browser: Client, store: Path
) -> None:
    (store / "policies" / "base").mkdir(parents=True)
    (store / "policies" / "base" / "config.json").write_text('{"text_config": {"max_position_embeddings": 512}}')
    assert erins_browser.post(url("start_training"), ppo_values(project)).status_code == 302
    options = TrainingJob.objects.get().options
    assert options["max_prompt_tokens"] == 448
    assert "microbatch_size" not in options, "what is left out is the program's choice"


def test_a_job_that_its_settings_ended_is_not_tried_again_but_with_others(
    project: Project, erins_browser: Client
) -> None:
    judge = RewardModel.objects.create(name="judge", store_path="rewardmodels/judge", manifest_sha256="0" * 64)
    options = {"lr": 2e-5, "updates": 7, "rollouts_per_update": 60, "minibatch_size": 16, "lora": False, "kl_coef": 0.1}
    job = make_job(
        project, kind="ppo", state=TrainingJob.State.FAILED, error="no multiple", needs_other_settings=True,
        reward_model=judge, output_name="tried", options={**options, "gae_lambda": 0.9},
    )  # fmt: skip
    content = page(erins_browser, "training_job", job.id)
    assert "Try again" not in content
    assert f"?again={job.id}#train" in content
    erins_browser.post(url("retry_job", job.id))
    job.refresh_from_db()
    assert job.state == TrainingJob.State.FAILED
    form = page(erins_browser, "rounds", query=f"?again={job.id}")
    form = form[form.index('<section class="card training-form">') :]
    for name, value in (("updates", "7"), ("rollouts_per_update", "60"), ("lr", "2e-05"), ("output_name", "tried")):
        assert re.search(rf'name="{name}" value="{value}"', form), name
    assert re.search(r'name="lora"[^>]*checked', form) is None
    for chosen in (job.export_id, judge.id, project.policy_id):
        assert f'<option value="{chosen}" selected>' in form
    assert "gae_lambda 0.9" in form


def test_only_jobs_of_the_project_fill_its_form(project: Project, erins_browser: Client) -> None:
    other = make_job(make_project(slug="sea", policy=make_policy(name="sea-policy")))
    for asked in (other.id, "nonsense"):
        assert "training-form" not in page(erins_browser, "rounds", query=f"?again={asked}")


def test_an_export_leads_to_the_form_that_needs_it(project: Project, erins_browser: Client) -> None:
    RewardModel.objects.create(name="judge", store_path="rewardmodels/judge", manifest_sha256="0" * 64)
    tuned = make_policy(name="tuned", training_job=make_job(project, state=TrainingJob.State.DONE))
    export = make_export(project, "prompts")
    content = page(erins_browser, "rounds", query=f"?export={export.id}")
    assert "Optimise by PPO" in content
    assert "The policy learns to answer as people did." in content
    form = content[content.index('<section class="card training-form">') :]
    assert 'name="rollouts_per_update"' in form
    assert f'<option value="{export.id}" selected>' in form
    assert f'<option value="{tuned.id}" selected>' in form, "PPO starts from what this round fine-tuned"
    assert 'value="sky-1-ppo"' in form


def test_a_suggested_name_is_free(project: Project, erins_browser: Client) -> None:
    make_policy(name="sky-1-sft")
    make_job(project, output_name="sky-1-sft-2")
    make_export(project, "demonstrations")
    assert 'value="sky-1-sft-3"' in page(erins_browser, "rounds", query="?kind=sft")
    assert "training-form" not in page(erins_browser, "rounds")


def test_a_running_job_shows_its_curves(project: Project, erins_browser: Client, store: Path) -> None:
    job = make_job(project, kind="ppo", state=TrainingJob.State.RUNNING, fraction=0.4, metrics={"score": 0.5})
    work = store / "jobs" / str(job.id) / "work"
    work.mkdir(parents=True)
    lines = [{"step": step, "score": step / 10, "kl": float("nan") if step == 2 else step} for step in range(1, 5)]
    (work / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 5, "sco')
    content = htmx_get(erins_browser, url("job_state", job.id)).content.decode()
    assert "Training: 40 %" in content
    assert content.count("<svg") == 2
    assert "score goes from 0.1 to 0.4 in 4 points" in content
    assert 'hx-trigger="every 3s"' in content
    assert "40 %" in htmx_get(erins_browser, url("job_row", job.id)).content.decode()


def test_a_job_that_evaluates_says_so(project: Project, erins_browser: Client) -> None:
    job = make_job(project, kind="reward_model", state=TrainingJob.State.RUNNING, fraction=0.93, stage="evaluating")
    assert "Evaluating on what was held out: 93 %" in page(erins_browser, "training_job", job.id)


def test_a_job_is_stopped_and_tried_again(project: Project, erins_browser: Client) -> None:
    job = make_job(project, state=TrainingJob.State.RUNNING, attempt=1)
    erins_browser.post(url("stop_job", job.id))
    job.refresh_from_db()
    assert job.state == TrainingJob.State.CANCELLED
    assert "This job was stopped" in page(erins_browser, "training_job", job.id)
    erins_browser.post(url("retry_job", job.id))
    job.refresh_from_db()
    assert job.state == TrainingJob.State.WAITING


def test_a_finished_job_leads_to_its_model(project: Project, erins_browser: Client) -> None:
    better = make_candidate(project)
    content = page(erins_browser, "training_job", better.training_job_id)
    assert "better is in the registry" in content
    assert url("compare_policy", better.id) in content


def test_promoting_asks_first_and_then_opens_the_next_round(
    project: Project, erins_browser: Client, store: Path
) -> None:
    better = publish(store, "better")
    content = page(erins_browser, "promote_policy", better.id)
    assert "instead of base" in content
    assert "People were not asked about better and base." in content
    refused = erins_browser.post(url("promote_policy", better.id), {"reason": " "})
    assert (refused.status_code, Round.objects.count()) == (422, 1)
    assert "Say why it should be promoted all the same" in refused.content.decode()
    answer = erins_browser.post(url("promote_policy", better.id), {"reason": "It was tried by hand."}, follow=True)
    assert "better answers from now on. Round 2 is open." in answer.content.decode()
    project.refresh_from_db()
    assert project.policy == better
    rounds = page(erins_browser, "rounds")
    assert "without people's word" in rounds
    assert "It was tried by hand." in rounds
    assert "It was tried by hand." in erins_browser.get(reverse("model", args=(better.id,))).content.decode()


def test_a_policy_without_its_files_is_not_promoted(project: Project, erins_browser: Client) -> None:
    answer = erins_browser.post(url("promote_policy", make_policy(name="gone").id), {"reason": "Tried."})
    assert answer.status_code == 422
    assert "The files of gone are not in the model store" in answer.content.decode()
    assert Round.objects.count() == 1


def test_a_round_is_opened_where_none_is(project: Project, erins_browser: Client) -> None:
    project.rounds.update(closed_at="2100-01-01T00:00Z")
    assert "No round is open" in page(erins_browser, "rounds")
    erins_browser.post(url("open_round"))
    assert Round.objects.filter(closed_at=None).count() == 1


def test_two_policies_are_compared_on_held_out_prompts(project: Project, erins_browser: Client) -> None:
    for number in range(60):
        make_prompt(project=project, content=f"A question about the number {number}?")
    better = make_candidate(project)
    erins_browser.post(url("compare_policy", better.id))
    status = newest_evaluation(project, better)
    assert status is not None
    assert status.is_under_way
    assert status.num_asked == len(held_out_prompts(project, better, num=40)) > 0
    assert f"0 of {status.num_asked} prompts answered by both" in page(erins_browser, "compare_policy", better.id)
    for run in SamplingRun.objects.all():
        Completion.objects.create(run=run, index=0, content=f"{run.policy.name} says so.", policy=run.policy)
    SamplingRun.objects.update(state=SamplingRun.State.DONE)
    content = htmx_get(erins_browser, url("compare_policy", better.id)).content.decode()
    assert "<html" not in content
    assert "better says so." in content
    assert "Wins, ties half" in content
    assert "By the gold preference" in page(erins_browser, "promote_policy", better.id)


def test_held_out_prompts_are_those_that_ppo_did_not_train_on(project: Project) -> None:
    for number in range(80):
        make_prompt(project=project, content=f"A question about the number {number}?")
    export = make_export(project, "prompts", filters={"test_percent": 30, "validation_percent": 0})
    job = make_job(project, kind="ppo", export=export, state=TrainingJob.State.DONE, output_name="better")
    better = make_policy(name="better", training_job=job)
    for number in range(40):
        make_prompt(project=project, content=f"Retired question {number}?", retired_at="2026-01-01T00:00Z")
        make_prompt(project=make_project(), content=f"Another project's question {number}?")
    prompts = held_out_prompts(project, better, num=100)
    assert all(prompt[-1].content.startswith("A question") for prompt in prompts)
    assert {split_of(prompt, validation_percent=0, test_percent=30) for prompt in prompts} == {"test"}
    assert 10 < len(prompts) < 40


def test_the_test_split_is_asked_first_and_the_training_split_never(project: Project) -> None:
    for number in range(80):
        make_prompt(project=project, content=f"A question about the number {number}?")
    prompts = held_out_prompts(project, make_policy(), num=100)
    sides = [split_of(prompt, validation_percent=10, test_percent=10) for prompt in prompts]
    assert sides == ["test"] * sides.count("test") + ["validation"] * sides.count("validation")
    assert set(sides) == {"test", "validation"}


def test_the_newest_evaluation_is_that_of_the_project(project: Project) -> None:
    better, elsewhere = make_policy(), make_project()
    for number in range(80):
        make_prompt(project=elsewhere, content=f"A question about the number {number}?")
    begin_evaluation(elsewhere, better, by=None)
    assert newest_evaluation(elsewhere, better) is not None
    assert newest_evaluation(project, better) is None


def test_a_comparison_needs_two_policies_and_prompts(project: Project) -> None:
    assert project.policy is not None
    with pytest.raises(RoundError, match="no other policy"):
        begin_evaluation(project, project.policy, by=None)
    with pytest.raises(RoundError, match="No prompt of the pool is held out"):
        begin_evaluation(project, make_policy(), by=None)


def test_queries_do_not_grow_with_the_rows(
    project: Project, erins_browser: Client, django_assert_max_num_queries: Any
) -> None:
    for _ in range(10):
        make_job(project, kind="reward_model")
        make_candidate(project, name=f"policy-{uuid.uuid4().hex[:6]}")
    with django_assert_max_num_queries(30):
        assert erins_browser.get(url("rounds")).status_code == 200
