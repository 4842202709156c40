"""From a model back to every export, from an export forward to every model, and whether a row is in an export."""

import uuid
from typing import Any

import pytest

from labeling.exports import lineage
from labeling.exports.lineage import Registry
from labeling.exports.lookup import holds
from labeling.models import Export, Policy, Project, RewardModel, TrainingJob
from tests.labeling.exports.material import exported, make_ranking
from tests.labeling.factories import make_policy, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(policy=make_policy(name="base"))


def trained(project: Project, kind: str, name: str, export: Export, **given: Any) -> Policy | RewardModel:
    """A model as a job that ended well leaves it."""
    job = TrainingJob.objects.create(
        project=project, kind=kind, output_name=name, export=export, state=TrainingJob.State.DONE, **given
    )
    made = {"name": name, "store_path": f"models/{name}", "manifest_sha256": "0" * 64, "training_job": job}
    if kind == "reward_model":
        return RewardModel.objects.create(export=export, **made)
    return Policy.objects.create(parent=given["policy"], **made)


class Loop:
    """One round: base → sft on demonstrations; reward model from sft on rankings; PPO from both on prompts."""

    def __init__(self, project: Project, name: str = "one", start: Policy | None = None) -> None:
        assert project.policy is not None
        self.start = start or project.policy
        self.demonstrations = exported(project, "demonstrations")
        self.rankings = exported(project, "rankings")
        self.prompts = exported(project, "prompts")
        self.sft = trained(project, "sft", f"{name}-sft", self.demonstrations, policy=self.start)
        self.reward = trained(project, "reward_model", f"{name}-rm", self.rankings, policy=self.sft)
        self.policy = trained(project, "ppo", f"{name}-ppo", self.prompts, policy=self.sft, reward_model=self.reward)


def test_back_from_a_policy_to_every_export(project: Project) -> None:
    loop = Loop(project)
    assert lineage.exports_behind(loop.policy) == [loop.prompts, loop.demonstrations, loop.rankings]


def test_the_whole_way_back_is_one_tree(project: Project) -> None:
    first = Loop(project)
    assert isinstance(first.policy, Policy)
    second = Loop(project, "two", start=first.policy)
    names = [origin.model.name for origin in Registry().origin_of(second.policy).walk()]
    assert names == ["two-ppo", "two-sft", "two-rm", "one-ppo", "one-sft", "one-rm", "base"]


def test_forward_from_an_export_to_every_model(project: Project) -> None:
    first = Loop(project)
    assert isinstance(first.policy, Policy)
    second = Loop(project, "two", start=first.policy)
    found = [model.name for model in Registry().models_after(first.rankings)]
    assert found == ["one-rm", "one-ppo", "two-sft", "two-rm", "two-ppo"]
    assert [model.name for model in Registry().models_after(second.rankings)] == ["two-rm", "two-ppo"]


def test_demonstrations_that_were_mixed_in_lead_to_a_model_too(project: Project) -> None:
    rankings, mixed_in = exported(project, "rankings"), exported(project, "demonstrations")
    assert project.policy is not None
    model = trained(project, "reward_model", "rm", rankings, policy=project.policy, demonstrations=mixed_in)
    assert lineage.exports_behind(model) == [rankings, mixed_in]
    assert Registry().models_after(mixed_in) == [model]


def test_a_reward_model_that_only_watched_is_behind_the_policy(project: Project) -> None:
    loop = Loop(project)
    held_out = exported(project, "rankings")
    watching = trained(project, "reward_model", "watching", held_out, policy=loop.sft)
    policy = trained(
        project, "ppo", "ppo", loop.prompts, policy=loop.sft, reward_model=loop.reward, watching_model=watching
    )
    assert held_out in lineage.exports_behind(policy)
    assert policy in Registry().models_after(held_out)


@pytest.mark.parametrize(("kind", "learns_from"), [("dpo", "rankings"), ("kto", "thumbs")])
def test_a_policy_without_a_reward_model_leads_to_what_people_said(
    project: Project, kind: str, learns_from: str
) -> None:
    loop = Loop(project)
    said = exported(project, learns_from)
    policy = trained(project, kind, "direct", said, policy=loop.sft)
    assert lineage.exports_behind(policy) == [said, loop.demonstrations]
    assert Registry().models_after(said) == [policy]


def test_every_reward_model_of_an_ensemble_is_behind_the_policy(project: Project) -> None:
    loop = Loop(project)
    rankings = exported(project, "rankings")
    second = trained(project, "reward_model", "second", rankings, policy=loop.sft)
    policy = trained(project, "rloo", "rloo", loop.prompts, policy=loop.sft, reward_model=loop.reward)
    assert policy not in Registry().models_after(rankings)
    assert policy.training_job is not None
    assert isinstance(second, RewardModel)
    policy.training_job.ensemble_models.add(second)
    assert lineage.exports_behind(policy) == [loop.prompts, loop.demonstrations, loop.rankings, rankings]
    assert Registry().models_after(rankings) == [second, policy]


def test_a_policy_that_was_registered_by_hand_leads_to_its_parent(project: Project) -> None:
    loop = Loop(project)
    assert isinstance(loop.policy, Policy)
    merged = make_policy(name="merged", parent=loop.policy)
    assert lineage.exports_behind(merged) == lineage.exports_behind(loop.policy)
    assert merged in Registry().models_after(loop.rankings)


def test_every_row_of_an_export_is_found_in_it_and_no_other(project: Project) -> None:
    inside = [make_ranking(project=project) for _ in range(40)]
    inside += [make_ranking(project=project, comparison=inside[7].comparison)]
    export = exported(project)
    outside = [make_ranking(project=project) for _ in range(20)]
    outside += [make_ranking(project=project, comparison=inside[7].comparison)]
    assert all(holds(export, ranking) for ranking in inside)
    assert not any(holds(export, ranking) for ranking in outside)


def test_an_export_whose_files_are_gone_holds_nothing(project: Project) -> None:
    ranking = make_ranking(project=project)
    export = exported(project)
    assert holds(export, ranking)
    export.store_path = f"exports/{uuid.uuid4()}"
    assert not holds(export, ranking)


def test_the_registry_asks_a_fixed_number_of_times(project: Project, django_assert_num_queries: Any) -> None:
    first = Loop(project)
    assert isinstance(first.policy, Policy)
    Loop(project, "two", start=first.policy)
    with django_assert_num_queries(4):
        registry = Registry()
        models = [*registry.policies, *registry.reward_models]
        assert len(models) == 7
        for model in models:
            assert list(registry.origin_of(model).walk())
            registry.models_after(model)
