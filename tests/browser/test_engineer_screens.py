"""Data, rounds and models as engineers use them: asking, watching, downloading, bringing in, training, promoting."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from playwright.sync_api import Page, expect

from labeling.exports import build, exports_folder
from labeling.imports import uploads
from labeling.models import Dialogue, Export, Import, Policy, Project, Ranking, RewardModel, TrainingJob, User
from labeling.rounds import training_jobs
from records import TrainingProgress, TrainingResult, publish_directory
from tests.browser.axe import violations
from tests.browser.conftest import NARROW
from tests.browser.screenshots import look_at
from tests.labeling.exports.material import exported, make_ranking
from tests.labeling.factories import make_comparison, make_dialogue, make_policy, make_project, make_prompt, make_user
from tests.labeling.imports.files import hh_pair, write_lines

OpenPage = Callable[..., Page]

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture(autouse=True)
def broker(engines: object) -> redis.Redis:
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.flushdb()
    return client


@pytest.fixture
def project(engines: object) -> Project:
    made = make_project(slug="bread", name="Bread", policy=make_policy(name="start"))
    comparison = make_comparison(project=made, round=made.current_round, state="done", open_slots=0)
    make_ranking(project=made, comparison=comparison, trainer=make_user(username="alice", projects=[made]))
    make_dialogue(project=made, state=Dialogue.State.ACCEPTED)
    for number in range(30):
        make_prompt(project=made, content=f"A question about loaf number {number}?")
    return made


@contextmanager
def without_scripts(page: Page) -> Iterator[Page]:
    """The same page for the same person, in a browser that runs no scripts."""
    browser = page.context.browser
    assert browser is not None
    context = browser.new_context(java_script_enabled=False, storage_state=page.context.storage_state())
    plain = context.new_page()
    plain.goto(page.url)
    yield plain
    context.close()


def publish(store: Path, path: str) -> str:
    staging = store / "staging"
    staging.mkdir(parents=True)
    (staging / "config.json").write_text("{}")
    return publish_directory(staging, store / path)


def test_an_export_is_asked_for_watched_and_downloaded(
    open_page: OpenPage, erin: User, tmp_path: Path, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    page = open_page("/p/bread/data/", user=erin)
    keep_screenshot(page, "data")
    page.get_by_text("Format, filters and splits").click()
    page.get_by_label("people", exact=True).check()
    page.get_by_role("button", name="Build the export").click()
    expect(page.get_by_role("heading", name="Waiting for a worker")).to_be_visible()
    export = Export.objects.get()
    assert export.filters["trainer_kinds"] == ["person"]
    assert build(export.id)
    expect(page.get_by_role("heading", name="Files")).to_be_visible()
    expect(page.get_by_text("Rankings: what trainers preferred")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="rankings.jsonl").click()
    download.value.save_as(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == (exports_folder() / str(export.id) / "rankings.jsonl").read_bytes()
    page.goto("/p/bread/data/")
    expect(page.locator(f"#export-{export.id}").get_by_text("Done")).to_be_visible()


def test_an_export_under_way_is_stopped_from_its_page(
    open_page: OpenPage, erin: User, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    page = open_page("/p/bread/data/", user=erin)
    page.keyboard.press("Control+Enter")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("This export was stopped")).to_be_visible()
    assert Export.objects.get().state == Export.State.CANCELLED
    look_at(page, "export-stopped", keep_screenshot)


def test_without_scripts_a_stopped_export_is_shown_on_its_page(
    open_page: OpenPage, erin: User, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    page = open_page("/p/bread/data/", user=erin)
    page.get_by_role("button", name="Build the export").click()
    expect(page.get_by_role("heading", name="Waiting for a worker")).to_be_visible()
    with without_scripts(page) as plain:
        plain.get_by_role("button", name="Stop").click()
        expect(plain.get_by_text("This export was stopped")).to_be_visible()
        expect(plain.get_by_role("link", name="All data")).to_be_visible()
        keep_screenshot(plain, "export-stopped-without-scripts")


def test_a_file_that_is_refused_is_asked_for_again(
    open_page: OpenPage, erin: User, tmp_path: Path, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    page = open_page("/p/bread/data/", user=erin)
    with without_scripts(page) as plain:
        _bring_a_table(plain, tmp_path)
        keep_screenshot(plain, "upload-refused-without-scripts")
    _bring_a_table(page, tmp_path)
    look_at(page, "upload-refused", keep_screenshot)
    page.get_by_label("File").set_input_files(write_lines(tmp_path / "pairs.jsonl", [hh_pair()]))
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_text("Anthropic HH pairs")).to_be_visible()


def _bring_a_table(page: Page, folder: Path) -> None:
    """Send what cannot be taken, and be asked again with what was chosen besides."""
    (folder / "list.json").write_text("Name,Rank\n")
    page.get_by_label("File").set_input_files(folder / "list.json")
    page.get_by_label("Rankings with their completions").check()
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_text("neither JSON Lines nor JSON")).to_be_visible()
    expect(page.get_by_label("Rankings with their completions")).to_be_checked()


def test_a_file_is_looked_at_and_then_imported(open_page: OpenPage, erin: User, tmp_path: Path) -> None:
    num_before = Ranking.objects.count()
    path = write_lines(tmp_path / "pairs.jsonl.gz", [hh_pair("Let it <b>rise</b> **twice**."), "{broken", hh_pair()])
    page = open_page("/p/bread/data/", user=erin)
    page.get_by_label("File").set_input_files(path)
    page.get_by_label("Rankings with their completions").check()
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_text("Anthropic HH pairs")).to_be_visible()
    expect(page.get_by_text("Let it <b>rise</b> twice.")).to_be_visible()
    expect(page.get_by_text("line 2: not JSON")).to_be_visible()
    page.get_by_label("Leave bad lines out").check()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="Waiting for a worker")).to_be_visible()
    assert uploads.run_import(Import.objects.get().id)
    expect(page.get_by_text("Came in")).to_be_visible()
    expect(page.get_by_role("cell", name="not JSON at column 2")).to_be_visible()
    assert Ranking.objects.count() == num_before + 2


def test_the_largest_file_is_taken_and_a_larger_one_refused_before_it_is_sent(
    open_page: OpenPage, erin: User, tmp_path: Path
) -> None:
    line = json.dumps(hh_pair()).encode() + b"\n"
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(line * (settings.LARGEST_UPLOAD // len(line) + 1))
    page = open_page("/p/bread/data/", user=erin)
    page.get_by_label("File").set_input_files(path)
    page.get_by_label("Rankings with their completions").check()
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_role("alert")).to_have_text("Files of more than 50 MB are imported with manage.py.")
    # Without the page's scripts it is sent, and the server's own answer can be read.
    page.locator("input[type=file]").evaluate("input => input.removeAttribute('data-largest')")
    path.write_bytes(line * (settings.LARGEST_UPLOAD // len(line) + 2000))
    page.get_by_label("File").set_input_files(path)
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_role("heading", name="That is too large to be sent")).to_be_visible()
    expect(page.get_by_text("Files of more than 50 MB are imported with manage.py")).to_be_visible()
    assert not Import.objects.exists()

    path.write_bytes(line * (settings.LARGEST_UPLOAD // len(line)))
    page.goto("/p/bread/data/")
    page.get_by_label("File").set_input_files(path)
    page.get_by_label("Rankings with their completions").check()
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_text("Anthropic HH pairs")).to_be_visible()
    assert Import.objects.get().num_bytes == path.stat().st_size


def test_a_policy_is_trained_compared_and_promoted(
    open_page: OpenPage, project: Project, erin: User, store: Path, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    exported(project, "demonstrations")
    page = open_page("/p/bread/rounds/", user=erin)
    page.get_by_role("link", name="Fine-tune on demonstrations").click()
    page.get_by_label("Name of what is made").fill("tuned")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("heading", name="Waiting for a train worker")).to_be_visible()
    job = TrainingJob.objects.get()
    _work_on(job, store)
    expect(page.get_by_role("heading", name="Training: 50 %")).to_be_visible()
    expect(page.locator("svg.chart")).to_have_count(1)
    sha256 = publish(store, "policies/tuned")
    assert training_jobs.record_result(
        TrainingResult(job_id=str(job.id), attempt=1, out_path="policies/tuned", manifest_sha256=sha256)
    )
    expect(page.get_by_text("tuned is in the registry.")).to_be_visible()
    page.get_by_role("link", name="Compare it with the policy").click()
    page.get_by_role("button", name="Compare with start").click()
    expect(page.get_by_role("heading", name="prompts answered by both")).to_be_visible()
    page.goto(f"/p/bread/rounds/promote/{Policy.objects.get(name='tuned').id}/")
    page.get_by_label("Reason").fill("It was tried by hand.")
    page.get_by_role("button", name="Promote").click()
    expect(page.get_by_text("tuned answers from now on. Round 2 is open.")).to_be_visible()
    expect(page.get_by_role("heading", name="Round 2")).to_be_visible()
    keep_screenshot(page, "rounds")
    project.refresh_from_db()
    assert project.policy is not None
    assert project.policy.name == "tuned"


def test_ppo_is_given_a_watching_model_and_demonstrations(
    open_page: OpenPage, project: Project, erin: User, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    made = {kind: exported(project, kind) for kind in ("demonstrations", "prompts")}
    judge, watching = (
        RewardModel.objects.create(name=name, store_path=f"rewardmodels/{name}", manifest_sha256="0" * 64)
        for name in ("judge", "watching")
    )
    page = open_page("/p/bread/rounds/", user=erin)
    page.get_by_role("link", name="Optimise by PPO").click()
    look_at(page, "ppo-form", keep_screenshot)
    page.get_by_label("Name of what is made").fill("optimised")
    page.get_by_label("Reward model", exact=True).select_option("judge")
    page.get_by_label("Watched by").select_option("watching")
    page.get_by_label("Mix in demonstrations").select_option(str(made["demonstrations"].id))
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("give both or neither")).to_be_visible()
    page.get_by_label("Weight of demonstrations").fill("0.5")
    look_at(page, "ppo-form-refused", keep_screenshot)
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("heading", name="Waiting for a train worker")).to_be_visible()
    look_at(page, "ppo-job", keep_screenshot)
    job = TrainingJob.objects.get()
    assert (job.reward_model, job.watching_model) == (judge, watching)
    assert (job.export, job.demonstrations) == (made["prompts"], made["demonstrations"])
    assert job.options["ptx_coef"] == 0.5


def _work_on(job: TrainingJob, store: Path) -> None:
    """What a train worker writes and says half-way."""
    work = store / "jobs" / str(job.id) / "work"
    work.mkdir(parents=True)
    lines = [{"step": step, "loss": 2 - step / 10} for step in range(1, 6)]
    (work / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    training_jobs.send_job(job.id)
    assert training_jobs.record_progress(
        TrainingProgress(job_id=str(job.id), attempt=1, fraction=0.5, metrics={"loss": 1.5})
    )


@pytest.fixture
def addresses(project: Project, erin: User, tmp_path: Path, store: Path) -> dict[str, str]:
    """Every page of the engineers with something on it."""
    export = exported(project, "rankings")
    given: dict[str, Any] = {"project": project, "round": project.current_round, "policy": project.policy}
    done = TrainingJob.objects.create(
        kind="reward_model", output_name="judge", export=export, state="done", metrics={"accuracy": 0.6}, **given
    )
    running = TrainingJob.objects.create(kind="sft", output_name="tuned", export=export, **given)
    _work_on(running, store)
    policy = make_policy(name="better", training_job=done)
    content = [write_lines(tmp_path / "pairs.jsonl", [hh_pair(), "{broken", hh_pair("Sure.")]).read_bytes()]
    brought, taken = (
        uploads.bring(project, name="pairs.jsonl", content=content, kind="rankings", by=erin) for _ in range(2)
    )
    uploads.confirm(taken, by=erin, skips_bad_lines=True)
    uploads.run_import(taken.id)
    return {
        "data": "/p/bread/data/",
        "export": f"/p/bread/data/exports/{export.id}/",
        "preview": f"/p/bread/data/imports/{brought.id}/",
        "import": f"/p/bread/data/imports/{taken.id}/",
        "rounds": f"/p/bread/rounds/?export={export.id}",
        "job": f"/p/bread/rounds/jobs/{running.id}/",
        "compare": f"/p/bread/rounds/compare/{policy.id}/",
        "promote": f"/p/bread/rounds/promote/{policy.id}/",
        "models": "/models/",
        "model": f"/models/{policy.id}/",
    }


@pytest.mark.parametrize(
    "name", ["data", "export", "preview", "import", "rounds", "job", "compare", "promote", "models", "model"]
)
def test_a_page_is_accessible_wide_and_narrow(
    open_page: OpenPage, erin: User, addresses: dict[str, str], name: str
) -> None:
    page = open_page(addresses[name], user=erin)
    expect(page.locator("h1")).to_be_visible()
    for details in page.locator("main details").all():
        details.evaluate("(element) => { element.open = true }")
    assert violations(page) == []
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    page.emulate_media(color_scheme="dark")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
