"""Mixtures, the progress of sampling and the workers, as admins and engineers see them; the worker is a real one."""

import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Page, expect

from labeling.dialogues.answers import record_completions
from labeling.models import Comparison, Policy, Project, SamplingRun, User
from labeling.sampling import comparisons, runs
from labeling.sampling.mixtures import Part, change_mixture, mixture_of
from labeling.sampling.runs import record_started
from records import SampleResult, decode
from tests.answering import send_result
from tests.browser.screenshots import look_at
from tests.labeling.exports.material import make_ranking
from tests.labeling.factories import make_chat, make_comparison, make_policy, make_project, make_run, make_user
from tests.labeling.jobs.workers_alive import make_worker
from tests.sampler.conftest import Web, Worker
from tests.tiny import build_tiny_policy

OpenPage = Callable[..., Page]
Keep = Callable[[Page, str], Path]


@pytest.fixture(autouse=True)
def broker(engines: object) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.flushdb()
    yield client
    client.flushdb()


@pytest.fixture
def project() -> Project:
    return make_project(slug="bread", name="Bread", policy=make_policy(name="start"), comparisons_ready=8)


@pytest.fixture
def adam(engines: object) -> User:
    return make_user(username="adam", role=User.Role.ADMIN)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    """A sample worker on the broker of these pages, with one policy in its store."""
    build_tiny_policy(tmp_path / "store" / "policies" / "tiny", max_length=4096)
    started = Worker.start(settings.REDIS_URL, tmp_path / "store", tmp_path / "worker.log")
    yield started.wait_until_ready()
    started.kill()


def fail_one(project: Project, error: str) -> Comparison:
    make_chat(project=project)
    (comparison,) = comparisons.make_comparisons(project, num=1, seed=1, by=None)
    runs.send_waiting()
    run = comparison.sampling_runs.get()
    record_completions(SampleResult(run_id=str(run.id), attempt=run.attempt, error=error))
    return comparison


def test_an_admin_names_a_mixture(open_page: OpenPage, project: Project, adam: User, keep_screenshot: Keep) -> None:
    make_policy(name="bolder")
    page = open_page("/p/bread/settings/", user=adam)
    first, second = (page.get_by_role("group", name=f"Part {number}") for number in (1, 2))
    first.get_by_label("Share").fill("2")
    second.get_by_label("Policy").select_option("bolder")
    second.get_by_label("Temperature").fill("0.7")
    page.keyboard.press("Control+Enter")
    expect(second.get_by_text("Give it a share, or empty the whole row.")).to_be_visible()
    second.get_by_label("Share").fill("1")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(first.get_by_text("2 or 3 of each 4")).to_be_visible()
    bolder = Policy.objects.get(name="bolder")
    assert mixture_of(project) == [Part(share=2), Part(policy=bolder, share=1, temperature=0.7)]
    look_at(page, "mixture", keep_screenshot, at="#mixture")


def test_the_progress_is_seen_without_reloading(
    open_page: OpenPage, project: Project, adam: User, keep_screenshot: Keep
) -> None:
    make_chat(project=project, num_turns=12)
    comparisons.make_comparisons(project, num=4, seed=1, by=None)
    runs.send_waiting()
    page = open_page("/p/bread/rounds/", user=adam)
    page.get_by_role("link", name="See sampling").click()
    expect(page.get_by_role("heading", name="No sample worker is alive")).to_be_visible()
    make_worker()
    expect(page.get_by_role("heading", name="Too few have come in yet")).to_be_visible()
    for run in SamplingRun.objects.all()[:2]:
        SamplingRun.objects.filter(id=run.id).update(sent_at=timezone.now() - timedelta(minutes=5))
        run.refresh_from_db()
        send_result(run, *(f"Answer {n} of {run.id}" for n in range(4)))
    expect(page.get_by_role("heading", name="8 will be ready in about 15 minutes")).to_be_visible()
    expect(page.locator(".figure").first).to_contain_text("of 8 wanted")
    expect(page.locator(".figure").first.locator("b")).to_have_text("2")
    look_at(page, "sampling", keep_screenshot)


def test_a_failed_comparison_is_tried_again_and_another_left_out(
    open_page: OpenPage, project: Project, erin: User, keep_screenshot: Keep
) -> None:
    kept, hopeless = (fail_one(project, "policy start cannot be served: its files are gone") for _ in range(2))
    page = open_page("/p/bread/rounds/sampling/", user=erin)
    expect(page.get_by_text("its files are gone")).to_have_count(2)
    expect(page.get_by_role("button", name="Try all again")).to_be_visible()
    look_at(page, "failed", keep_screenshot)
    retry = page.locator(f"#retry-{kept.id}")
    retry.focus()
    with page.expect_response(lambda answer: answer.url.endswith("/rounds/sampling/")):
        pass  # the part of the page with the button comes anew
    expect(retry).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("It is sampled again.")).to_be_visible()
    assert Comparison.objects.get(id=kept.id).state == "sampling"
    page.locator(f"#leave-out-{hopeless.id}").click()
    expect(page.get_by_text("It is left out")).to_be_visible()
    expect(page.get_by_text("its files are gone")).to_have_count(0)
    assert Comparison.objects.get(id=hopeless.id).state == "withdrawn"


