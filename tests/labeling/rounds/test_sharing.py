"""Whose models are: a project's own, the platform's, and those that an admin shares. Others find none of them."""

import re
import uuid
from typing import Any

import pytest
from django.urls import URLPattern, get_resolver, reverse

from labeling.models import AuditEvent, Export, ModelShare, Policy, Project, RewardModel, Round, TrainingJob, User
from labeling.rounds import evaluations, promotion, training_jobs
from labeling.rounds.errors import RoundError
from labeling.rounds.evaluation_forms import EvaluationForm
from labeling.rounds.forms import TRAINING_FORMS
from labeling.rounds.training_inputs import JobError
from labeling.sampling import sharing
from tests.labeling.api.api_client import Program
from tests.labeling.factories import make_policy, make_project, make_user
from tests.labeling.rounds.views.test_rounds import make_job
from tests.labeling.signed_in import as_user, page_of

pytestmark = pytest.mark.django_db
SECRET = "secretive"  # in the name of everything of the other project's


@pytest.fixture
def adam() -> User:
    return make_user(username="adam", role="admin")


@pytest.fixture
def theirs() -> Project:
    return make_project(slug=f"{SECRET}-project")


@pytest.fixture
def policy(theirs: Project) -> Policy:
    job = make_job(theirs, kind="ppo", state=TrainingJob.State.DONE, output_name=f"{SECRET}-policy")
    return make_policy(name=f"{SECRET}-policy", project=theirs, training_job=job, parent=theirs.policy)


@pytest.fixture
def reward_model(theirs: Project) -> RewardModel:
    return RewardModel.objects.create(
        name=f"{SECRET}-rm", project=theirs, store_path="rewardmodels/x", manifest_sha256="0" * 64
    )


def addresses_with(values: dict[str, Any]) -> list[str]:
    """Every address of the platform that takes nothing but these values, filled in."""
    found = []
    for pattern in get_resolver().url_patterns:
        if not isinstance(pattern, URLPattern) or not pattern.name:
            continue
        wanted = set(re.findall(r"<(?:\w+:)?(\w+)>", str(pattern.pattern)))
        if wanted <= set(values):
            found.append(reverse(pattern.name, kwargs={name: values[name] for name in wanted}))
    return found


def read(answer: Any) -> str:
    return "" if answer.streaming else answer.content.decode(errors="replace")


def test_no_address_names_a_model_of_another_project(
    project: Project, erin: User, theirs: Project, policy: Policy, reward_model: RewardModel
) -> None:
    browser, walked = as_user(erin), []
    for model in (policy, reward_model):
        values = {"slug": project.slug, "policy_id": model.pk, "model_id": model.pk}
        for url in addresses_with(values):
            answer = browser.get(url)
            assert answer.status_code < 500, url
            assert SECRET not in read(answer), url
            if str(model.pk) in url:
                assert answer.status_code in (401, 403, 404, 405), url
            walked.append(url)
    assert len(walked) > 100
    for url in (
        reverse("models"),
        reverse("rounds", args=(project.slug,)),
        reverse("evaluations", args=(project.slug,)),
    ):
        assert url in walked


def test_no_address_of_the_api_names_it_either(
    project: Project, erin: User, theirs: Project, policy: Policy, reward_model: RewardModel
) -> None:
    program = Program(erin)
    for path in ("policies", "reward-models", f"projects/{project.slug}/jobs", f"projects/{project.slug}/evaluations"):
        answer = program.get(path)
        assert answer.status_code == 200
        assert SECRET not in answer.content.decode()
    assert program.get(f"policies/{policy.pk}").status_code == 404
    begun = program.post(f"projects/{project.slug}/evaluations", {"policy_ids": [str(policy.pk)]})
    assert begun.status_code == 422
    promoted = program.post(f"projects/{project.slug}/promote", {"policy_id": str(policy.pk), "reason": "mine now"})
    assert promoted.status_code == 404


