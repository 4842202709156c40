"""Who may open what. A row that is missing and a row that is somebody else's look the same."""

import asyncio
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from labeling.models import (
    Completion,
    Dialogue,
    Evaluation,
    Export,
    Lease,
    PracticeRanking,
    Project,
    TrainingJob,
    User,
    Webhook,
)
from labeling.web import access
from labeling.web.permissions import model_access
from tests.labeling.exports.material import make_ranking
from tests.labeling.factories import (
    CAST,
    make_comparison,
    make_dialogue,
    make_policy,
    make_project,
    make_prompt,
    make_reference,
    make_run,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(slug="ours")


@pytest.fixture
def cast(project: Project) -> dict[str, User]:
    """Everybody in the project but Charlie; Adam needs no membership."""
    members = {"alice", "bob", "rita", "erin"}
    return {name: make_user(username=name, projects=[project] if name in members else []) for name in CAST}


def asked_by(user: User | AnonymousUser) -> HttpRequest:
    request = RequestFactory().get("/somewhere/?page=2")
    request.user = user

    async def auser() -> Any:
        return user

    request.auser = auser
    return request


def may(call: Any, *args: Any, **kwargs: Any) -> bool:
    try:
        call(*args, **kwargs)
    except Http404:
        return False
    return True


def allowed(cast: dict[str, User], call: Any, *args: Any, **kwargs: Any) -> set[str]:
    return {name for name, user in cast.items() if may(call, asked_by(user), *args, **kwargs)}


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("the page")


def test_a_public_page_asks_nobody() -> None:
    view: Any = access.public(page)
    assert view(asked_by(AnonymousUser())).content == b"the page"
    assert (view.access, view.login_required) == ("public", False)


def test_a_visitor_is_sent_to_sign_in_and_back() -> None:
    for view in (access.signed_in(page), access.role_required(User.Role.ADMIN)(page)):
        response = view(asked_by(AnonymousUser()))
        assert response.status_code == 302
        assert "next=/somewhere/%3Fpage%3D2" in response["Location"]


def test_a_role_opens_its_pages_and_no_others(cast: dict[str, User]) -> None:
    view: Any = access.role_required(User.Role.REVIEWER, User.Role.ADMIN)(page)
    assert view.access == ("admin", "reviewer")
    assert cast.keys() >= {"alice", "rita", "adam", "erin"}
    for name, user in cast.items():
        if name in ("rita", "adam"):
            assert view(asked_by(user)).content == b"the page"
        else:
            with pytest.raises(PermissionDenied):
                view(asked_by(user))


def test_an_asynchronous_view_is_guarded_alike(cast: dict[str, User]) -> None:
    async def stream(request: HttpRequest) -> HttpResponse:
        return HttpResponse("the stream")

    view: Any = access.role_required(User.Role.TRAINER)(stream)
    assert asyncio.iscoroutinefunction(view)
    assert asyncio.run(view(asked_by(cast["alice"]))).content == b"the stream"
    assert asyncio.run(view(asked_by(AnonymousUser()))).status_code == 302
    with pytest.raises(PermissionDenied):
        asyncio.run(view(asked_by(cast["erin"])))


def test_a_guard_without_a_role_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one role"):
        access.role_required()


def test_a_project_opens_for_its_members_and_admins(project: Project, cast: dict[str, User]) -> None:
    assert allowed(cast, access.project_for, "ours") == {"alice", "bob", "rita", "erin", "adam"}
    assert allowed(cast, access.project_for, "missing") == set()
    assert not may(access.project_for, asked_by(AnonymousUser()), "ours")


@pytest.mark.parametrize(
    ("state", "readers"),
    [
        ("draft", {"alice"}),
        ("submitted", {"alice", "rita", "adam"}),
        ("returned", {"alice", "rita", "adam"}),
        ("withdrawn", set()),
    ],
)
def test_a_dialogue_is_its_authors_until_it_is_handed_in(
    project: Project, cast: dict[str, User], state: str, readers: set[str]
) -> None:
    dialogue = make_dialogue(project=project, author=cast["alice"], state=state)
    assert allowed(cast, access.readable_dialogue, dialogue.id, slug="ours") == readers
    assert allowed(cast, access.own_dialogue, dialogue.id, slug="ours") == readers & {"alice"}
    assert allowed(cast, access.own_dialogue, uuid.uuid4(), slug="ours") == set()


def test_who_leaves_a_project_leaves_their_dialogues_behind(project: Project, cast: dict[str, User]) -> None:
    dialogue = make_dialogue(project=project, author=cast["alice"])
    project.memberships.filter(user=cast["alice"]).delete()
    assert not may(access.own_dialogue, asked_by(cast["alice"]), dialogue.id, slug="ours")


def test_a_dialogue_is_not_found_under_another_project(project: Project, cast: dict[str, User]) -> None:
    make_project(slug="theirs").memberships.create(user=cast["alice"])
    dialogue = make_dialogue(project=project, author=cast["alice"])
    assert not may(access.own_dialogue, asked_by(cast["alice"]), dialogue.id, slug="theirs")
    assert Dialogue.objects.filter(id=dialogue.id).exists()


def test_a_lease_and_a_run_are_of_one_person(project: Project, cast: dict[str, User]) -> None:
    comparison = make_comparison(project=project)
    lease = Lease.objects.create(
        comparison=comparison, trainer=cast["alice"], shown_order=[], expires_at="2100-01-01T00:00Z"
    )
    run = make_run(project=project, requested_by=cast["alice"])
    assert allowed(cast, access.own_lease, lease.id, slug="ours") == {"alice"}
    make_project(slug="theirs").memberships.create(user=cast["alice"])
    assert not may(access.own_lease, asked_by(cast["alice"]), lease.id, slug="theirs")
    assert allowed(cast, access.own_run, run.id) == {"alice"}
    completion = comparison.completions.first()
    assert completion is not None
    assert access.completion_of(lease, completion.id) == completion
    foreign = make_comparison(project=project).completions.first()
    assert foreign is not None
    assert not may(access.completion_of, lease, foreign.id)


def test_a_ranking_is_mended_by_its_trainer_alone(cast: dict[str, User], project: Project) -> None:
    ranking = make_ranking(project=project, trainer=cast["alice"])
    assert allowed(cast, access.own_ranking, ranking.id, slug="ours") == {"alice"}
    make_project(slug="theirs").memberships.create(user=cast["alice"])
    assert not may(access.own_ranking, asked_by(cast["alice"]), ranking.id, slug="theirs")
    project.memberships.filter(user=cast["alice"]).delete()
    assert not may(access.own_ranking, asked_by(cast["alice"]), ranking.id, slug="ours")


def test_a_withdrawn_dialogue_is_found_by_its_author_alone(cast: dict[str, User], project: Project) -> None:
    dialogue, kept = (make_dialogue(project=project, author=cast["alice"], state=one) for one in ("withdrawn", "draft"))
    assert allowed(cast, access.own_withdrawn_dialogue, dialogue.pk, slug="ours") == {"alice"}
    assert allowed(cast, access.own_withdrawn_dialogue, kept.pk, slug="ours") == set()


def test_exports_and_training_jobs_are_for_engineers_and_admins(project: Project, cast: dict[str, User]) -> None:
    export = Export.objects.create(project=project, kind=Export.Kind.RANKINGS)
    job = TrainingJob.objects.create(
        project=project, kind=TrainingJob.Kind.REWARD_MODEL, output_name="rm-1", export=export
    )
    assert allowed(cast, access.export_for, export.id, slug="ours") == {"erin", "adam"}
    assert allowed(cast, access.training_job_for, job.id, slug="ours") == {"erin", "adam"}
    evaluation = Evaluation.objects.create(
        project=project, baseline=make_policy(), seed=1, num_prompts=20, error=0.04, first_look=20, look_every=20
    )
    assert allowed(cast, access.evaluation_for, evaluation.id, slug="ours") == {"erin", "adam"}
    make_project(slug="theirs").memberships.create(user=cast["erin"])
    assert not may(access.evaluation_for, asked_by(cast["erin"]), evaluation.id, slug="theirs")
    stranger = make_user(role=User.Role.ENGINEER)
    assert not may(access.export_for, asked_by(stranger), export.id, slug="ours")
    assert not may(access.evaluation_for, asked_by(stranger), evaluation.id, slug="ours")


def test_rankings_of_work_are_listed_until_they_are_taken_back(project: Project, cast: dict[str, User]) -> None:
    alices = make_ranking(project=project, trainer=cast["alice"])
    bobs = make_ranking(project=project, trainer=cast["bob"])
    make_ranking(project=project, trainer=cast["alice"], retracted_at=timezone.now())
    gold = make_comparison(project=project, use="gold", open_slots=0)
    of_gold = make_ranking(project=project, comparison=gold, trainer=cast["alice"])
    make_ranking(project=make_project(), trainer=cast["alice"])
    listed = {name: set(access.rankings_for(asked_by(cast[name]), project)) for name in ("alice", "bob", "erin")}
    assert listed == {"alice": {alices, of_gold}, "bob": {bobs}, "erin": {alices, bobs}}


@pytest.mark.parametrize(
    ("state", "readers"),
    [
        ("draft", {"alice"}),
        ("submitted", {"alice", "rita", "adam"}),
        ("accepted", {"alice", "rita", "adam", "erin"}),
        ("withdrawn", set()),
    ],
)
def test_dialogues_are_listed_for_those_who_may_read_or_export_them(
    project: Project, cast: dict[str, User], state: str, readers: set[str]
) -> None:
    make_dialogue(project=project, author=cast["alice"], state=state)
    listing = {name for name, user in cast.items() if access.dialogues_for(asked_by(user), project).exists()}
    assert listing == readers


def test_who_leaves_a_project_leaves_its_queue_and_its_runs(project: Project, cast: dict[str, User]) -> None:
    alice = cast["alice"]
    comparison = make_comparison(project=project)
    lease = Lease.objects.create(comparison=comparison, trainer=alice, shown_order=[], expires_at="2100-01-01T00:00Z")
    run = make_run(project=project, requested_by=alice)
    project.memberships.filter(user=alice).delete()
    assert not may(access.own_lease, asked_by(alice), lease.id, slug="ours")
    assert not may(access.own_run, asked_by(alice), run.id)


def test_what_belongs_to_another_dialogue_is_not_found_in_this_one(project: Project, cast: dict[str, User]) -> None:
    here, there = (make_dialogue(project=project, author=cast["alice"]) for _ in range(2))
    for dialogue, is_found in ((here, True), (there, False)):
        message = dialogue.messages.get(position=0)
        run = make_run(project=project, dialogue=dialogue)
        suggested = Completion.objects.create(run=run, content="Paris.")
        assert may(access.message_of, here, message.id) == is_found
        assert may(access.suggestion_for, here, suggested.id) == is_found


def test_what_belongs_to_another_project_is_not_found_in_this_one(project: Project, cast: dict[str, User]) -> None:
    theirs = make_project(slug="theirs")
    theirs.memberships.create(user=cast["erin"])
    erin, alice = asked_by(cast["erin"]), cast["alice"]
    theirs.memberships.create(user=alice)
    webhooks = {
        one.slug: Webhook.objects.create(project=one, url="https://example.org/", events=[])
        for one in (project, theirs)
    }
    for owner, is_found in ((project, True), (theirs, False)):
        assert may(access.prompt_of, project, make_prompt(project=owner).id) == is_found
        assert may(access.webhook_for, erin, webhooks[owner.slug].id, slug="ours") == is_found
        known = make_reference(project=owner, use="practice")
        assert may(access.reference_of, project, known.comparison_id) == is_found
        practised = PracticeRanking.objects.create(
            comparison=known.comparison, trainer=alice, submission_key=uuid.uuid4(), tiers=[], shown_order=[]
        )
        assert may(access.own_practice, asked_by(alice), practised.id, slug="ours") == is_found
        assert not may(access.own_practice, asked_by(cast["bob"]), practised.id, slug="ours")


def test_the_registry_of_policies_is_for_those_who_train_models(project: Project, cast: dict[str, User]) -> None:
    assert allowed(cast, model_access.policy_for, project.policy_id, project=project) == {"erin", "adam"}
    assert allowed(cast, model_access.policies_for) == {"erin", "adam"}
