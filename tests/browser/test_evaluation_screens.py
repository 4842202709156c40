"""People decide between policies, in the browser: an engineer asks, a trainer judges blind, the verdict leads on."""

from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from django.conf import settings
from playwright.sync_api import Page, expect

from labeling.models import Candidate, Evaluation, Policy, Project, Promotion, User
from labeling.rounds import evaluations
from tests.browser.screenshots import look_at
from tests.labeling.factories import (
    make_project,
    make_served_policy,
    make_user,
    make_users,
)
from tests.labeling.rounds.judging import (
    answer_all,
    fill_pool,
    work_through,
)

OpenPage = Callable[..., Page]
KeepScreenshot = Callable[[Page, str], Path]

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture(autouse=True)
def broker(engines: object) -> None:
    redis.Redis.from_url(settings.REDIS_URL).flushdb()


@pytest.fixture
def project(engines: object) -> Project:
    made = make_project(slug="bread", name="Bread", policy=make_served_policy(name="plain"))
    fill_pool(made)
    return made


@pytest.fixture
def better(engines: object) -> Policy:
    return make_served_policy(name="buttered")


@pytest.fixture
def erin(project: Project) -> User:
    return make_user(username="erin", role=User.Role.ENGINEER, projects=[project])


def test_an_engineer_asks_and_a_trainer_judges_blind(
    open_page: OpenPage, erin: User, project: Project, better: Policy, keep_screenshot: KeepScreenshot
) -> None:
    page = open_page(f"/p/bread/rounds/compare/{better.id}/", user=erin)
    page.get_by_role("link", name="Ask people").click()
    expect(page.get_by_label("buttered")).to_be_checked()
    page.get_by_label("Prompts").fill("50")
    page.get_by_label("Share of trainers' places, in per cent").fill("100")
    look_at(page, "evaluation-form", keep_screenshot)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="Is buttered better than plain?")).to_be_visible()
    evaluation = Evaluation.objects.get()
    answer_all(evaluation)

    alice = make_user(username="alice", projects=[project])
    board = open_page("/p/bread/rank/", user=alice)
    board.get_by_role("button", name="Next comparison").click()
    expect(board.locator(".completion")).to_have_count(2)
    shown = board.content()
    hidden = {str(better.id), str(project.policy_id)}
    assert [name for name in hidden if name in shown] == []
    board.keyboard.press("1")
    board.keyboard.press("2")
    board.keyboard.press("Control+Enter")
    expect(board.get_by_text("Your ranking is saved").first).to_be_visible()
    assert alice.rankings.get().comparison.evaluation == evaluation

    page.reload()
    expect(page.get_by_text("1 judgement so far. The test looks when 40 are in")).to_be_visible()
    look_at(page, "evaluation-begun", keep_screenshot)


def test_the_verdict_comes_first_and_a_promotion_without_it_needs_a_reason(
    open_page: OpenPage, erin: User, project: Project, better: Policy, keep_screenshot: KeepScreenshot
) -> None:
    evaluation = evaluations.begin(project, [better], by=erin, num_prompts=50, share=1.0)
    answer_all(evaluation)
    for number, trainer in enumerate(make_users(num=4, project=project)):
        work_through(project, trainer, better="plain" if number == 3 else "buttered", most=10)
    assert evaluations.decide(project) == 1
    assert Candidate.objects.get().verdict == Candidate.Verdict.BETTER
    page = open_page(f"/p/bread/rounds/evaluations/{evaluation.id}/", user=erin)
    look_at(page, "evaluation-decided", keep_screenshot)
    page.get_by_role("link", name="Promote buttered…").click()
    look_at(page, "promote-with-word", keep_screenshot)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("buttered answers from now on. Round 2 is open.")).to_be_visible()
    look_at(page, "rounds-with-word", keep_screenshot, at="text=All rounds")
    page.get_by_role("link", name="Go back to it…").click()
    expect(page.get_by_role("heading", name="Go back to plain?")).to_be_visible()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("Say why it should be promoted all the same")
    page.get_by_label("Reason").fill("Buttered loses its temper in long dialogues.")
    look_at(page, "going-back", keep_screenshot)
    page.get_by_role("button", name="Go back").click()
    expect(page.get_by_text("plain answers from now on. Round 3 is open.")).to_be_visible()
    assert Promotion.objects.get(is_return=True).reason == "Buttered loses its temper in long dialogues."
    page.goto(f"/models/{project.policy_id}/")
    look_at(page, "model-promoted", keep_screenshot)
    page.goto("/p/bread/rounds/evaluations/")
    look_at(page, "evaluations", keep_screenshot)
