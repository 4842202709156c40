"""One round at a time: who opens it, what promoting a policy closes and begins."""

from pathlib import Path

import pytest

from labeling.models import AuditEvent, Policy, Project, User
from labeling.rounds.errors import RoundError
from labeling.rounds.promotion import promote, start_round
from labeling.sampling.policies import register_policy
from records import publish_directory
from tests.labeling.factories import make_policy, make_project, make_served_policy

pytestmark = pytest.mark.django_db

REASON = "It was tried by hand."


@pytest.fixture
def project(store: Path) -> Project:
    return make_project()


def publish(store: Path, name: str, content: str = "{}") -> Policy:
    staging = store / f"staging-{name}"
    staging.mkdir()
    (staging / "config.json").write_text(content)
    publish_directory(staging, store / "policies" / name)
    return register_policy(f"policies/{name}")


def test_promoting_closes_the_round_and_opens_the_next(project: Project, store: Path, erin: User) -> None:
    better = publish(store, "better")
    before = project.current_round
    promotion = promote(better, project=project, by=erin, reason=REASON)
    opened = promotion.opened
    before.refresh_from_db()  # type: ignore[union-attr]
    better.refresh_from_db()
    project.refresh_from_db()
    assert before is not None
    assert before.closed_at is not None
    assert opened is not None
    assert (opened.number, opened.policy, opened.closed_at) == (2, better, None)
    assert project.policy == better
    assert (better.state, better.promoted_by) == (Policy.State.PROMOTED, erin)
    assert better.promoted_at is not None
    assert list(AuditEvent.objects.filter(by=erin).values_list("verb", flat=True)) == ["start round", "promote policy"]
    event = AuditEvent.objects.get(verb="promote policy")
    assert (event.detail["project"], event.detail["before"]) == (project.slug, before.policy.name)  # type: ignore[union-attr]
    after = promote(publish(store, "best", content="[]"), project=project, by=erin, reason=REASON).opened
    assert after is not None
    assert after.seed != opened.seed


def test_the_policy_that_answers_already_is_not_promoted_again(project: Project, erin: User) -> None:
    assert project.policy is not None
    with pytest.raises(RoundError, match="is this project's policy already"):
        promote(project.policy, project=project, by=erin)
    assert project.rounds.count() == 1


def test_a_policy_whose_files_changed_or_are_gone_is_not_promoted(project: Project, store: Path, erin: User) -> None:
    better = publish(store, "better")
    (store / "policies" / "better" / "manifest.json").write_text("{}")
    with pytest.raises(RoundError, match="are not those that were registered"):
        promote(better, project=project, by=erin)
    with pytest.raises(RoundError, match="are not in the model store"):
        promote(make_policy(name="gone"), project=project, by=erin)
    project.refresh_from_db()
    assert project.policy != better
    assert project.rounds.filter(closed_at=None).count() == 1


def test_a_policy_on_another_server_has_no_files_to_check(project: Project, erin: User) -> None:
    served = make_served_policy()
    assert promote(served, project=project, by=erin, reason=REASON).policy == served


def test_a_round_is_started_where_none_is_open(project: Project, erin: User) -> None:
    with pytest.raises(RoundError, match="A round is open already"):
        start_round(project, policy=None, by=erin)
    project.rounds.update(closed_at="2100-01-01T00:00Z")
    opened = start_round(project, policy=None, by=erin)
    assert opened is not None
    assert (opened.number, opened.policy) == (2, project.policy)


def test_a_round_needs_a_policy(store: Path, erin: User) -> None:
    empty = Project.objects.create(slug="empty", name="Empty")
    with pytest.raises(RoundError, match="Choose a policy first"):
        start_round(empty, policy=None, by=erin)
