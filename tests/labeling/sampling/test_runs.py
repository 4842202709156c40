"""Runs and their fences, against a real database and a real broker. Real workers are in tests/chaos."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.utils import timezone

from labeling.dialogues import answers
from labeling.jobs import dispatch
from labeling.models import AuditEvent, Comparison, Project, SamplingRun, User
from labeling.sampling import recovery
from labeling.sampling import runs as sampling_runs
from labeling.sampling.runs import SamplingError
from records import SampleRequest, SampleResult, SamplingParams, decode
from records.names import RECORD_COMPLETIONS, RECORD_SAMPLING_FAILURE, cancel_key, stream_key
from tests.labeling.factories import make_dialogue, make_policy, make_project, make_run, make_user
from tests.labeling.sampling.sampling_runs import PROMPT, State, messages_in, result_for, sent_run, waiting_comparison

pytestmark = pytest.mark.django_db

OnCommit = Callable[..., AbstractContextManager[Any]]


@pytest.fixture
def project() -> Project:
    return make_project(max_new_tokens=16, temperature=0.8, top_p=0.9)


def test_a_caller_s_request_is_sent_when_it_is_committed(
    project: Project, alice: User, broker: redis.Redis, commits: OnCommit
) -> None:
    with commits():
        run = sampling_runs.request_completions(
            project, purpose="suggestion", messages=PROMPT, num_completions=3, by=alice, streams=True
        )
        assert messages_in(broker, "urgent") == []
    run.refresh_from_db()
    assert (run.state, run.attempt) == (State.SENT, 1)
    (sent,) = messages_in(broker, "urgent")
    request = decode(SampleRequest, sent["request"])
    assert (request.run_id, request.attempt, request.num_completions) == (str(run.id), 1, 3)
    assert project.policy is not None
    assert (request.policy, request.policy_path) == (project.policy.name, project.policy.store_path)
    assert request.policy_sha256 == project.policy.manifest_sha256
    sampling = request.sampling
    assert (sampling.max_new_tokens, sampling.temperature, sampling.top_p) == (16, 0.8, 0.9)
    assert request.stream_key == stream_key(str(run.id), 1)
    (answer,), (failure,) = sent["answers"], sent["failures"]
    assert (answer["task"], answer["options"]["queue"], answer["immutable"]) == (RECORD_COMPLETIONS, "web", False)
    assert (failure["task"], failure["kwargs"]) == (RECORD_SAMPLING_FAILURE, {"run_id": str(run.id), "attempt": 1})
    assert failure["immutable"]


def test_a_request_without_a_policy_is_refused(alice: User) -> None:
    project = make_project()
    project.policy = None
    with pytest.raises(SamplingError, match="no policy"):
        sampling_runs.request_completions(project, purpose="chat", messages=PROMPT, num_completions=1, by=alice)


def test_one_person_cannot_ask_without_end(project: Project, alice: User) -> None:
    for _ in range(sampling_runs.MOST_RUNS_OF_ONE_PERSON):
        sampling_runs.request_completions(project, purpose="chat", messages=PROMPT, num_completions=1, by=alice)
    with pytest.raises(SamplingError, match="wait"):
        sampling_runs.request_completions(project, purpose="chat", messages=PROMPT, num_completions=1, by=alice)
    SamplingRun.objects.filter(requested_by=alice).update(state=State.DONE)
    sampling_runs.request_completions(project, purpose="chat", messages=PROMPT, num_completions=1, by=alice)


def test_overnight_work_goes_out_through_the_window_and_callers_pass_it(
    project: Project, broker: redis.Redis, commits: OnCommit, settings: Any
) -> None:
    settings.SAMPLING_WINDOW = 2
    with commits():
        runs = [
            sampling_runs.request_completions(project, purpose="comparison", messages=PROMPT, num_completions=2)
            for _ in range(5)
        ]
        sampling_runs.request_completions(project, purpose="chat", messages=PROMPT, num_completions=1)
    assert [sent["request"]["run_id"] for sent in messages_in(broker, "overnight")] == [str(r.id) for r in runs[:2]]
    assert len(messages_in(broker, "urgent")) == 1
    assert dispatch.queue_length() == 3
    assert sampling_runs.fill_window() == 0
    assert sampling_runs.record_started(str(runs[0].id), 1)
    assert sampling_runs.fill_window() == 0, "what is being sampled is under way still"
    runs[0].refresh_from_db()
    with commits():
        assert answers.record_completions(result_for(runs[0], "a", "b"))
    sent = [sent["request"]["run_id"] for sent in messages_in(broker, "overnight")]
    assert sent == [str(run.id) for run in runs[:3]]  # one went out as one came in


def test_visitors_runs_go_out_through_a_window_of_their_own(
    project: Project, broker: redis.Redis, commits: OnCommit, settings: Any
) -> None:
    """However many come, threads of a sample worker are left for those who work here."""
    settings.PREVIEW_WINDOW = 2
    visitors = [make_user(role="visitor") for _ in range(4)]
    with commits():
        runs = [
            sampling_runs.request_completions(
                project, purpose="chat", messages=PROMPT, num_completions=1, by=one, position=1,
                dialogue=make_dialogue(project=project, author=one, kind="visitor"),
            )
            for one in visitors
        ]  # fmt: skip
        sampling_runs.request_completions(project, purpose="chat", messages=PROMPT, num_completions=1)
    states = list(
        SamplingRun.objects.filter(id__in=[run.id for run in runs]).order_by("created_at").values_list("state")
    )
    assert [state for (state,) in states] == ["sent", "sent", "waiting", "waiting"]
    assert len(messages_in(broker, "urgent")) == 1
    assert sampling_runs.send_waiting() == 0
    runs[0].refresh_from_db()
    with commits():
        assert answers.record_completions(result_for(runs[0], "a"))
    runs[2].refresh_from_db()
    runs[3].refresh_from_db()
    assert (runs[2].state, runs[3].state) == ("sent", "waiting")  # one went out as one came in


def test_with_the_broker_away_a_request_waits_and_loses_no_attempt(
    project: Project, commits: OnCommit, monkeypatch: pytest.MonkeyPatch
) -> None:
    from celery import Celery

    from records.broker import celery_settings

    away = Celery("away", set_as_current=False)
    away.conf.update(celery_settings("unix:///nowhere/valkey.sock?db=0"))
    monkeypatch.setattr(dispatch, "current_app", away)
    with commits():
        run = sampling_runs.request_completions(project, purpose="chat", messages=PROMPT, num_completions=1)
    run.refresh_from_db()
    assert (run.state, run.num_failures, run.error) == (State.WAITING, 0, "")
    assert dispatch.queue_length() is None
    recovery.sweep()
    run.refresh_from_db()
    assert run.num_failures == 0


def test_a_started_run_is_running_and_every_sign_of_life_renews_its_lease(project: Project) -> None:
    run = sent_run(project)
    assert sampling_runs.record_started(str(run.id), 1)
    run.refresh_from_db()
    assert run.state == State.RUNNING
    started, run.lease_until = run.started_at, timezone.now()
    run.save(update_fields=["lease_until"])
    assert sampling_runs.record_started(str(run.id), 1)
    run.refresh_from_db()
    assert run.started_at == started
    assert run.lease_until > timezone.now() + timedelta(seconds=30)
    assert not sampling_runs.record_started(str(run.id), 2)


def test_completions_become_rows_with_what_they_were_sampled_with(project: Project) -> None:
    run = sent_run(project, num_completions=2)
    assert answers.record_completions(result_for(run, "One.", "Two.", seconds=1.5, device="cpu"))
    run.refresh_from_db()
    assert (run.state, run.seconds, run.device) == (State.DONE, 1.5, "cpu")
    first, second = run.completions.order_by("index")
    assert (first.content, first.policy, first.finish_reason) == ("One.", project.policy, "stop")
    assert (first.num_tokens, first.logprob) == (3, -1.5)
    assert [completion.sampling and completion.sampling["seed"] for completion in (first, second)] == [1, 2]
    assert first.comparison is None


def test_a_result_that_comes_twice_is_kept_once(project: Project) -> None:
    run = sent_run(project)
    assert answers.record_completions(result_for(run, "One."))
    assert not answers.record_completions(result_for(run, "Another."))
    assert [completion.content for completion in run.completions.all()] == ["One."]


@pytest.mark.parametrize("attempt", [1, 3])
def test_a_result_of_another_attempt_is_dropped(project: Project, attempt: int) -> None:
    run = sent_run(project, attempt=2)
    assert not answers.record_completions(result_for(run, "Late.", attempt=attempt))
    assert not sampling_runs.record_failure(str(run.id), attempt, "late")
    run.refresh_from_db()
    assert run.state == State.SENT
    assert not run.completions.exists()


def test_a_result_for_no_run_is_dropped(project: Project) -> None:
    ghost = SamplingRun(project=project, attempt=1)
    assert not answers.record_completions(result_for(ghost, "Boo."))


def test_an_error_of_the_sampler_is_kept_and_ends_the_run(project: Project) -> None:
    run = sent_run(project)
    answers.record_completions(
        SampleResult(run_id=str(run.id), attempt=1, error="policies/x is not in this worker's store")
    )
    run.refresh_from_db()
    assert (run.state, run.error) == (State.FAILED, "policies/x is not in this worker's store")


@pytest.mark.parametrize("num", [1, 4])
def test_too_few_or_too_many_completions_are_none(project: Project, num: int) -> None:
    run = sent_run(project, num_completions=3)
    answers.record_completions(result_for(run, *(f"Text {number}." for number in range(num))))
    run.refresh_from_db()
    assert (run.state, run.num_failures) == (State.WAITING, 1)
    assert f"{num} completions where 3" in run.error
    assert not run.completions.exists()


def test_a_comparison_opens_when_its_last_completions_are_there(project: Project) -> None:
    comparison = waiting_comparison(project, rankings_wanted=3)
    first = sent_run(project, purpose="comparison", comparison=comparison, num_completions=2)
    second = sent_run(project, purpose="comparison", comparison=comparison, num_completions=1)
    answers.record_completions(result_for(first, "One.", "Two."))
    comparison.refresh_from_db()
    assert (comparison.state, comparison.open_slots) == (Comparison.State.SAMPLING, 0)
    answers.record_completions(result_for(second, "Three."))
    comparison.refresh_from_db()
    assert (comparison.state, comparison.open_slots) == (Comparison.State.OPEN, 3)
    assert comparison.completions.count() == 3


def test_a_comparison_of_equal_texts_is_not_offered(project: Project) -> None:
    comparison = waiting_comparison(project)
    run = sent_run(project, purpose="comparison", comparison=comparison, num_completions=2)
    answers.record_completions(result_for(run, "Same.", "Same."))
    comparison.refresh_from_db()
    run.refresh_from_db()
    assert comparison.state == Comparison.State.FAILED
    assert "temperature" in run.error


@pytest.mark.parametrize("fails", [False, True])
def test_a_comparison_that_was_withdrawn_stays_so_whatever_comes_of_its_runs(project: Project, fails: bool) -> None:
    comparison = waiting_comparison(project, state=Comparison.State.WITHDRAWN)
    run = sent_run(project, purpose="comparison", comparison=comparison, num_completions=2)
    outcome = {"error": "no such policy"} if fails else {}
    assert answers.record_completions(result_for(run, "One.", "Two.", **outcome))
    comparison.refresh_from_db()
    assert (comparison.state, comparison.open_slots) == (Comparison.State.WITHDRAWN, 0)


def test_a_cancelled_run_tells_its_worker_and_its_comparison(
    project: Project, alice: User, broker: redis.Redis, commits: OnCommit
) -> None:
    comparison = waiting_comparison(project)
    run = sent_run(project, purpose="comparison", comparison=comparison)
    with commits():
        assert sampling_runs.cancel(run, by=alice)
    assert not sampling_runs.cancel(run, by=alice)
    assert 0 < broker.ttl(cancel_key(str(run.id))) <= dispatch.STOP_SECONDS  # type: ignore[operator]
    assert not answers.record_completions(result_for(run, "Too late."))
    run.refresh_from_db()
    comparison.refresh_from_db()
    assert (run.state, comparison.state) == (State.CANCELLED, Comparison.State.FAILED)
    assert AuditEvent.objects.filter(verb="cancel sampling", by=alice, project=project).count() == 1


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_a_failed_run_can_be_begun_anew(
    project: Project, alice: User, broker: redis.Redis, commits: OnCommit, state: State
) -> None:
    comparison = waiting_comparison(project, state=Comparison.State.FAILED)
    run = make_run(
        project=project, purpose="comparison", comparison=comparison, state=state, num_failures=3, attempt=3, error="!"
    )
    broker.set(cancel_key(str(run.id)), 1)
    with commits():
        assert sampling_runs.retry(run, by=alice)
    run.refresh_from_db()
    comparison.refresh_from_db()
    assert (run.state, run.attempt, run.num_failures, run.error) == (State.SENT, 4, 0, "")
    assert comparison.state == Comparison.State.SAMPLING
    assert not broker.exists(cancel_key(str(run.id)))
    assert not sampling_runs.retry(run, by=alice)


def test_a_request_says_its_own_policy_and_sampling(project: Project, broker: redis.Redis, commits: OnCommit) -> None:
    other = make_policy()
    params = SamplingParams(temperature=0.3, seed=9)
    with commits():
        run = sampling_runs.request_completions(
            project, purpose="evaluation", messages=PROMPT, num_completions=1, policy=other, sampling=params
        )
    request = dispatch.request_of(SamplingRun.objects.get(id=run.id))
    assert (request.policy, request.sampling) == (other.name, params)
