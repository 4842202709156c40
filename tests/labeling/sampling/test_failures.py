"""Comparisons whose sampling failed: tried again without losing what is there, drawn anew, left out."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import connection, transaction

from labeling.models import AuditEvent, Comparison, Completion, Project, SamplingRun, User
from labeling.sampling import comparisons
from labeling.sampling import runs as sampling_runs
from labeling.sampling.failures import failed_comparisons, leave_out, retry_all, retry_comparison
from labeling.sampling.mixtures import Part, change_mixture
from tests.answering import send_result
from tests.labeling.factories import make_chat, make_project, make_user

State = SamplingRun.State
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker")]
OnCommit = Callable[[], AbstractContextManager[Any]]


@pytest.fixture
def project(engines: object) -> Project:
    made = make_project(comparisons_ready=1)
    parts = [Part(share=2), Part(share=1, temperature=0.7), Part(share=1, temperature=0.4)]
    change_mixture(made, parts, by=make_user(username="adam", role=User.Role.ADMIN))
    make_chat(project=made, num_turns=4)
    return made


def sampled(project: Project) -> tuple[Comparison, list[SamplingRun]]:
    """A comparison and its three runs, sent, by falling temperature."""
    (comparison,) = comparisons.make_comparisons(project, num=1, seed=1, by=None)
    sampling_runs.send_waiting()
    return comparison, runs_of(comparison)


def runs_of(comparison: Comparison) -> list[SamplingRun]:
    runs = comparison.sampling_runs.select_related("policy")
    return sorted(runs, key=lambda run: -run.sampling["temperature"])


def state_of(comparison: Comparison) -> str:
    return Comparison.objects.get(id=comparison.id).state


def refuse(run: SamplingRun, error: str = "no such policy") -> None:
    run.refresh_from_db()
    with transaction.atomic():
        sampling_runs.fail(run, error, for_good=True)


def test_one_failed_part_is_told_and_tried_again_while_the_others_are_kept(project: Project) -> None:
    comparison, (first, second, third) = sampled(project)
    refuse(second)
    assert send_result(first, "A.", "B.")
    assert state_of(comparison) == "failed"
    (told,) = failed_comparisons(comparison.round)  # type: ignore[arg-type]
    assert (told.comparison, [(run.id, run.error) for run in told.runs]) == (
        comparison,
        [(second.id, "no such policy")],
    )
    assert retry_comparison(comparison, by=None)
    assert state_of(comparison) == "sampling"
    assert send_result(third, "C.")
    assert state_of(comparison) == "sampling"
    again = runs_of(comparison)[1]
    assert (again.state, again.attempt) == (State.SENT, 2)
    assert not send_result(second, "Late.")  # an answer to the first attempt
    assert send_result(again, "D.")
    assert state_of(comparison) == "open"
    assert sorted(Completion.objects.values_list("content", flat=True)) == ["A.", "B.", "C.", "D."]
    assert not retry_comparison(comparison, by=None)


def test_all_failed_parts_are_tried_again_at_once(project: Project) -> None:
    comparison, runs = sampled(project)
    for run in runs:
        refuse(run)
    assert retry_comparison(comparison, by=None)
    for run in runs_of(comparison):
        assert send_result(run, *(f"{run.id} {n}" for n in range(run.num_completions)))
    assert state_of(comparison) == "open"


def test_one_of_two_failed_parts_alone_does_not_hide_the_other(project: Project) -> None:
    comparison, (first, second, third) = sampled(project)
    send_result(third, "C.")
    for run in (first, second):
        refuse(run)
    assert sampling_runs.retry(first, by=None)
    assert state_of(comparison) == "failed"
    send_result(runs_of(comparison)[0], "A.", "B.")
    assert state_of(comparison) == "failed"
    assert retry_comparison(comparison, by=None)
    send_result(runs_of(comparison)[1], "D.")
    assert state_of(comparison) == "open"


def test_a_part_that_fails_while_another_is_retried_leaves_the_comparison_failed(project: Project) -> None:
    """Both decide what the comparison is by looking at the other's run: one must wait for the other."""
    comparison, (first, second, third) = sampled(project)
    send_result(third, "C.")
    refuse(first)
    retried, failing = threading.Event(), threading.Event()

    def fail_second() -> None:
        try:
            retried.wait(10)
            with transaction.atomic():
                run = SamplingRun.objects.select_for_update(of=("self",)).get(id=second.id)
                failing.set()
                sampling_runs.fail(run, "no such policy", for_good=True)
        finally:
            connection.close()

    other = threading.Thread(target=fail_second)
    other.start()
    with transaction.atomic():
        assert sampling_runs.retry(first, by=None)
        retried.set()
        assert failing.wait(10)
        other.join(0.3)  # it stands before the comparison that this transaction has locked
    other.join(10)
    assert not other.is_alive()
    assert state_of(comparison) == "failed"
    assert retry_comparison(comparison, by=None)
    assert {run.state for run in runs_of(comparison)} == {State.SENT, State.DONE}


def test_texts_that_came_out_the_same_are_drawn_anew_under_other_seeds(project: Project) -> None:
    comparison, runs = sampled(project)
    for run in runs:
        send_result(run, *["Same."] * run.num_completions)
    assert state_of(comparison) == "failed"
    (told,) = failed_comparisons(comparison.round)  # type: ignore[arg-type]
    assert any("the same" in run.error for run in told.runs)
    before = [run.sampling["seed"] for run in runs]
    assert retry_comparison(comparison, by=None)
    again = runs_of(comparison)
    assert not set(before) & {run.sampling["seed"] for run in again}
    assert not comparison.completions.exists()
    for run in again:
        send_result(run, *(f"{run.id} {n}" for n in range(run.num_completions)))
    assert state_of(comparison) == "open"
    assert comparison.completions.count() == 4


def test_what_is_left_out_makes_room_for_another(project: Project) -> None:
    comparison, (first, second, third) = sampled(project)
    refuse(first)
    assert comparisons.keep_ready(project) == 0
    assert leave_out(comparison, by=User.objects.get(username="adam"))
    assert state_of(comparison) == "withdrawn"
    assert {run.state for run in (runs_of(comparison))} == {State.FAILED, State.CANCELLED}
    assert not send_result(second, "Late.")
    assert not leave_out(comparison, by=User.objects.get(username="adam"))
    assert comparisons.keep_ready(project) == 1
    assert AuditEvent.objects.filter(verb="leave out comparison").count() == 1
    assert not Completion.objects.exists()
    assert third.id


def test_all_of_a_round_are_tried_again_and_nothing_else(project: Project) -> None:
    comparison, runs = sampled(project)
    (other,) = comparisons.make_comparisons(project, num=1, seed=2, by=None)
    refuse(runs[0])
    round_ = comparison.round
    assert round_ is not None
    assert retry_all(round_, by=None) == 1
    assert {state_of(one) for one in (comparison, other)} == {"sampling"}
    assert retry_all(round_, by=None) == 0
