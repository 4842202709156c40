"""An admin takes back a person's work in the browser; an engineer finds what that touched, rebuilds and retrains."""

from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from django.conf import settings
from playwright.sync_api import Page, expect

from labeling import exports
from labeling.models import Export, Policy, Project, Ranking, RewardModel, TrainingJob, User, Withdrawal
from labeling.rounds.promotion import promote
from tests.browser.screenshots import look_at
from tests.labeling.exports.material import exported, make_ranking
from tests.labeling.factories import make_dialogue, make_policy, make_project, make_served_policy, make_user
from tests.labeling.rounds.judging import fill_pool, run_evaluation
from tests.labeling.withdrawals.material import better_answer, counts, rank, withdraw_all

OpenPage = Callable[..., Page]
KeepScreenshot = Callable[[Page, str], Path]

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture(autouse=True)
def broker(engines: object) -> None:
    redis.Redis.from_url(settings.REDIS_URL).flushdb()


@pytest.fixture
def project(engines: object) -> Project:
    return make_project(slug="bread", name="Bread", policy=make_policy(name="plain"))


@pytest.fixture
def adam(project: Project) -> User:
    return make_user(username="adam", role=User.Role.ADMIN)


def reward_model(project: Project, export: Export, name: str = "bread-1-rm") -> RewardModel:
    job = TrainingJob.objects.create(
        project=project, kind="reward_model", output_name=name, export=export, policy=project.policy, state="done"
    )
    return RewardModel.objects.create(
        name=name, export=export, training_job=job, store_path=f"rewardmodels/{name}", manifest_sha256="0" * 64
    )


def optimised(project: Project, export: Export, reward: RewardModel) -> Policy:
    job = TrainingJob.objects.create(
        project=project, kind="ppo", output_name="bread-1-ppo", export=export, policy=project.policy,
        reward_model=reward, state="done",
    )  # fmt: skip
    return make_served_policy_of(job, parent=project.policy)


def make_served_policy_of(job: TrainingJob, *, parent: Policy | None) -> Policy:
    policy = make_served_policy(name=job.output_name)
    Policy.objects.filter(id=policy.id).update(training_job=job, parent=parent)
    policy.refresh_from_db()
    return policy


def test_an_admin_withdraws_and_undoes(
    open_page: OpenPage, project: Project, alice: User, adam: User, keep_screenshot: KeepScreenshot
) -> None:
    ranking = rank(project, alice)
    better_answer(project, alice, ranking)
    make_dialogue(project=project, author=alice, state="accepted")
    make_ranking(project=project)
    reward_model(project, exported(project))
    page = open_page("/p/bread/quality/", user=adam)
    page.get_by_role("link", name="Withdrawals", exact=True).click()
    page.get_by_label("Person").select_option(label="Alice (alice)")
    page.get_by_label("Fraud").check()
    page.get_by_label("In words").fill("Copied from another trainer, as she wrote to us.")
    page.get_by_label("Thumbs").uncheck()
    look_at(page, "withdraw-form", keep_screenshot)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="Withdraw for Alice")).to_be_visible()
    expect(page.get_by_text("1 model learned from it and is marked")).to_be_visible()
    look_at(page, "withdraw-preview", keep_screenshot)
    assert not Withdrawal.objects.exists()
    page.get_by_role("button", name="Withdraw 3 rows").click()
    expect(page.get_by_text("Withdrawn by Adam")).to_be_visible()
    look_at(page, "withdrawal", keep_screenshot)
    assert not counts(ranking)
    page.get_by_label("Why it is undone").fill("It was somebody else.")
    page.get_by_role("button", name="Undo the withdrawal").click()
    expect(page.get_by_text("Undone by Adam")).to_be_visible()
    assert counts(ranking)
    page.get_by_role("link", name="Withdrawals", exact=True).click()
    look_at(page, "withdrawals", keep_screenshot, at=".loop-table")


def test_two_clicks_from_what_is_affected_to_a_model_made_anew(
    open_page: OpenPage, project: Project, alice: User, adam: User, erin: User, keep_screenshot: KeepScreenshot
) -> None:
    gone = rank(project, alice)
    make_ranking(project=project)
    reward = reward_model(project, exported(project))
    optimised(project, exported(project, "prompts"), reward)
    withdraw_all(project, alice, by=adam)
    page = open_page("/p/bread/data/", user=erin)
    expect(page.get_by_text("1 withdrawn since")).to_be_visible()
    look_at(page, "data-marked", keep_screenshot, at=".loop-table")
    page.get_by_role("link", name="Affected by withdrawals").click()
    expect(page.get_by_text("through a model that it was made from")).to_be_visible()
    look_at(page, "affected", keep_screenshot)
    page.get_by_role("button", name="Rebuild what bread-1-rm learned from").click()
    expect(page.get_by_text("The export is being rebuilt.")).to_be_visible()
    assert exports.build(Export.objects.exclude(rebuilt_from=None).get().id)
    page.reload()
    page.get_by_role("button", name="Retrain bread-1-rm").click()
    expect(page.get_by_role("heading", name="bread-1-rm-2")).to_be_visible()
    page.goto(f"/p/bread/rankings/{gone.id}/forward/")
    expect(page.get_by_role("link", name="bread-1-ppo")).to_be_visible()
    look_at(page, "forward", keep_screenshot)
    page.goto(f"/models/{reward.id}/")
    expect(page.get_by_role("link", name="Rebuild and retrain")).to_be_visible()
    look_at(page, "model-marked", keep_screenshot)


def test_a_verdict_says_what_is_left_of_it(
    open_page: OpenPage, project: Project, adam: User, erin: User, keep_screenshot: KeepScreenshot
) -> None:
    better = make_served_policy(name="buttered")
    fill_pool(project)
    evaluation = run_evaluation(project, better, better="buttered")
    promote(better, project=project, by=adam)
    judge = User.objects.filter(rankings__comparison__evaluation=evaluation).first()
    assert judge is not None
    withdraw_all(project, judge, by=adam)
    page = open_page(f"/p/bread/rounds/evaluations/{evaluation.id}/", user=erin)
    expect(page.get_by_text("rests on 20 judgements of 40")).to_be_visible()
    look_at(page, "evaluation-shaken", keep_screenshot)
    page.goto("/p/bread/rounds/")
    expect(page.get_by_text("20 judgements withdrawn since")).to_be_visible()
    look_at(page, "rounds-marked", keep_screenshot, at="text=withdrawn since")
    page.goto("/p/bread/quality/affected/")
    look_at(page, "affected-verdicts", keep_screenshot, at="#promotions")


def test_its_author_reads_whether_it_is_in_an_export_and_takes_a_better_answer_back(
    open_page: OpenPage, project: Project, alice: User, keep_screenshot: KeepScreenshot
) -> None:
    ranking = rank(project, alice)
    written = better_answer(project, alice, ranking)
    exported(project)
    assert ranking.lease is not None
    page = open_page(f"/p/bread/rank/{ranking.lease.id}/", user=alice)
    page.get_by_role("link", name="What became of it").click()
    expect(page.get_by_text("Yes: it is in an export")).to_be_visible()
    look_at(page, "forward-of-author", keep_screenshot)
    page.goto("/history/?kind=better")
    page.get_by_role("link", name="Withdraw:").click()
    expect(page.get_by_role("heading", name="Withdraw a better answer")).to_be_visible()
    look_at(page, "withdraw-better", keep_screenshot)
    page.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("The better answer is withdrawn. Your ranking stays.")).to_be_visible()
    written.refresh_from_db()
    assert written.state == "withdrawn"
    assert Ranking.objects.get(id=ranking.id).retracted_at is None
