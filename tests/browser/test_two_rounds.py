"""Two rounds of the loop in which six simulated trainers have the last word, on the real screens and over the API.

Simulated trainers are programs: here their abilities are planted, the chance with which each of them prefers what is
better. They rank, they decide what is promoted, they refuse a policy that got worse; one takes back what they said. The
policies' texts are planted too: no model is trained here (tests/labeling/demo trains a real one).
"""

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from playwright.sync_api import Page, expect

from labeling import exports
from labeling.accounts.api_tokens import make_token
from labeling.models import (
    ApiToken,
    Candidate,
    Comparison,
    Evaluation,
    Export,
    Policy,
    Project,
    Promotion,
    Ranking,
    RewardModel,
    TrainingJob,
    User,
)
from labeling.rounds import evaluations
from parley import Client
from tests.browser.ranking_page import board_is_ready
from tests.browser.screenshots import look_at
from tests.labeling.factories import make_comparisons, make_project, make_served_policy, make_user
from tests.labeling.rounds.judging import answer_all, fill_pool

OpenPage = Callable[..., Page]
KeepScreenshot = Callable[[Page, str], Path]

pytestmark = pytest.mark.usefixtures("store")

ABILITIES = (0.97, 0.94, 0.9, 0.86, 0.82, 0.75)
WORTH = {"burnt": 0, "plain": 1, "buttered": 2, "toasted": 3}  # of the policies, which only the planted taste knows


@pytest.fixture(autouse=True)
def broker(engines: object) -> None:
    redis.Redis.from_url(settings.REDIS_URL).flushdb()


@pytest.fixture
def project(engines: object) -> Project:
    made = make_project(slug="bread", name="Bread", policy=make_served_policy(name="plain"), rankings_wanted=2)
    fill_pool(made)
    return made


@pytest.fixture
def trainers(project: Project) -> list[User]:
    made = []
    for number, ability in enumerate(ABILITIES, 1):
        trainer = make_user(username=f"simulated-{number}", projects=[project])
        trainer.is_simulated, trainer.display_name = True, f"Simulated trainer {number} ({ability:.0%} able)"
        trainer.save(update_fields=["is_simulated", "display_name"])
        made.append(trainer)
    return made


@pytest.fixture
def adam(project: Project) -> User:
    return make_user(username="adam", role=User.Role.ADMIN)


class Loop:
    """What happens between the screens: trainers at work over the API, and a stand-in for the train worker."""

    def __init__(self, project: Project, trainers: list[User], url: str) -> None:
        self.project = project
        self.programs = [(one, self.program(one, url), ABILITIES[i]) for i, one in enumerate(trainers)]

    def program(self, owner: User, url: str) -> Client:
        scopes = ApiToken.Scope.values
        day = timedelta(days=1)
        _, text = make_token(owner=owner, name="a program", scopes=scopes, life=day, project=self.project)
        return Client(url, text)

    def rank_all(self, *, most: int = 100) -> int:
        """Every trainer in turn takes what comes, until nobody gets anything; returns how many were ranked."""
        num, waiting = 0, list(self.programs)
        while waiting and num < most:
            trainer, program, ability = waiting.pop(0)
            lease = program.claim("bread")["lease"]
            if lease is None:
                continue
            program.submit("bread", lease["id"], {"tiers": self.order(lease, trainer, ability), "seconds": 20.0})
            num += 1
            waiting.append((trainer, program, ability))
        return num

    def order(self, lease: dict[str, Any], trainer: User, ability: float) -> list[list[str]]:
        """Best first by the planted worth, two neighbours changed with the chance that the trainer is wrong."""
        worth = {str(one.id): one for one in Comparison.objects.get(leases=lease["id"]).completions.all()}
        names = sorted(
            (one["id"] for one in lease["completions"]),
            key=lambda one: (-WORTH[worth[one].policy.name], worth[one].index),
        )
        generator = random.Random(f"{trainer.username} {lease['id']}")
        for place in range(len(names) - 1):
            if generator.random() > ability:
                names[place], names[place + 1] = names[place + 1], names[place]
        return [[name] for name in names]

    def trained(self, export: Export, name: str) -> Policy:
        """A policy with its whole ancestry, as a train worker registers it."""
        job = {"project": self.project, "export": export, "policy": self.project.policy, "state": "done"}
        reward_job = TrainingJob.objects.create(kind="reward_model", output_name=f"{name}-rm", **job)
        reward = RewardModel.objects.create(
            name=f"{name}-rm", export=export, training_job=reward_job, store_path=f"rewardmodels/{name}-rm",
            manifest_sha256="0" * 64,
        )  # fmt: skip
        policy = make_served_policy(name=name)
        policy.training_job = TrainingJob.objects.create(kind="ppo", output_name=name, reward_model=reward, **job)
        policy.parent = self.project.policy
        policy.save(update_fields=["training_job", "parent"])
        return policy