def test_no_form_offers_it_and_no_step_takes_it(
    project: Project, erin: User, policy: Policy, reward_model: RewardModel
) -> None:
    offered = EvaluationForm(project=project)["candidates"]
    assert SECRET not in str(offered)
    for form in TRAINING_FORMS.values():
        assert SECRET not in str(form(project=project))
    for refused in (
        lambda: promotion.promote(policy, project=project, by=erin, reason="mine now"),
        lambda: evaluations.begin(project, [policy], by=erin),
    ):
        with pytest.raises(RoundError, match="belongs to another project"):
            refused()
    export = Export.objects.create(project=project, kind="demonstrations", state="done", num_records=9)
    with pytest.raises(JobError, match="belongs to another project"):
        training_jobs.start_job(project, kind="sft", export=export, output_name="x", by=erin, policy=policy)


def test_an_admin_shares_it_and_takes_it_back(
    project: Project, erin: User, adam: User, policy: Policy, reward_model: RewardModel
) -> None:
    browser, engineer = as_user(adam), as_user(erin)
    for model in (policy, reward_model):
        browser.post(reverse("share_model", args=(model.pk,)), {"project": project.slug})
        page = page_of(engineer, reverse("model", args=(model.pk,)))
        assert model.name in page
        assert f"{SECRET}-project" not in page  # whose it is stays theirs
        assert engineer.get(reverse("download_model", args=(model.pk,))).status_code == 404
    assert SECRET in str(EvaluationForm(project=project)["candidates"])
    assert engineer.post(reverse("share_model", args=(policy.pk,)), {"project": project.slug}).status_code == 403
    for model in (policy, reward_model):
        browser.post(reverse("revoke_share", args=(model.pk, project.slug)))
        assert engineer.get(reverse("model", args=(model.pk,))).status_code == 404
    verbs = AuditEvent.objects.filter(by=adam, verb__in=("share model", "revoke share")).values_list("verb", flat=True)
    assert sorted(verbs) == ["revoke share"] * 2 + ["share model"] * 2
    assert ModelShare.objects.filter(revoked_at=None).count() == 0
    assert ModelShare.objects.count() == 2  # who had it, and until when, is known


def test_what_a_project_answers_with_is_not_taken_from_under_it(project: Project, adam: User, policy: Policy) -> None:
    sharing.share(policy, with_project=project, by=adam)
    Project.objects.filter(pk=project.pk).update(policy=policy)
    project.refresh_from_db()
    with pytest.raises(sharing.SharingError, match="samples from it"):
        sharing.revoke(policy, project=project, by=adam)
    assert sharing.is_open_to(policy, project)
    with pytest.raises(sharing.SharingError, match="already"):
        sharing.share(policy, with_project=project, by=adam)


def test_the_platforms_own_are_everybodys(project: Project, erin: User) -> None:
    bundled = make_policy(name="bundled-one")
    assert "bundled-one" in page_of(as_user(erin), reverse("models"))
    assert sharing.is_open_to(bundled, project)
    assert "every project may use it" in page_of(as_user(erin), reverse("model", args=(bundled.pk,)))


def test_what_other_projects_used_before_is_shared_with_them(project: Project, policy: Policy) -> None:
    """The data of migration 0043, run again over rows of before it."""
    from importlib import import_module

    from django.db import connection

    migration = import_module("labeling.migrations.0043_models_of_those_who_trained_them")
    Policy.objects.filter(pk=policy.pk).update(project=None)
    Round.objects.filter(project=project).update(policy=policy)
    with connection.cursor() as cursor:
        cursor.execute(migration.OWNERS)
        cursor.execute(migration.USES)
    policy.refresh_from_db()
    assert policy.project == policy.training_job.project
    assert [(one.project, one.by) for one in ModelShare.objects.filter(policy=policy)] == [(project, None)]
    assert not sharing.is_open_to(policy, make_project(slug=uuid.uuid4().hex))
