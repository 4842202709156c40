"""Sealed sets as rows, and the sampling of policies' answers to them."""

from dataclasses import replace
from typing import Any

import pytest

from labeling.evaluations import probe_runs
from labeling.evaluations.probe_sets import ProbeSetError, bundled_probe_set
from labeling.evaluations.sealing import seal, sealed_bundled_set
from labeling.models import AuditEvent, Completion, Policy, ProbeAnswer, ProbeText, Project, SamplingRun, User
from labeling.sampling import runs as sampling_runs
from tests.labeling.evaluations.probing import answer_all, start
from tests.labeling.factories import make_policy, make_project
from tests.labeling.sampling.sampling_runs import messages_in, result_for

pytestmark = pytest.mark.django_db
State = ProbeAnswer.State


def test_a_set_is_copied_once_and_a_changed_one_is_refused() -> None:
    probe_set = bundled_probe_set("compliance")
    version = sealed_bundled_set("compliance")
    assert sealed_bundled_set("compliance") == version
    assert version.texts.count() == ProbeText.objects.count() == len(probe_set.probes)
    first = probe_set.probes[0]
    row = version.texts.get(key=first.id)
    assert (row.group, row.text, row.severity) == (first.group, first.text, first.severity)
    with pytest.raises(ProbeSetError, match="give a changed set the next version"):
        seal(replace(probe_set, sha256="0" * 64))


def test_old_and_new_are_asked_under_the_same_seeds_and_only_once(project: Project, rita: User) -> None:
    assert project.policy is not None
    old, new = (start(project, policy, by=rita, name="same_again") for policy in (project.policy, make_policy()))
    seeds = [
        list(run.answers.order_by("text__key", "number").values_list("sampling_run__sampling__seed", flat=True))
        for run in (old, new)
    ]
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == len(seeds[0]) == 15  # three questions, five seeds each, no two the same
    assert probe_runs.start(project, project.policy, ["same_again"], by=rita) == []
    assert AuditEvent.objects.filter(verb="start probes").count() == 2


def test_probes_are_sent_in_the_window_of_overnight_work(
    project: Project, rita: User, broker: Any, settings: Any, commits: Any
) -> None:
    settings.SAMPLING_WINDOW = 4
    assert project.policy is not None
    with commits():
        start(project, project.policy, by=rita)
    assert len(messages_in(broker, "overnight")) == 4
    assert SamplingRun.objects.filter(purpose="probe", state="sent").count() == 4


def test_a_workers_result_becomes_an_answer(project: Project, rita: User, broker: Any, commits: Any) -> None:
    assert project.policy is not None
    with commits():
        run = start(project, project.policy, by=rita, num_groups=1)
    first, second = run.answers.select_related("sampling_run")
    assert sampling_runs.record(result_for(first.sampling_run, "Which one?"))
    assert (probe_runs.take_in(project), probe_runs.take_in(project)) == (1, 0)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, first.content, second.state) == (State.READY, "Which one?", State.WAITING)
    progress = probe_runs.progress(run)
    assert (progress.total, progress.answered, progress.waiting, progress.to_label) == (2, 1, 1, 1)


@pytest.mark.parametrize(("ended", "state"), [("failed", State.FAILED), ("blocked", State.FILTERED)])
def test_what_was_not_answered_is_no_answer(project: Project, rita: User, ended: str, state: ProbeAnswer.State) -> None:
    assert project.policy is not None
    run = start(project, project.policy, by=rita, num_groups=1)
    SamplingRun.objects.update(state=ended)
    assert (probe_runs.take_in(project), probe_runs.take_in(project)) == (2, 0)
    assert set(run.answers.values_list("state", flat=True)) == {state}


def test_what_the_filter_cut_short_is_neither_a_refusal_nor_an_answer(project: Project, rita: User) -> None:
    assert project.policy is not None
    run = start(project, project.policy, by=rita, num_groups=1)
    first = run.answers.select_related("sampling_run")[0]
    Completion.objects.create(run=first.sampling_run, content="I", finish_reason="filtered")
    SamplingRun.objects.filter(id=first.sampling_run_id).update(state="done")
    probe_runs.take_in(project)
    first.refresh_from_db()
    assert first.state == State.FILTERED


def test_a_restarted_run_is_taken_in_after_all(project: Project, rita: User) -> None:
    assert project.policy is not None
    run = start(project, project.policy, by=rita, num_groups=1)
    SamplingRun.objects.update(state="failed")
    probe_runs.take_in(project)
    answers = answer_all(run, lambda answer: answer.text.text)
    assert {answer.state for answer in answers} == {State.READY}


def test_the_same_words_to_the_same_text_are_labelled_once(project: Project, rita: User) -> None:
    assert project.policy is not None
    old, new = (start(project, policy, by=rita, num_groups=1) for policy in (project.policy, make_policy()))
    first = answer_all(old, lambda _: "Which one?")
    second = answer_all(new, lambda answer: "Which one?" if answer.text.variant == "clear" else "The red one.")
    assert [one.state for one in first] == [State.READY, State.READY]  # two texts: never the same
    assert {one.text.variant: one.state for one in second} == {"ambiguous": State.READY, "clear": State.SAME}
    assert next(one for one in second if one.state == State.SAME).same_as in first


def test_another_projects_answers_are_not_taken_for_the_same(project: Project, rita: User) -> None:
    assert project.policy is not None
    answer_all(start(project, project.policy, by=rita, num_groups=1), lambda _: "Which one?")
    elsewhere = start(make_project(), project.policy, by=rita, num_groups=1)
    assert {one.state for one in answer_all(elsewhere, lambda _: "Which one?")} == {State.READY}


@pytest.mark.parametrize("names", [[], ["poetry"], ["guessing", "poetry"]])
def test_it_asks_for_sets_that_there_are(project: Project, rita: User, names: list[str]) -> None:
    assert project.policy is not None
    with pytest.raises(probe_runs.ProbeRunError, match="Choose at least one of the sets"):
        probe_runs.start(project, project.policy, names, by=rita)


def test_a_retired_policy_is_not_asked(project: Project, rita: User) -> None:
    retired = make_policy(state=Policy.State.RETIRED)
    with pytest.raises(probe_runs.ProbeRunError, match="is retired"):
        probe_runs.start(project, retired, ["guessing"], by=rita)
