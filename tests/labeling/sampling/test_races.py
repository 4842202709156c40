"""Two who act on the same comparison, run or window at once: the second waits, and sees what the first has done."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from labeling.models import AuditEvent, Comparison, Completion, Project, SamplingRun
from labeling.sampling import comparisons, failures, mixtures
from labeling.sampling import runs as sampling_runs
from labeling.sampling.mixtures import Part
from tests.labeling.factories import make_chat, make_project, make_run, make_user
from tests.labeling.overlapping import overlap
from tests.labeling.sampling.sampling_runs import State, result_for, sent_run, waiting_comparison

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker")]


def in_transaction(work: Callable[[], Any]) -> Callable[[], Any]:
    def call() -> Any:
        with transaction.atomic():
            return work()

    return call


def part_of(comparison: Comparison, **fields: Any) -> SamplingRun:
    return sent_run(comparison.project, purpose="comparison", comparison=comparison, **fields)


def test_two_draws_at_once_choose_different_messages() -> None:
    project = make_project()
    make_chat(project=project, num_turns=6)

    def draw() -> list[Comparison]:
        return comparisons.make_comparisons(Project.objects.get(id=project.id), num=3, seed=1, by=None)

    assert len(overlap(draw, draw)) == 3
    assert len(set(Comparison.objects.values_list("message", flat=True))) == 6


def test_two_who_fill_the_window_at_once_fill_it_once(project: Project, settings: Any) -> None:
    settings.SAMPLING_WINDOW = 2
    for _ in range(5):
        make_run(project=project, purpose="comparison")
    assert overlap(sampling_runs.fill_window, sampling_runs.fill_window) == 0
    assert SamplingRun.objects.filter(state=State.SENT).count() == 2


def test_a_run_that_two_sweeps_find_is_sent_once(project: Project) -> None:
    run = make_run(project=project)
    assert overlap(sampling_runs.send_waiting, sampling_runs.send_waiting) == 0
    run.refresh_from_db()
    assert (run.state, run.attempt) == (State.SENT, 1)


def test_a_comparison_opens_though_its_last_two_parts_end_at_once(project: Project) -> None:
    comparison = waiting_comparison(project)
    one, other = part_of(comparison), part_of(comparison)
    overlap(
        lambda: sampling_runs.record(result_for(one, "A.")),
        in_transaction(lambda: sampling_runs.record(result_for(other, "B."))),
    )
    comparison.refresh_from_db()
    assert (comparison.state, comparison.open_slots) == (Comparison.State.OPEN, comparison.rankings_wanted)


def test_two_copies_of_a_result_at_once_are_stored_once(project: Project) -> None:
    run = sent_run(project)

    def record() -> SamplingRun | None:
        return sampling_runs.record(result_for(run, "One."))

    assert overlap(record, in_transaction(record)) is None
    assert Completion.objects.count() == 1


def test_a_run_whose_result_is_just_being_stored_is_not_cancelled_any_more(project: Project) -> None:
    run = sent_run(project)
    assert not overlap(
        lambda: sampling_runs.record(result_for(run, "One.")), lambda: sampling_runs.cancel(run, by=None)
    )
    run.refresh_from_db()
    assert run.state == State.DONE


def test_a_run_that_two_people_retry_at_once_is_restarted_once(project: Project) -> None:
    run = make_run(project=project, state=State.FAILED, num_failures=3)

    def retry() -> bool:
        return sampling_runs.retry(SamplingRun.objects.get(id=run.id), by=None)

    assert not overlap(retry, retry)
    assert AuditEvent.objects.filter(verb="retry sampling").count() == 1


def test_a_comparison_that_two_people_retry_at_once_is_sampled_again_once(project: Project) -> None:
    comparison = waiting_comparison(project, state=Comparison.State.FAILED)
    run = part_of(comparison, state=State.FAILED)

    def retry() -> bool:
        return failures.retry_comparison(Comparison.objects.get(id=comparison.id), by=None)

    assert not overlap(retry, retry)
    sampling_runs.send_waiting()  # as the sweep does: the second may have held the row when the first wanted to send it
    run.refresh_from_db()
    assert (run.state, run.attempt) == (State.SENT, 2)


def test_leaving_a_comparison_out_and_a_result_of_it_do_not_wait_for_each_other(project: Project) -> None:
    """Both lock the runs before the comparison. In opposite orders each would hold what the other wants."""
    comparison = waiting_comparison(project, state=Comparison.State.FAILED)
    part_of(comparison, state=State.FAILED)
    run = part_of(comparison)
    adam = make_user(username="adam")
    assert overlap(
        lambda: SamplingRun.objects.select_for_update().get(id=run.id),
        lambda: failures.leave_out(comparison, by=adam),
        then=lambda: sampling_runs.record(result_for(run, "A.")),
    )
    comparison.refresh_from_db()
    assert comparison.state == Comparison.State.WITHDRAWN


def test_of_two_mixtures_that_are_saved_at_once_one_stays_whole(project: Project) -> None:
    adam = make_user(username="adam")
    parts = [Part(share=1), Part(share=3, temperature=0.5)]
    overlap(
        lambda: mixtures.change_mixture(project, [Part(share=2), Part(share=1, temperature=0.7)], by=adam),
        lambda: mixtures.change_mixture(project, parts, by=adam),
    )
    assert mixtures.mixture_of(project) == parts
