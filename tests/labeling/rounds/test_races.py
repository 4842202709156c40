"""Two who open a round, or end a job, at once: the second waits, and sees what the first has done."""

from pathlib import Path

import pytest

from labeling.models import AuditEvent, Lease, Policy, Project, Promotion, Round, TrainingJob
from labeling.rankings import assignment
from labeling.rounds import evaluations, promotion, training_jobs
from labeling.rounds.errors import RoundError
from tests.labeling.factories import (
    make_policy,
    make_project,
    make_served_policy,
    make_user,
)
from tests.labeling.overlapping import overlap
from tests.labeling.rounds.judging import (
    answer_all,
    fill_pool,
    work_through,
)
from tests.labeling.rounds.test_training_jobs import publish, result, started

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker")]


@pytest.fixture
def project(store: Path) -> Project:
    return make_project(policy=make_policy(name="start"))


def test_of_two_who_start_a_round_at_once_the_second_is_told_that_one_is_open(project: Project) -> None:
    project.rounds.update(closed_at="2100-01-01T00:00Z")

    def start() -> Round:
        return promotion.start_round(Project.objects.get(id=project.id), policy=None, by=None)

    with pytest.raises(RoundError, match="A round is open already"):
        overlap(start, start)
    assert project.rounds.filter(closed_at=None).count() == 1


def test_a_policy_that_two_people_promote_at_once_opens_one_round(project: Project) -> None:
    served = make_served_policy()

    def promote() -> Promotion:
        policy = Policy.objects.get(id=served.id)
        return promotion.promote(policy, project=Project.objects.get(id=project.id), by=None, reason="Tried.")

    with pytest.raises(RoundError, match="policy already"):
        overlap(promote, promote)
    assert sorted(project.rounds.values_list("number", flat=True)) == [1, 2]


def test_a_job_whose_result_is_just_being_recorded_is_not_cancelled_any_more(project: Project, store: Path) -> None:
    job = started(project)  # it is sent when it is committed
    job.refresh_from_db()
    done = result(job, publish(store, "policies/better"))
    assert not overlap(
        lambda: training_jobs.record_result(done),
        lambda: training_jobs.cancel_job(TrainingJob.objects.get(id=job.id), by=None),
    )
    job.refresh_from_db()
    assert job.state == TrainingJob.State.DONE
    assert not AuditEvent.objects.filter(verb="cancel training").exists()


def test_the_last_place_of_a_pair_goes_to_one_of_two_trainers_who_ask_at_once(project: Project) -> None:
    fill_pool(project)
    evaluation = evaluations.begin(project, [make_served_policy(name="newer")], by=None, num_prompts=20, share=1.0)
    answer_all(evaluation, most=1)
    alice, bob = make_user(projects=[project]), make_user(projects=[project])
    others = overlap(lambda: assignment.claim(project, by=alice), lambda: assignment.claim(project, by=bob))
    assert isinstance(others, assignment.Nothing)
    pair = Lease.objects.get(trainer=alice).comparison
    assert (pair.evaluation, pair.open_slots) == (evaluation, 0)


def test_a_verdict_is_taken_once_though_two_look_at_once(project: Project) -> None:
    fill_pool(project)
    evaluation = evaluations.begin(project, [make_served_policy(name="newer")], by=None, num_prompts=20, share=1.0)
    answer_all(evaluation)
    work_through(project, make_user(projects=[project]), better="newer")
    assert overlap(lambda: evaluations.decide(project), lambda: evaluations.decide(project)) == 0
    assert AuditEvent.objects.filter(verb="decide on policy").count() == 1
