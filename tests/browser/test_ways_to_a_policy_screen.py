"""The ways to a policy beside PPO as an engineer meets them, and what a watched run shows of its looks."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from django.conf import settings
from playwright.sync_api import Page, expect

from labeling.models import Project, RewardModel, TrainingJob, User
from records.names import DISAGREEMENTS_FILE
from tests.browser.screenshots import look_at
from tests.labeling.exports.material import exported, make_ranking
from tests.labeling.factories import make_comparison, make_policy, make_project, make_prompt, make_user

OpenPage = Callable[..., Page]
KeepScreenshot = Callable[[Page, str], Path]

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
    for number in range(30):
        make_prompt(project=made, content=f"A question about loaf number {number}?")
    return made


def test_another_way_is_chosen_started_and_watched(
    open_page: OpenPage, project: Project, erin: User, store: Path, keep_screenshot: KeepScreenshot
) -> None:
    for name in ("judge", "second", "watching"):
        RewardModel.objects.create(name=name, store_path=f"rewardmodels/{name}", manifest_sha256="0" * 64)
    exported(project, "prompts")
    exported(project, "rankings")
    page = open_page("/p/bread/rounds/", user=erin)
    look_at(page, "ways", keep_screenshot, at="#beside-ppo")
    page.get_by_role("link", name="Optimise by KTO").click()
    expect(page.get_by_text("there are none here yet: people give them in chats")).to_be_visible()
    look_at(page, "way-kto", keep_screenshot, at=".training-form")
    for title in ("Optimise by DPO", "Rejection sampling", "Optimise by RLOO"):
        page.get_by_role("link", name=title).click()
        look_at(page, f"way-{title.split()[-1].lower()}", keep_screenshot, at=".training-form")
    page.get_by_label("Reward model", exact=True).select_option("judge")
    page.get_by_role("checkbox", name="second").check()
    page.get_by_label("Score of several").select_option("the lowest of them")
    page.get_by_label("Watched by").select_option("watching")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("scored by judge and second")).to_be_visible()
    job = TrainingJob.objects.get()
    assert (job.kind, job.options["ensemble"], job.options["completions_per_prompt"]) == ("rloo", "worst", 4)
    watch(job, store)
    page.reload()
    look_at(page, "way-watched", keep_screenshot, at=".disagreements")


def watch(job: TrainingJob, store: Path) -> None:
    """What the program writes of two looks."""
    work = store / "jobs" / str(job.id) / "work"
    work.mkdir(parents=True)
    looks = [{"step": step, "watch_held_out_score": step / 40, "watch_tokens": 30.0 + step} for step in (10, 20)]
    (work / "metrics.jsonl").write_text("".join(json.dumps(look) + "\n" for look in looks))
    answer = "Knead it for ten minutes.\n\n- Then let it rest.\n- Then bake it."
    judged = {"messages": [{"role": "user", "content": "How do I bake bread?"}], "answer": answer, "tokens": 40}
    lines = [
        {**judged, "update": 20, "prompt_id": "p", "ended": difference > 0, "score": 1.25, "held_out_score": -0.5,
         "difference": difference}
        for difference in (2.5, -2.0, 1.5)
    ]  # fmt: skip
    (work / DISAGREEMENTS_FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))