@pytest.mark.timeout(600)
def test_six_simulated_trainers_decide_two_rounds(
    open_page: OpenPage,
    platform_url: str,
    project: Project,
    trainers: list[User],
    erin: User,
    adam: User,
    keep_screenshot: KeepScreenshot,
) -> None:
    loop = Loop(project, trainers, platform_url)
    engineer, last = open_page("/p/bread/rounds/", user=erin), trainers[-1]

    # Round 1: ranked on the board and over the API, exported on the page.
    make_comparisons(project=project, num=12, round=project.rounds.get())
    mine = _rank_one_on_the_board(open_page, last)
    assert loop.rank_all() == 23
    assert Ranking.objects.count() == 24
    first = _export(engineer)

    # Two candidates come of it; the trainers judge both and refuse one.
    burnt, buttered = loop.trained(first, "burnt"), loop.trained(first, "buttered")
    engineer.goto("/p/bread/rounds/evaluations/")
    engineer.get_by_label("burnt").check()
    engineer.get_by_label("buttered").check()
    engineer.get_by_label("Prompts").fill("50")
    engineer.get_by_label("Share of trainers' places, in per cent").fill("100")
    engineer.keyboard.press("Control+Enter")
    expect(engineer.get_by_text("Is buttered better than plain?")).to_be_visible()
    answer_all(Evaluation.objects.get())
    loop.rank_all(most=110)
    assert evaluations.decide(project) == 2
    assert {one.policy.name: one.verdict for one in Candidate.objects.all()} == {"burnt": "worse", "buttered": "better"}
    engineer.reload()
    expect(engineer.get_by_text("Simulated trainers prefer buttered to plain.")).to_be_visible()
    expect(engineer.get_by_text("Simulated trainers prefer plain to burnt.")).to_be_visible()
    look_at(engineer, "two-rounds-verdicts", keep_screenshot)
    engineer.goto(f"/p/bread/rounds/promote/{burnt.id}/")
    engineer.keyboard.press("Control+Enter")
    expect(engineer.get_by_role("alert")).to_contain_text("burnt was judged worse than plain. Say why")
    look_at(engineer, "two-rounds-refused", keep_screenshot)
    assert not Promotion.objects.exists()
    engineer.goto(f"/p/bread/rounds/promote/{buttered.id}/")
    engineer.keyboard.press("Control+Enter")
    expect(engineer.get_by_text("buttered answers from now on. Round 2 is open.")).to_be_visible()
    project.refresh_from_db()

    # Round 2: the same over the API alone, as a script would.
    make_comparisons(project=project, num=6, round=project.rounds.get(number=2))
    assert loop.rank_all() == 12
    second = _export(engineer)
    toasted = loop.trained(second, "toasted")
    script = loop.program(erin, platform_url)
    begun = script.begin_evaluation("bread", [str(toasted.id)], num_prompts=50, share=1.0)
    answer_all(Evaluation.objects.get(id=begun["id"]))
    loop.rank_all(most=60)
    evaluations.decide(project)
    decided = script.wait_for_verdict("bread", begun["id"])
    assert decided["figures"]["toasted"]["num_simulated"] == decided["figures"]["toasted"]["wins"] + sum(
        decided["figures"]["toasted"][name] for name in ("ties", "losses")
    )
    assert script.promote("bread", "toasted")["number"] == 3
    engineer.goto("/p/bread/rounds/")
    expect(engineer.get_by_text("by simulated trainers").first).to_be_visible()
    look_at(engineer, "two-rounds-rounds", keep_screenshot, at="text=All rounds")

    # One of them takes back a ranking of round 1, and an admin everything that they said.
    _withdraw(open_page, last, mine)
    engineer.goto("/p/bread/data/")
    expect(engineer.get_by_text("1 withdrawn since").first).to_be_visible()
    admin = open_page("/p/bread/quality/withdrawals/", user=adam)
    admin.get_by_label("Person").select_option(value=str(last.id))
    admin.get_by_label("Consent").check()
    admin.keyboard.press("Control+Enter")
    expect(admin.get_by_text("The promotion of buttered in Bread")).to_be_visible()
    look_at(admin, "two-rounds-preview", keep_screenshot)
    admin.locator("button.danger").click()
    expect(admin.get_by_text("Withdrawn by Adam")).to_be_visible()
    engineer.goto("/p/bread/quality/affected/")
    for name in ("buttered", "burnt", "toasted", "buttered-rm"):
        expect(engineer.get_by_role("link", name=name, exact=True).first).to_be_visible()
    look_at(engineer, "two-rounds-affected", keep_screenshot)
    for evaluation in Evaluation.objects.all():
        engineer.goto(f"/p/bread/rounds/evaluations/{evaluation.id}/")
        expect(engineer.get_by_text("rests on").first).to_be_visible()
    engineer.goto(f"/p/bread/rankings/{mine.id}/forward/")
    for name in ("burnt", "buttered", "toasted"):
        expect(engineer.get_by_role("link", name=name, exact=True)).to_be_visible()
    look_at(engineer, "two-rounds-forward", keep_screenshot)
    assert set(Promotion.objects.values_list("policy__name", "verdict", "reason")) == {
        ("buttered", "better", ""),
        ("toasted", "better", ""),
    }
    # What programs said is no people's figure.
    engineer.goto("/models/leaderboard/")
    expect(engineer.get_by_text("Nothing to compare yet")).to_be_visible()


def _rank_one_on_the_board(open_page: OpenPage, trainer: User) -> Ranking:
    page = open_page("/p/bread/rank/", user=trainer)
    page.get_by_role("button", name="Next comparison").click()
    board_is_ready(page)
    for key in "1234":
        page.keyboard.press(key)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Your ranking is saved").first).to_be_visible()
    return trainer.rankings.get()  # what came next stays in hand: the program goes on with it


def _export(page: Page) -> Export:
    page.goto("/p/bread/data/")
    page.get_by_role("button", name="Build the export").click()
    expect(page.get_by_text("The export is being built")).to_be_visible()
    export: Export = Export.objects.order_by("-created_at")[0]
    assert exports.build(export.id), Export.objects.get(id=export.id).error
    export.refresh_from_db()
    return export


def _withdraw(open_page: OpenPage, trainer: User, ranking: Ranking) -> None:
    page = open_page(f"/p/bread/rankings/{ranking.id}/withdraw/", user=trainer)
    page.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_role("heading", name="My work")).to_be_visible()
    ranking.refresh_from_db()
    assert ranking.retracted_at is not None
