"""The registry: every model with where it comes from."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import Export, Policy, Project, RewardModel, TrainingJob, User
from tests.labeling.factories import make_policy, make_project, make_user
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky", name="Sky", policy=make_policy(name="base"))


def make_trained(project: Project, *, name: str = "judge") -> RewardModel:
    export = Export.objects.create(
        project=project, kind="rankings", state=Export.State.DONE, num_records=1234, manifest_sha256="ab" * 32
    )
    job = TrainingJob.objects.create(
        project=project, kind="reward_model", output_name=name, export=export, policy=project.policy,
        state=TrainingJob.State.DONE,
    )  # fmt: skip
    return RewardModel.objects.create(
        name=name, store_path=f"rewardmodels/{name}", manifest_sha256="0" * 64, export=export, training_job=job,
        metrics={"accuracy": 0.684, "loss": 0.5912345},
    )  # fmt: skip


def test_the_list_shows_what_each_was_made_from(project: Project, erins_browser: Client) -> None:
    make_trained(project)
    content = erins_browser.get(reverse("models")).content.decode()
    assert "1,234 rankings" in content
    assert "0.684" in content
    assert reverse("rounds", args=("sky",)) in content


def test_a_model_shows_the_whole_way_back_and_forward(project: Project, erins_browser: Client) -> None:
    judge = make_trained(project)
    content = erins_browser.get(reverse("model", args=(judge.id,))).content.decode()
    assert judge.export is not None
    assert reverse("export", args=("sky", judge.export.id)) in content
    assert "abababababab…" in content
    assert "0.591" in content
    base = Policy.objects.get(name="base")
    assert reverse("model", args=(base.id,)) in content
    assert "What was made of it" in erins_browser.get(reverse("model", args=(base.id,))).content.decode()


def test_an_export_of_a_project_one_does_not_work_in_is_no_link(project: Project) -> None:
    judge = make_trained(project)
    stranger = as_user(make_user(role=User.Role.ENGINEER))
    content = stranger.get(reverse("model", args=(judge.id,))).content.decode()
    assert judge.export is not None
    assert "1,234 rankings" in content
    assert str(judge.export.id) not in content


def test_trainers_do_not_see_it_and_what_is_not_there_is_missing(project: Project, erins_browser: Client) -> None:
    assert as_user(make_user(projects=[project])).get(reverse("models")).status_code == 403
    assert erins_browser.get(reverse("model", args=("00000000-0000-4000-8000-000000000000",))).status_code == 404


def test_queries_do_not_grow_with_the_models(
    project: Project, erins_browser: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        make_trained(project, name=f"judge-{number}")
        make_policy()
    with django_assert_max_num_queries(12):
        assert erins_browser.get(reverse("models")).status_code == 200
