"""What an engineer reads of a training job and of a model: log, settings, numbers in words, two side by side."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from playwright.sync_api import Page, expect

from labeling.models import Export, Project, RewardModel, TrainingJob, User
from labeling.rounds import training_jobs
from records import TrainingProgress, publish_directory
from tests.browser.screenshots import look_at
from tests.labeling.factories import make_policy, make_project

OpenPage = Callable[..., Page]

pytestmark = pytest.mark.usefixtures("store")
CARD = (
    "# Reward model judge\n\n## Read this first\n\n- Few rankings.\n\n| on | value |\n|---|---|\n| accuracy | 0.66 |\n"
)
FIGURES = {
    "accuracy": 0.663, "accuracy_low": 0.61, "accuracy_high": 0.71, "longer_baseline": 0.58, "log_loss": 0.61,
    "length_correlation": 0.21, "train_loss": 0.52, "num_comparisons": 480.0, "num_pairs": 2400.0, "steps": 60.0,
    "seconds": 812.0,
}  # fmt: skip


@pytest.fixture(autouse=True)
def broker(engines: object) -> redis.Redis:
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.flushdb()
    return client


@pytest.fixture
def project(engines: object) -> Project:
    return make_project(slug="bread", name="Bread", policy=make_policy(name="base"))


def make_job(project: Project, kind: str, export_kind: str, name: str, **fields: Any) -> TrainingJob:
    export = Export.objects.create(
        project=project, kind=export_kind, state="done", num_records=480, counts={"by_split": {"train": 480}}
    )
    given = {"round": project.current_round, "policy": project.policy, **fields}
    return TrainingJob.objects.create(project=project, kind=kind, export=export, output_name=name, **given)


def make_judge(project: Project, store: Path, name: str, **options: Any) -> RewardModel:
    job = make_job(
        project, "reward_model", "rankings", name, state="done", options={"batch_size": 16, "lora": True, **options}
    )
    staging = store / "staging"
    staging.mkdir(parents=True)
    (staging / "card.md").write_text(CARD)
    (staging / "model.safetensors").write_bytes(bytes(200_000))
    sha256 = publish_directory(staging, store / "rewardmodels" / name)
    return RewardModel.objects.create(
        name=name, store_path=f"rewardmodels/{name}", manifest_sha256=sha256, training_job=job, export=job.export,
        metrics=FIGURES,
    )  # fmt: skip


def test_a_failed_job_leads_to_its_log_and_to_other_settings(
    open_page: OpenPage, project: Project, erin: User, store: Path, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    make_judge(project, store, "judge")
    options = {"updates": 7, "rollouts_per_update": 64, "minibatch_size": 10, "lr": 2e-5, "kl_coef": 0.02, "lora": True}
    error = "--rollouts-per-update 64 must be a multiple of --minibatch-size 10; give 60 or 70"
    job = make_job(
        project, "ppo", "prompts", "optimised", state="failed", error=error, needs_other_settings=True,
        reward_model=RewardModel.objects.get(), options=options,
    )  # fmt: skip
    (store / "jobs" / str(job.id)).mkdir(parents=True)
    (store / "jobs" / str(job.id) / "attempt-1.log").write_text(f"loading …\nerror: {error}\n" * 20)
    page = open_page(f"/p/bread/rounds/jobs/{job.id}/", user=erin)
    expect(page.get_by_text("The same settings would fail in the same way.")).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)
    look_at(page, "job-failed", keep_screenshot)
    page.get_by_role("link", name="Log").click()
    expect(page.get_by_role("region", name="The end of the log")).to_contain_text("give 60 or 70")
    look_at(page, "job-log", keep_screenshot)
    page.go_back()
    page.get_by_role("link", name="Again with other settings").click()
    expect(page.get_by_label("Completions per step")).to_have_value("10")
    page.get_by_label("Completions per step").fill("12")
    page.get_by_role("button", name="Start").click()
    refused = "“Completions per update” 64 must be a multiple of “Completions per step” 12; give 60 or 72"
    expect(page.get_by_text(refused)).to_be_visible()
    look_at(page, "ppo-sizes-refused", keep_screenshot, at=".errorlist")
    page.get_by_label("Completions per step").fill("32")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("heading", name="Waiting for a train worker")).to_be_visible()
    assert TrainingJob.objects.order_by("-created_at")[0].options["minibatch_size"] == 32


def test_a_log_grows_while_its_job_runs(open_page: OpenPage, project: Project, erin: User, store: Path) -> None:
    job = make_job(project, "sft", "demonstrations", "tuned")
    training_jobs.send_job(job.id)
    training_jobs.record_progress(
        TrainingProgress(job_id=str(job.id), attempt=1, fraction=0.98, stage="publishing", metrics={"loss": 1.5})
    )
    page = open_page(f"/p/bread/rounds/jobs/{job.id}/", user=erin)
    expect(page.get_by_role("heading", name="Publishing: 98 %")).to_be_visible()
    page.get_by_role("link", name="Log").click()
    expect(page.get_by_text("No log yet")).to_be_visible()
    (store / "jobs" / str(job.id)).mkdir(parents=True)
    (store / "jobs" / str(job.id) / "attempt-1.log").write_text("sft: 3/30 steps loss=1.5\n")
    expect(page.get_by_text("sft: 3/30 steps")).to_be_visible(timeout=15_000)


def test_runs_stand_beside_each_other(
    open_page: OpenPage, project: Project, erin: User, store: Path, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    for number in range(4):
        options = {"lr": 10.0**-number, "epochs": 2, "batch_size": 16 + number}
        job = make_job(
            project, "sft", "demonstrations", f"tuned-{number}", state="failed", options=options, metrics={"loss": 1.5}
        )
        (work := store / "jobs" / str(job.id) / "work").mkdir(parents=True)
        lines = [{"step": step, "loss": 2 - step / (10 + number), "validation_loss": 2.1} for step in range(1, 9)]
        (work / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    page = open_page("/p/bread/rounds/", user=erin)
    page.get_by_role("link", name="Beside each other").click()
    expect(page.locator("figure svg").first).to_contain_text("tuned-3")
    look_at(page, "runs", keep_screenshot)
    page.get_by_label("Draw tuned-3").uncheck()
    page.get_by_label("Draw tuned-0").check()
    page.get_by_role("button", name="Draw the chosen").click()
    expect(page.locator("figure svg").first).to_contain_text("tuned-0")
    expect(page.locator("figure svg").first).not_to_contain_text("tuned-3")


def test_a_model_says_how_it_was_made_and_stands_beside_another(
    open_page: OpenPage, project: Project, erin: User, store: Path, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    judge = make_judge(project, store, "judge", epochs=1)
    make_judge(project, store, "a-second-judge-with-a-long-name", epochs=2, probe=True)
    page = open_page(f"/models/{judge.id}/", user=erin)
    page.get_by_text("Card", exact=True).click()
    expect(page.get_by_text("Few rankings.")).to_be_visible()
    look_at(page, "model", keep_screenshot)
    look_at(page, "model-below", keep_screenshot, at=".model-uses")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "judge.tar"
    page.get_by_label("Compare with").select_option("a-second-judge-with-a-long-name")
    page.get_by_role("button", name="Side by side").click()
    expect(page.get_by_role("row", name="probe")).to_contain_text("≠")
    expect(page.get_by_role("row", name="batch_size")).not_to_contain_text("≠")
    look_at(page, "models-beside", keep_screenshot)
