"""What a monitor scrapes: who may, what the figures say, and that a scrape reads no table row by row."""

import re
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labeling.models import Export, Project, SamplingRun, User
from labeling.operations import figures
from tests.labeling.factories import make_run
from tests.labeling.jobs.workers_alive import make_worker

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker")]
TOKEN = "a-token-of-the-monitor"


@pytest.fixture(autouse=True)
def _token(settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN


def scrape() -> dict[str, float]:
    """Every figure by its name with its labels."""
    answer = Client().get("/metrics/", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    lines = [line for line in answer.content.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_without_a_token_in_the_settings_there_is_no_such_address(settings: Any) -> None:
    settings.METRICS_TOKEN = ""
    assert Client().get("/metrics/", headers={"Authorization": "Bearer "}).status_code == 404


@pytest.mark.parametrize("given", ["", "Bearer ", f"Bearer {TOKEN}x", TOKEN, f"Basic {TOKEN}"])
def test_another_token_is_told_nothing(given: str) -> None:
    answer = Client().get("/metrics/", headers={"Authorization": given})
    assert answer.status_code == 401
    assert b"parley_" not in answer.content


def test_it_says_what_waits_and_for_how_long(project: Project, broker: redis.Redis) -> None:
    run = make_run(project=project, purpose="chat")
    SamplingRun.objects.filter(id=run.id).update(state="waiting", created_at=timezone.now() - timedelta(minutes=10))
    Export.objects.create(project=project, kind="rankings", state=Export.State.WAITING)
    broker.lpush("exports", "{}")
    make_worker("web@desk", queue="exports,web", running=("labeling.sweep",))
    found = scrape()
    assert found['parley_work{kind="sampling",state="waiting"}'] == 1
    assert found['parley_work_oldest_seconds{kind="sampling",state="waiting"}'] == pytest.approx(600, abs=30)
    assert found['parley_work{kind="export",state="waiting"}'] == 1
    assert found['parley_work{kind="delivery",state="due"}'] == 0
    assert found['parley_queue_length{queue="exports"}'] == 1
    assert (found['parley_workers{queue="exports"}'], found['parley_workers{queue="deliveries"}']) == (1, 0)
    assert found['parley_worker_tasks{queue="web"}'] == 1
    assert found["parley_scrape_failures"] == 0


def test_requests_are_timed_by_the_name_of_their_view(alice: User) -> None:
    name = 'parley_request_seconds_count{method="GET",status="2xx",view="live"}'
    before = scrape().get(name, 0)
    Client().get("/health/live/")
    Client().get("/p/no-such-project/rank/")
    found = scrape()
    assert found[name] == before + 1
    assert not [one for one in found if "no-such-project" in one]


def test_a_part_that_cannot_be_read_is_counted_and_the_others_are_there(settings: Any) -> None:
    settings.REDIS_URL = "unix:///nowhere.sock"
    found = scrape()
    assert found["parley_scrape_failures"] == 1  # the workers; the lengths of queues come by Celery's own connection
    assert "parley_leases_open" in found


def test_a_scrape_reads_indexes_and_estimates_only(project: Project) -> None:
    with CaptureQueriesContext(
        connection,
    ) as made:
        scrape()
    assert len([one for one in made if one["sql"].startswith(("SELECT", "\n"))]) == 4
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # the tables of a test are too small for an index to pay
        for statement in (figures._WORK, figures._LEASES):
            cursor.execute(f"EXPLAIN {statement}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            unbounded = set(re.findall(r"Seq Scan on (labeling_\w+)", plan))
            assert unbounded <= {"labeling_import"}, plan  # of which there are few
