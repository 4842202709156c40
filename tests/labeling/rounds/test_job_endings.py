"""How an attempt of a training job may end but by a model: by its own settings, or because its worker is to stop."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from labeling.models import Project
from labeling.rounds import training_jobs
from labeling.rounds.training_inputs import JobError
from labeling.rounds.training_jobs import State, record_progress, record_result, retry_job
from tests.labeling.factories import make_policy, make_project
from tests.labeling.rounds.test_training_jobs import begun, progress, result, sent

pytestmark = pytest.mark.django_db
Commits = Callable[[], Any]


@pytest.fixture
def project(store: Path) -> Project:
    return make_project(policy=make_policy(name="start"))


def test_a_job_that_failed_by_its_own_settings_is_not_tried_again(project: Project, broker: redis.Redis) -> None:
    job = begun(project)
    record_result(result(job, error="--epochs must be above 0", needs_other_settings=True))
    job.refresh_from_db()
    assert (job.state, job.can_be_retried) == (State.FAILED, False)
    with pytest.raises(JobError, match="start it again with other settings"):
        retry_job(job, by=None)
    job.refresh_from_db()
    assert (job.state, job.attempt) == (State.FAILED, 1)
    training_jobs.sweep_jobs()
    assert [request.attempt for request in sent(broker)] == [1]


def test_a_job_whose_worker_stops_is_sent_again_at_once(
    project: Project, broker: redis.Redis, commits: Commits
) -> None:
    job = begun(project)
    record_progress(progress(job, 0.4, loss=2.0))
    with commits():
        assert training_jobs.release_job(job.id, attempt=1)
    job.refresh_from_db()
    assert (job.state, job.attempt, job.num_failures, job.fraction) == (State.SENT, 2, 0, 0.4)
    assert [request.attempt for request in sent(broker)] == [1, 2]
    assert not record_progress(progress(job, 0.5, attempt=1))
    assert not training_jobs.release_job(job.id, attempt=1)
    job.refresh_from_db()
    assert (job.state, job.attempt) == (State.SENT, 2)


def test_an_attempt_that_loads_has_not_lost_what_is_done(project: Project, broker: redis.Redis) -> None:
    job = begun(project)
    assert record_progress(replace(progress(job, 0.4), stage="training"))
    assert record_progress(replace(progress(job, 0.0), stage="loading"))
    job.refresh_from_db()
    assert (job.stage, job.fraction) == ("loading", 0.4)
    assert record_progress(replace(progress(job, 0.3), stage="training"))
    job.refresh_from_db()
    assert (job.stage, job.fraction) == ("training", 0.3)
