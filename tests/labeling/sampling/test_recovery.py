"""What was lost is found: workers that died, messages that vanished, runs that were never sent."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
import redis
from celery import Celery
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labeling.jobs import dispatch
from labeling.models import Comparison, Project, SamplingRun
from labeling.sampling import recovery, runs
from records.broker import celery_settings
from tests.labeling.factories import make_run
from tests.labeling.sampling.sampling_runs import PROMPT, State, a_minute_ago, messages_in, sent_run, waiting_comparison

pytestmark = pytest.mark.django_db
OnCommit = Callable[..., AbstractContextManager[Any]]


def test_a_run_that_kills_its_workers_stops_after_its_attempts_with_the_error_kept(
    project: Project, broker: redis.Redis, commits: OnCommit
) -> None:
    comparison = waiting_comparison(project)
    run = make_run(project=project, purpose="comparison", comparison=comparison)
    attempts = []
    for _ in range(10):
        with commits():
            recovery.sweep()
        run.refresh_from_db()
        if run.state != State.SENT:
            break
        attempts.append(run.attempt)
        runs.record_started(str(run.id), run.attempt)
        SamplingRun.objects.filter(id=run.id).update(lease_until=a_minute_ago())
    comparison.refresh_from_db()
    assert attempts == [1, 2, 3]
    assert (run.state, run.num_failures) == (State.FAILED, 3)
    assert "without a word" in run.error
    assert comparison.state == Comparison.State.FAILED


def test_a_lost_message_is_sent_again_and_costs_no_attempt(
    project: Project, broker: redis.Redis, commits: OnCommit
) -> None:
    with commits():
        run = runs.request_completions(project, purpose="comparison", messages=PROMPT, num_completions=1)
    for attempt in range(2, 7):
        broker.flushdb()  # the broker loses everything
        SamplingRun.objects.filter(id=run.id).update(lease_until=a_minute_ago())
        with commits():
            recovery.sweep()
        run.refresh_from_db()
        assert (run.state, run.attempt, run.num_failures) == (State.SENT, attempt, 0)
        (sent,) = messages_in(broker, "overnight")
        assert sent["request"]["attempt"] == attempt


def test_a_message_that_waits_in_a_long_queue_is_not_sent_twice(
    project: Project, broker: redis.Redis, commits: OnCommit
) -> None:
    with commits():
        run = runs.request_completions(project, purpose="chat", messages=PROMPT, num_completions=1)
    SamplingRun.objects.filter(id=run.id).update(lease_until=a_minute_ago())
    with commits():
        found = recovery.sweep()
    assert found == {"died": 0, "lost": 0, "sent": 0}
    assert len(messages_in(broker, "urgent")) == 1


def test_a_message_that_others_have_overtaken_is_lost(project: Project, broker: redis.Redis) -> None:
    broker.lpush("sample", "another message")
    lost = sent_run(project, lease_until=a_minute_ago(), sent_at=timezone.now() - timedelta(minutes=3))
    slow = sent_run(project, lease_until=a_minute_ago(), sent_at=timezone.now() - timedelta(minutes=1))
    overnight = sent_run(
        project, purpose="comparison", lease_until=a_minute_ago(), sent_at=timezone.now() - timedelta(minutes=3)
    )
    sent_run(project, state=State.RUNNING, sent_at=timezone.now() - timedelta(minutes=2), started_at=a_minute_ago())
    assert recovery.sweep()["lost"] == 1
    for run, attempt in ((lost, 2), (slow, 1), (overnight, 1)):
        run.refresh_from_db()
        assert (run.state, run.attempt) == (State.SENT, attempt)


def test_statements_do_not_grow_with_the_number_of_runs(project: Project, settings: Any) -> None:
    settings.SAMPLING_WINDOW = 10_000
    counts = []
    for num in (2, 40):
        SamplingRun.objects.all().delete()
        for _ in range(num):
            make_run(project=project, purpose="comparison")
            sent_run(project, purpose="comparison", state=State.SENT, lease_until=a_minute_ago())
        with CaptureQueriesContext(connection) as counter:
            recovery.sweep()
        counts.append(len(counter))
    assert counts[0] == counts[1]


def test_a_message_that_nobody_took_for_an_hour_is_lost_whatever_the_queue_holds(
    project: Project, broker: redis.Redis
) -> None:
    broker.lpush("sample", "another message")
    sent_run(project, lease_until=a_minute_ago(), sent_at=timezone.now() - timedelta(minutes=59))
    assert recovery.sweep()["lost"] == 0
    sent_run(project, lease_until=a_minute_ago(), sent_at=timezone.now() - timedelta(minutes=61))
    assert recovery.sweep()["lost"] == 1


def test_what_was_begun_this_moment_has_overtaken_nobody(project: Project, broker: redis.Redis) -> None:
    """Two workers that take two messages one after the other may report in the other order."""
    broker.lpush("sample", "another message")
    sent_run(project, lease_until=a_minute_ago(), sent_at=timezone.now() - timedelta(minutes=3))
    sent_run(project, state=State.RUNNING, started_at=timezone.now())
    assert recovery.sweep()["lost"] == 0


def test_an_empty_queue_has_lost_what_was_sent_last_too(project: Project, broker: redis.Redis) -> None:
    sent_run(project, state=State.RUNNING, sent_at=timezone.now() - timedelta(minutes=3), started_at=a_minute_ago())
    sent_run(project, lease_until=a_minute_ago(), sent_at=timezone.now() - timedelta(minutes=2))
    assert recovery.sweep()["lost"] == 1


def test_while_the_broker_is_away_nothing_counts_as_lost(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    away = Celery("away", set_as_current=False)
    away.conf.update(celery_settings("unix:///nowhere/valkey.sock?db=0"))
    monkeypatch.setattr(dispatch, "current_app", away)
    sent_run(project, lease_until=a_minute_ago())
    assert recovery.sweep()["lost"] == 0
