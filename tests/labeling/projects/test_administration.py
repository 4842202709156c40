"""Changes of a project and its people: what they touch beside it, what they leave, and two of them at once."""

import pytest

from labeling.models import AuditEvent, GuidelineVersion, Project, User
from labeling.projects import administration
from tests.labeling.factories import make_policy, make_user
from tests.labeling.overlapping import overlap

pytestmark = pytest.mark.django_db


@pytest.fixture
def adam() -> User:
    return make_user(username="adam")


def test_a_projects_first_policy_is_also_its_open_rounds_and_a_later_one_is_not(adam: User) -> None:
    project = administration.begin_project(name="Sky", description="", guidelines="Be kind.", by=adam)
    first = make_policy()
    administration.change_project(project, values={"policy": first}, by=adam)
    assert project.rounds.get().policy == first
    administration.change_project(project, values={"policy": make_policy()}, by=adam)
    assert project.rounds.get().policy == first, "its completions are the first policy's"


def test_a_change_names_what_was_before(project: Project, adam: User) -> None:
    administration.change_project(project, values={"rankings_wanted": 3, "name": project.name}, by=adam)
    event = AuditEvent.objects.get(verb="change project", by=adam)
    assert event.detail == {"changes": {"rankings_wanted": ["1", "3"]}}


def test_what_was_read_stays_read(project: Project, alice: User) -> None:
    assert administration.mark_guidelines_read(project, version=2, by=alice) == 0
    assert administration.mark_guidelines_read(project, version=1, by=alice) == 2
    assert project.memberships.get(user=alice).guidelines_read == 2


def test_exactly_those_who_were_chosen_are_members(project: Project, alice: User, bob: User, adam: User) -> None:
    zoe = make_user(username="zoe")
    administration.choose_members(project, members=[bob, zoe], by=adam)
    assert set(project.memberships.values_list("user", flat=True)) == {bob.id, zoe.id}
    event = AuditEvent.objects.get(verb="choose members", by=adam)
    assert event.detail == {"came": [str(zoe.id)], "left": [str(alice.id)]}


@pytest.mark.django_db(transaction=True)
def test_guidelines_that_two_people_publish_at_once_are_two_versions(project: Project, adam: User) -> None:
    overlap(
        lambda: administration.publish_guidelines(project, text="Be brief.", by=adam),
        lambda: administration.publish_guidelines(Project.objects.get(id=project.id), text="Be kind.", by=adam),
    )
    versions = GuidelineVersion.objects.filter(project=project).order_by("version")
    assert list(versions.values_list("version", "text"))[1:] == [(2, "Be brief."), (3, "Be kind.")]


@pytest.mark.django_db(transaction=True)
def test_a_person_whom_two_admins_choose_at_once_is_a_member_once(project: Project, adam: User) -> None:
    zoe = make_user(username="zoe")

    def choose() -> None:
        administration.choose_members(project, members=[zoe], by=adam)

    overlap(choose, choose)
    assert [membership.user for membership in project.memberships.all()] == [zoe]
