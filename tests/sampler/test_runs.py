"""Runs in hand: whoever is at a run hears once that it was cancelled, and of no other."""

import threading
from collections.abc import Iterator

import pytest
import redis
from celery import Celery

from records.broker import celery_settings
from records.names import cancel_key
from sampler.runs import Run, Watch
from tests.sampler.conftest import make_request


def test_a_run_is_stopped_once_however_often_it_is_cancelled() -> None:
    run, heard = Run("r-1", 1), []
    run.on_cancel(lambda: heard.append("before"))
    run.cancel()
    run.cancel()
    assert heard == ["before"]


def test_whoever_begins_at_a_cancelled_run_hears_of_it_at_once() -> None:
    run, heard = Run("r-1", 1), []
    run.cancel()
    run.on_cancel(lambda: heard.append("late"))
    assert heard == ["late"]
    assert run.cancelled


@pytest.fixture
def watch(broker_url: str) -> Iterator[Watch]:
    app = Celery("watched", set_as_current=False)
    app.conf.update(celery_settings(broker_url))
    with redis.Redis.from_url(broker_url) as client:
        yield Watch(client, app)
        client.delete(cancel_key("second"))


def test_the_run_that_was_cancelled_is_stopped_and_no_other(watch: Watch, broker_url: str) -> None:
    stopped = threading.Event()
    with watch.over(make_request(run_id="first")) as first, watch.over(make_request(run_id="second")) as second:
        second.on_cancel(stopped.set)
        with redis.Redis.from_url(broker_url) as client:
            client.set(cancel_key("second"), 1)
        assert stopped.wait(timeout=30)
        assert (first.cancelled, second.cancelled) == (False, True)
        assert watch.run_ids() == ("first", "second")
    assert watch.run_ids() == ()
