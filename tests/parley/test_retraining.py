"""`parley retrain` against a real server: the steps in order, the verdict of people, and what stops it.

While it waits, the test does what workers and trainers would: files are built, results recorded, pairs judged.
"""

from pathlib import Path
from typing import Any

import pytest

from labeling import exports
from labeling.models import Evaluation, Export, Project, RewardModel, TrainingJob
from labeling.rounds import evaluations, training_jobs
from parley import Client, ParleyError
from parley.retraining import Retraining, retrain
from tests.labeling.exports.material import make_ranking
from tests.labeling.factories import (
    make_policy,
    make_user,
    make_users,
)
from tests.labeling.rounds.judging import (
    answer_all,
    fill_pool,
    work_through,
)
from tests.labeling.rounds.test_training_jobs import publish, result


@pytest.fixture
def filled(project: Project, store: Path) -> Project:
    """A project with a ranking and prompts, whose policy has files."""
    fill_pool(project)
    make_ranking(project=project, trainer=make_user(projects=[project]))
    return project


class Workers:
    """Does whatever is waiting to be done. Trainers prefer the answers of the policy named `better`."""

    def __init__(self, store: Path, project: Project, *, better: str = "", fails: str = "") -> None:
        self.store, self.project, self.better, self.fails = store, project, better, fails

    def __call__(self, row: dict[str, Any]) -> None:
        for export in Export.objects.filter(state__in=("waiting", "running")):
            exports.build(export.id)
        for job in TrainingJob.objects.filter(state__in=("waiting", "sent", "running")):
            self._train(job)
        evaluation = Evaluation.objects.filter(state="open").first()
        if evaluation is not None:
            answer_all(evaluation)
            for trainer in make_users(num=2, project=self.project):
                work_through(self.project, trainer, better=self.better, most=20)
            evaluations.decide(self.project)

    def _train(self, job: TrainingJob) -> None:
        if job.state == "waiting":
            training_jobs.send_job(job.id)
        job.refresh_from_db()
        if job.kind == self.fails:
            TrainingJob.objects.filter(id=job.id).update(state="failed", error="The GPU caught fire.")
            return
        path = f"{'rewardmodels' if job.kind == 'reward_model' else 'policies'}/{job.output_name}"
        assert training_jobs.record_result(result(job, publish(self.store, path), out_path=path))


def steps(client: Client, plan: Retraining, workers: Workers) -> list[tuple[str, str]]:
    return [(row["step"], row["result"]) for row in retrain(client, plan, on_progress=workers)]


def test_a_policy_that_people_call_better_is_promoted(
    client: Client, filled: Project, store: Path, broker: Any
) -> None:
    plan = Retraining(
        project="ours", num_prompts=40, share=1.0, promotes=True, every=0.0, policy_options={"updates": 3}
    )
    told = steps(client, plan, Workers(store, filled, better="ours-1-ppo"))
    assert [step for step, _ in told] == [
        "export", "export", "reward model", "ppo", "ask people", "verdict", "promote",
    ]  # fmt: skip
    assert told[0] == ("export", "1 records")
    assert told[-2:] == [("verdict", "better"), ("promote", "round 2")]
    ppo = TrainingJob.objects.get(kind="ppo")
    assert (ppo.options["updates"], ppo.reward_model) == (3, RewardModel.objects.get())
    filled.refresh_from_db()
    assert filled.policy == ppo.policy_made
    assert filled.promotions.get().has_peoples_word


def test_a_policy_that_people_call_worse_stays_a_candidate(
    client: Client, filled: Project, store: Path, broker: Any
) -> None:
    before = filled.policy
    assert before is not None
    plan = Retraining(project="ours", num_prompts=40, share=1.0, promotes=True, every=0.0)
    assert steps(client, plan, Workers(store, filled, better=before.name))[-1] == ("verdict", "worse")
    filled.refresh_from_db()
    assert filled.policy == before


@pytest.mark.parametrize(
    ("by", "told"),
    [("dpo", ["export", "dpo"]), ("rejection_sampling", ["export", "export", "reward model", "rejection sampling"])],
)
def test_a_policy_is_made_by_another_way(
    client: Client, filled: Project, store: Path, broker: Any, by: str, told: list[str]
) -> None:
    plan = Retraining(project="ours", by=by, policy_options={"epochs": 1}, asks_people=False, every=0.0)
    assert [step for step, _ in steps(client, plan, Workers(store, filled))] == told
    job = TrainingJob.objects.get(kind=by)
    assert (job.reward_model is None, job.options["epochs"]) == (by == "dpo", 1)
    with pytest.raises(ParleyError, match=r"sft: makes no policy\. Choose one of ppo, rloo, dpo"):
        steps(client, Retraining(project="ours", by="sft", every=0.0), Workers(store, filled))


def test_nobody_is_asked_where_that_is_wanted(client: Client, filled: Project, store: Path, broker: Any) -> None:
    plan = Retraining(project="ours", asks_people=False, every=0.0)
    assert [step for step, _ in steps(client, plan, Workers(store, filled))][-1] == "ppo"
    assert not Evaluation.objects.exists()


def test_a_step_that_fails_ends_it_and_what_was_made_stays(
    client: Client, filled: Project, store: Path, broker: Any
) -> None:
    with pytest.raises(ParleyError, match="The GPU caught fire"):
        steps(client, Retraining(project="ours", every=0.0), Workers(store, filled, fails="ppo"))
    assert RewardModel.objects.count() == 1


def test_what_is_not_there_is_named_before_anything_is_built(client: Client, project: Project) -> None:
    with pytest.raises(ParleyError, match="no project “theirs”"):
        list(retrain(client, Retraining(project="theirs")))
    with pytest.raises(ParleyError, match="no policy “gone”"):
        list(retrain(client, Retraining(project="ours", policy="gone")))
    make_policy(name="start")
    assert not Export.objects.exists()
