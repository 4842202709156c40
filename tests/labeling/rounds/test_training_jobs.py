"""Training jobs: what may be started, what goes over the broker, what comes back, and what is dropped."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from django.utils import timezone

from labeling.jobs import dispatch
from labeling.models import AuditEvent, Export, Policy, Project, RewardModel, TrainingJob, User
from labeling.rounds import training_jobs
from labeling.rounds.training_inputs import JobError
from labeling.rounds.training_jobs import State, cancel_job, record_progress, record_result, retry_job, start_job
from records import TrainingProgress, TrainingRequest, TrainingResult, decode, publish_directory
from records.broker import celery_settings
from records.names import cancel_key
from tests.labeling.factories import make_policy, make_project

pytestmark = pytest.mark.django_db
Commits = Callable[[], Any]


@pytest.fixture
def project(store: Path) -> Project:
    return make_project(policy=make_policy(name="start"))


def make_export(project: Project, kind: str = "demonstrations", **fields: Any) -> Export:
    values = {"state": Export.State.DONE, "store_path": f"exports/{kind}", **fields}
    return Export.objects.create(project=project, kind=kind, **values)


def make_reward_model(name: str = "rm") -> RewardModel:
    return RewardModel.objects.create(name=name, store_path=f"rewardmodels/{name}", manifest_sha256="0" * 64)


def started(project: Project, *, kind: str = "sft", name: str = "better", by: User | None = None) -> TrainingJob:
    return start_job(project, kind=kind, export=make_export(project), output_name=name, by=by)


def begun(project: Project, **options: Any) -> TrainingJob:
    """A job whose message has gone out."""
    job = started(project, **options)
    assert training_jobs.send_job(job.id)
    job.refresh_from_db()
    return job


def progress(job: TrainingJob, fraction: float = 0.5, attempt: int | None = None, **metrics: float) -> TrainingProgress:
    return TrainingProgress(job_id=str(job.id), attempt=attempt or job.attempt, fraction=fraction, metrics=metrics)


def publish(store: Path, path: str) -> str:
    staging = store / "staging"
    staging.mkdir()
    (staging / "config.json").write_text("{}")
    return publish_directory(staging, store / path)


def result(job: TrainingJob, sha256: str | None = None, **fields: Any) -> TrainingResult:
    values: dict[str, Any] = {"out_path": f"policies/{job.output_name}", "attempt": job.attempt, **fields}
    return TrainingResult(job_id=str(job.id), manifest_sha256=sha256, **values)


def sent(broker: redis.Redis) -> list[TrainingRequest]:
    bodies = [json.loads(base64.b64decode(json.loads(raw)["body"])) for raw in reversed(broker.lrange("train", 0, -1))]  # type: ignore[arg-type]
    return [decode(TrainingRequest, kwargs["request"]) for _, kwargs, _ in bodies]


def let_lease_run_out(job: TrainingJob) -> None:
    TrainingJob.objects.filter(id=job.id).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_a_job_goes_out_as_a_record_once_it_is_committed(
    project: Project, erin: User, broker: redis.Redis, commits: Commits
) -> None:
    reward = make_reward_model()
    with commits():
        job = start_job(
            project,
            kind="ppo",
            export=make_export(project, "prompts"),
            output_name="round-1",
            policy=make_policy(name="sft"),
            reward_model=reward,
            options={"updates": 3, "lr": 1e-5, "lora": True, "precision": "bf16"},
            by=erin,
        )
        assert sent(broker) == []
    (request,) = sent(broker)
    assert request == TrainingRequest(
        job_id=str(job.id),
        attempt=1,
        kind="ppo",
        data_path="exports/prompts",
        out_path="policies/round-1",
        model_path="policies/sft",
        reward_path="rewardmodels/rm",
        options={"updates": 3, "lr": 1e-5, "lora": True, "precision": "bf16"},
    )
    job.refresh_from_db()
    assert (job.state, job.attempt, job.round) == (State.SENT, 1, project.current_round)
    assert AuditEvent.objects.filter(verb="start training", by=erin, subject_id=str(job.id)).exists()


def test_the_projects_policy_is_the_start_where_none_is_named(project: Project) -> None:
    assert started(project).policy == project.policy


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"kind": "rlhf"}, "no training of the kind “rlhf”"),
        ({"kind": "reward_model"}, "needs a finished export of rankings"),
        ({"kind": "ppo"}, "needs a finished export of prompts"),
        ({"kind": "rloo"}, "needs a finished export of prompts"),
        ({"kind": "dpo"}, "needs a finished export of rankings"),
        ({"kind": "kto"}, "needs a finished export of thumbs"),
        ({"kind": "rejection_sampling"}, "needs a finished export of prompts"),
        ({"output_name": "Best Model"}, "small letters, digits"),
        ({"output_name": "../escape"}, "small letters, digits"),
        ({"output_name": "start"}, "There is a model called “start” already"),
        ({"output_name": "rm"}, "There is a model called “rm” already"),
        ({"options": {"out": "/etc/passwd"}}, "“out” cannot be /etc/passwd"),
        ({"options": {"--out": 1}}, "“--out” cannot be 1"),
        ({"options": {"lr": [1]}}, "cannot be"),
        ({"options": {"precision": "bf16 --out=/etc"}}, "“precision” cannot be bf16 --out=/etc"),
    ],
)
def test_what_makes_no_sense_is_refused(project: Project, changes: dict[str, Any], complaint: str) -> None:
    make_reward_model()
    values = {"kind": "sft", "export": make_export(project), "output_name": "better", "by": None, **changes}
    with pytest.raises(JobError, match=complaint):
        start_job(project, **values)
    assert not TrainingJob.objects.exists()


def test_two_jobs_cannot_make_a_model_of_one_name(project: Project) -> None:
    started(project)
    with pytest.raises(JobError, match="Another job is making “better” already"):
        started(project)


def test_progress_renews_the_lease_and_keeps_the_newest_metrics(project: Project, broker: redis.Redis) -> None:
    job = begun(project)
    assert record_progress(progress(job, 0.25, loss=2.0, lr=0.1))
    assert record_progress(progress(job, 0.5, loss=1.5))
    job.refresh_from_db()
    assert (job.state, job.fraction, job.metrics) == (State.RUNNING, 0.5, {"loss": 1.5, "lr": 0.1})
    assert job.started_at is not None
    assert job.lease_until is not None
    assert job.lease_until > timezone.now() + timedelta(minutes=2)


@pytest.mark.parametrize(("said", "kept"), [(-0.5, 0.0), (1.5, 1.0)])
def test_progress_stays_between_nothing_and_all(
    project: Project, broker: redis.Redis, said: float, kept: float
) -> None:
    job = begun(project)
    assert record_progress(progress(job, said))
    job.refresh_from_db()
    assert job.fraction == kept


@pytest.mark.parametrize("attempt", [1, 7])
def test_what_another_attempt_says_is_dropped(project: Project, store: Path, broker: redis.Redis, attempt: int) -> None:
    job = begun(project)
    TrainingJob.objects.filter(id=job.id).update(attempt=2)
    sha256 = publish(store, "policies/better")
    assert not record_progress(progress(job, attempt=attempt))
    assert not record_result(result(job, sha256, attempt=attempt))
    job.refresh_from_db()
    assert (job.state, job.fraction) == (State.SENT, 0.0)
    assert not Policy.objects.filter(name="better").exists()


def test_a_policy_that_was_made_is_registered_with_its_lineage(
    project: Project, store: Path, broker: redis.Redis
) -> None:
    job = begun(project)
    record_progress(progress(job, loss=2.0))
    sha256 = publish(store, "policies/better")
    assert record_result(result(job, sha256, metrics={"loss": 1.0}))
    policy = Policy.objects.get(name="better")
    assert (policy.parent, policy.training_job, policy.state) == (project.policy, job, Policy.State.CANDIDATE)
    assert (policy.store_path, policy.manifest_sha256, policy.metrics) == ("policies/better", sha256, {"loss": 1.0})
    job.refresh_from_db()
    assert (job.state, job.fraction, job.metrics) == (State.DONE, 1.0, {"loss": 1.0})
    assert not record_result(result(job, sha256)), "the same result twice is one"
    event = AuditEvent.objects.get(verb="register model", subject_id=str(policy.id))
    assert event.detail == {"job": str(job.id), "manifest_sha256": sha256}


def test_a_reward_model_names_its_export(project: Project, store: Path, broker: redis.Redis) -> None:
    export = make_export(project, "rankings")
    job = start_job(project, kind="reward_model", export=export, output_name="judge", by=None)
    training_jobs.send_job(job.id)
    job.refresh_from_db()
    sha256 = publish(store, "rewardmodels/judge")
    assert record_result(result(job, sha256, out_path="rewardmodels/judge"))
    model = RewardModel.objects.get(name="judge")
    assert (model.export, model.training_job, model.manifest_sha256) == (export, job, sha256)


@pytest.mark.parametrize(
    ("published", "fields", "complaint"),
    [
        (False, {}, "not in the store of the platform"),
        (True, {"sha256": "f" * 64}, "not the one that the worker made"),
        (True, {"out_path": "policies/other"}, "another place than it was asked to"),
        (True, {"error": "loss is not finite at step 3"}, "loss is not finite at step 3"),
    ],
)
def test_a_model_that_is_not_what_was_said_is_not_registered(
    project: Project, store: Path, broker: redis.Redis, published: bool, fields: dict[str, Any], complaint: str
) -> None:
    job = begun(project)
    sha256 = publish(store, "policies/better") if published else "0" * 64
    assert record_result(result(job, **{"sha256": sha256, **fields}))
    job.refresh_from_db()
    assert (job.state, job.lease_until) == (State.FAILED, None)
    assert complaint in job.error
    assert not Policy.objects.filter(name="better").exists()


def test_a_cancelled_job_tells_its_worker_and_drops_its_result(
    project: Project, store: Path, erin: User, broker: redis.Redis, commits: Commits
) -> None:
    job = begun(project)
    assert not broker.exists(cancel_key(str(job.id)))
    with commits():
        assert cancel_job(job, by=erin)
    assert broker.exists(cancel_key(str(job.id)))
    assert job.state == State.CANCELLED
    assert not record_result(result(job, publish(store, "policies/better")))
    assert not record_progress(progress(job))
    assert not cancel_job(job, by=erin)
    assert AuditEvent.objects.filter(verb="cancel training", by=erin, subject_id=str(job.id)).count() == 1


def test_a_failed_job_can_be_tried_again(project: Project, erin: User, broker: redis.Redis, commits: Commits) -> None:
    job = begun(project)
    record_result(result(job, error="out of memory"))
    with commits():
        assert retry_job(job, by=erin)
    job.refresh_from_db()
    assert (job.state, job.attempt, job.num_failures, job.error) == (State.SENT, 2, 0, "")
    assert not broker.exists(cancel_key(str(job.id)))
    assert [request.attempt for request in sent(broker)] == [1, 2]
    assert not retry_job(job, by=erin)
    assert AuditEvent.objects.filter(verb="retry training", by=erin, subject_id=str(job.id)).count() == 1


def test_a_job_whose_name_was_taken_meanwhile_is_not_tried_again(project: Project, broker: redis.Redis) -> None:
    job = begun(project)
    record_result(result(job, error="out of memory"))
    started(project)
    with pytest.raises(JobError, match="Another job has made, or is making, “better”"):
        retry_job(job, by=None)


def test_a_worker_that_fell_silent_is_followed_by_another(project: Project, broker: redis.Redis) -> None:
    job = begun(project)
    for failures in range(1, TrainingJob.MAX_ATTEMPTS + 1):
        job.refresh_from_db()
        assert record_progress(progress(job))
        let_lease_run_out(job)
        assert training_jobs.sweep_jobs() >= 1
        job.refresh_from_db()
        assert job.num_failures == failures
    assert job.state == State.FAILED
    assert "stopped without a word" in job.error
    assert [request.attempt for request in sent(broker)] == [1, 2, 3]


def test_a_lost_message_costs_no_attempt_that_counts(project: Project, broker: redis.Redis) -> None:
    job = begun(project)
    let_lease_run_out(job)
    training_jobs.sweep_jobs()
    job.refresh_from_db()
    assert (job.state, job.attempt) == (State.SENT, 1), "its message still lies in the queue"
    broker.flushdb()
    training_jobs.sweep_jobs()
    job.refresh_from_db()
    assert (job.state, job.attempt, job.num_failures) == (State.SENT, 2, 0)


def test_a_message_behind_a_running_job_is_not_lost(project: Project, broker: redis.Redis) -> None:
    """A worker may have taken it from the queue while it is busy with another."""
    running, waiting = begun(project, name="first"), begun(project, name="second")
    record_progress(progress(running))
    broker.flushdb()
    let_lease_run_out(waiting)
    training_jobs.sweep_jobs()
    waiting.refresh_from_db()
    assert (waiting.state, waiting.attempt) == (State.SENT, 1)


def test_while_the_broker_is_away_no_message_counts_as_lost(
    project: Project, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = begun(project)
    let_lease_run_out(job)
    away = Celery("away", set_as_current=False)
    away.conf.update(celery_settings("unix:///nowhere/valkey.sock?db=0"))
    monkeypatch.setattr(dispatch, "current_app", away)
    training_jobs.sweep_jobs()
    job.refresh_from_db()
    assert (job.state, job.attempt) == (State.SENT, 1)


def test_with_the_broker_away_a_job_waits(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    job = started(project)

    def away(run_id: str) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr(dispatch, "forget_stop", away)
    assert not training_jobs.send_job(job.id)
    job.refresh_from_db()
    assert (job.state, job.lease_until) == (State.WAITING, None)