def test_a_worker_that_is_started_shows_and_one_that_stops_goes(
    open_page: OpenPage, worker: Worker, erin: User, keep_screenshot: Keep
) -> None:
    page = open_page("/workers/", user=erin)
    row = page.locator("table.workers tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("cpu float32")
    expect(page.get_by_text("No train worker is alive.")).to_be_visible()
    look_at(page, "workers", keep_screenshot)
    worker.process.send_signal(signal.SIGTERM)
    worker.process.wait(timeout=60)
    expect(page.get_by_text("No sample worker is alive.")).to_be_visible()
    expect(row).to_have_count(0)
    look_at(page, "no-workers", keep_screenshot)


def test_a_policy_that_no_worker_can_load_says_what_to_do_and_a_mended_one_answers(
    open_page: OpenPage, project: Project, worker: Worker, erin: User, tmp_path: Path, keep_screenshot: Keep
) -> None:
    """Through the wire: a mixture of a policy that is there and one that is not; then its files come."""
    tiny = make_policy(name="tiny", manifest_sha256="")
    gone = make_policy(name="gone", manifest_sha256="")
    Project.objects.filter(id=project.id).update(max_new_tokens=12, comparisons_ready=1)
    change_mixture(project, [Part(policy=tiny, share=3), Part(policy=gone, share=1)], by=erin)
    make_chat(project=project)
    project.refresh_from_db()
    (comparison,) = comparisons.make_comparisons(project, num=1, seed=1, by=None)
    web = Web(settings.REDIS_URL)
    pass_on(web, comparison)
    page = open_page("/p/bread/rounds/sampling/", user=erin)
    told = page.locator(".failed-comparisons li")
    expect(told).to_contain_text("policies/gone is not in this worker's model store")
    expect(told).to_contain_text("publish it there, or start the worker with the right PARLEY_STORE")
    look_at(page, "unloadable", keep_screenshot)
    build_tiny_policy(tmp_path / "store" / "policies" / "gone", seed=1)
    told.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("It is sampled again.")).to_be_visible()
    pass_on(web, comparison)
    expect(page.get_by_role("heading", name="As many are ready as the project wants.")).to_be_visible()
    completions = comparison.completions.select_related("policy")
    assert sorted(one.policy.name for one in completions if one.policy) == ["gone", "tiny", "tiny", "tiny"]
    page.goto("/workers/")
    expect(page.locator("table.workers")).to_contain_text("gone, tiny")


def pass_on(web: Web, comparison: Comparison) -> None:
    """What the web worker does: hear of each run that was sent, that it began and what came of it."""
    runs.send_waiting()
    for run in comparison.sampling_runs.filter(state=SamplingRun.State.SENT):
        record_started(run.id, run.attempt)
    for _ in range(comparison.sampling_runs.filter(state=SamplingRun.State.RUNNING).count()):
        (values,), _fence = web.receive_task("labeling.record_completions")
        record_completions(decode(SampleResult, values))


def test_what_a_busy_worker_is_at_is_seen(open_page: OpenPage, project: Project, erin: User) -> None:
    run = make_run(project=project, purpose="comparison")
    page = open_page("/workers/", user=erin)
    expect(page.get_by_text("No sample worker is alive.")).to_be_visible()
    make_worker(running=(str(run.id),))
    expect(page.get_by_text("1 × comparison")).to_be_visible()


def test_policies_on_one_board_are_told_on_the_quality_page(
    open_page: OpenPage, project: Project, adam: User, keep_screenshot: Keep
) -> None:
    alice, other = make_user(username="alice", projects=[project]), make_policy(name="bolder")
    for number in range(6):
        comparison = make_comparison(project=project, state="done", open_slots=0)
        comparison.completions.update(sampling={"temperature": 1.0})
        comparison.completions.filter(index__gte=2).update(policy=other, sampling={"temperature": 0.7})
        order = ((0,), (2,), (1, 3)) if number % 3 else ((2,), (0,), (1, 3))
        make_ranking(project=project, comparison=comparison, trainer=alice, order=order)
    page = open_page("/p/bread/quality/", user=adam)
    table = page.get_by_role("region", name="Policies on one board")
    expect(table.get_by_role("row")).to_have_count(3)
    expect(table.get_by_role("row").nth(1)).to_contain_text("start")
    look_at(page, "sources", keep_screenshot, at="#sources-head")
