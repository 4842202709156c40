"""The page of workers: who is alive, what they are at, how to start one, and who may look."""

import configparser
import uuid
from pathlib import Path
from typing import Any

import pytest
import redis
from django.test import Client
from django.urls import reverse

from labeling.jobs.workers import COMMANDS
from labeling.models import Export, Project, TrainingJob, User
from tests.labeling.factories import make_policy, make_project, make_run
from tests.labeling.jobs.workers_alive import make_worker
from tests.labeling.signed_in import as_user, htmx_get

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker")]
URL = "/workers/"


def make_job(project: Project, name: str) -> TrainingJob:
    export = Export.objects.create(project=project, kind="rankings", state=Export.State.DONE)
    return TrainingJob.objects.create(project=project, kind="ppo", export=export, output_name=name)


def shown(client: Client) -> str:
    return " ".join(client.get(URL).content.decode().split())


def test_with_none_alive_it_says_so_and_how_to_start_one(erins_browser: Client) -> None:
    page = shown(erins_browser)
    assert "No web worker is alive. Until one is, nothing that comes in is recorded" in page
    assert "No sample worker is alive. Until one is, suggestions, chats and comparisons wait." in page
    assert "No train worker is alive. Until one is, training jobs wait." in page
    assert "celery -A labeling.celery worker -n web@%h" in page
    assert "celery -A sampler.app worker -n sample@%h" in page
    assert "celery -A training.app worker -n train@%h" in page


@pytest.mark.parametrize("queue", ["web", "exports", "deliveries", "sample", "train"])
def test_the_command_is_that_of_the_supervisor(queue: str) -> None:
    configuration = configparser.RawConfigParser()
    configuration.read(Path(__file__).parents[4] / "labeling" / "supervisord.conf")
    command = configuration[f"program:{queue}-worker"]["command"]
    assert command.replace("%%", "%").replace("%(ENV_PARLEY_RUN_PYTHON)s", "python") == COMMANDS[queue]


def test_a_sample_worker_shows_what_it_holds_and_is_at(project: Project, erins_browser: Client) -> None:
    policy = make_policy(name="base")
    runs = [make_run(project=project, purpose=purpose) for purpose in ("comparison", "comparison", "chat")]
    make_worker(
        policies=("policies/unknown", policy.store_path),
        servers=("gpu2:8000",),
        running=(*(str(run.id) for run in runs), str(uuid.uuid4()), "no id at all"),
        device="NVIDIA H100 bfloat16",
    )
    page = shown(erins_browser)
    assert "sample@gpu1" in page
    assert "NVIDIA H100 bfloat16" in page
    assert f'<a href="/models/{policy.id}/">base</a>, policies/unknown' in page
    assert "may call gpu2:8000" in page
    assert "1 × chat, 2 × comparison, 2 × gone meanwhile" in page
    assert "No sample worker" not in page
    assert "No train worker is alive" in page


def test_a_train_worker_shows_its_job_and_links_it_for_those_who_may_open_it(
    project: Project, erins_browser: Client
) -> None:
    mine, other = make_job(project, "tuned"), make_job(make_project(), "secretive")
    make_worker("train@gpu1", running=(str(mine.id),))
    make_worker("train@gpu2", running=(str(other.id),))
    page = shown(erins_browser)
    assert f'<a href="/p/{project.slug}/rounds/jobs/{mine.id}/">tuned</a>' in page
    assert str(other.id) not in page
    assert "secretive" in page


def test_a_web_worker_shows_what_takes_long_by_name(erins_browser: Client, broker: redis.Redis) -> None:
    tasks = ("labeling.build_export", "labeling.sweep", "labeling.take_in")
    make_worker("web@desk", queue="exports,web", device="", running=tasks)
    broker.lpush("web", "{}")
    broker.lpush("exports", "{}")
    page = shown(erins_browser)
    assert "1 × an export, 1 × an import, 1 × short job" in page
    assert page.count("1 request lies in the queue.") == 2
    assert "No web worker" not in page
    assert "No export worker" not in page
    assert "No delivery worker is alive. Until one is, webhooks wait." in page


def test_its_changing_part_comes_alone(erins_browser: Client) -> None:
    assert htmx_get(erins_browser, URL).content.decode().lstrip().startswith('<div id="workers" hx-get="/workers/"')


def test_with_the_broker_away_it_says_that_nobody_can_tell(erins_browser: Client, settings: Any) -> None:
    settings.REDIS_URL = "unix:///nowhere.sock"
    page = shown(erins_browser)
    assert "The broker does not answer" in page
    assert "No sample worker" not in page


def test_only_those_who_may_train_look(alice: User, rita: User) -> None:
    for user in (alice, rita):
        assert as_user(user).get(reverse("workers")).status_code == 403
    assert URL not in as_user(alice).get("/").content.decode()


def test_more_workers_cost_no_more_queries(erins_browser: Client, django_assert_num_queries: Any) -> None:
    erins_browser.get(URL)
    for most in (1, 6):
        for number in range(most):
            make_worker(f"sample@gpu{number}", policies=(f"policies/{number}",), running=(str(uuid.uuid4()),))
        with django_assert_num_queries(6):
            erins_browser.get(URL)
