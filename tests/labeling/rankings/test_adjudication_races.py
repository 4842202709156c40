"""Two who reach for one adjudication at once, each in a transaction of its own."""

import uuid
from functools import partial

import pytest

from labeling.models import Adjudication, Comparison, Project, User
from labeling.rankings import adjudication, disagreement
from labeling.rankings.adjudication import TakenMeanwhile
from labeling.rankings.disagreement import NotDisputed
from tests.labeling.factories import make_project, make_user
from tests.labeling.overlapping import overlap
from tests.labeling.rankings.disputed import adjudicated, in_order, make_disputed, take

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    return make_project(slug="at-once")


@pytest.fixture
def adam() -> User:
    return make_user(username="adam", role="admin")


@pytest.fixture
def rita(project: Project) -> User:
    return make_user(username="rita", role="reviewer", projects=[project])


@pytest.fixture
def ruth(project: Project) -> User:
    return make_user(username="ruth", role="reviewer", projects=[project])


@pytest.fixture
def disputed(project: Project) -> Comparison:
    one, other = (make_user(username=name, projects=[project]) for name in ("alice", "bob"))
    return make_disputed(project, one, other)


def test_two_reviewers_at_once_are_not_given_the_same(
    project: Project, disputed: Comparison, adam: User, rita: User, ruth: User
) -> None:
    disagreement.send(disputed, by=adam)
    second = overlap(partial(adjudication.claim, project, by=rita), partial(adjudication.claim, project, by=ruth))
    assert second is None
    assert Adjudication.objects.get().reviewer == rita


def test_two_tabs_of_one_reviewer_are_given_the_same(
    project: Project, disputed: Comparison, adam: User, rita: User
) -> None:
    disagreement.send(disputed, by=adam)
    claim = partial(adjudication.claim, project, by=rita)
    assert overlap(claim, claim) == Adjudication.objects.get()


def test_an_order_that_meets_another_reviewers_claim_does_not_count(
    project: Project, disputed: Comparison, adam: User, rita: User, ruth: User
) -> None:
    disagreement.send(disputed, by=adam)
    held = take(project, rita)
    Adjudication.objects.update(expires_at="2026-01-01T00:00:00Z")
    late = partial(adjudication.order, held, in_order(disputed), key=uuid.uuid4(), by=rita)
    with pytest.raises(TakenMeanwhile, match="Somebody else"):
        overlap(partial(adjudication.claim, project, by=ruth), late)
    assert Adjudication.objects.get().reviewer == ruth


def test_a_withdrawal_that_meets_another_withdraws_once(
    project: Project, disputed: Comparison, adam: User, rita: User
) -> None:
    disagreement.send(disputed, by=adam)
    done = adjudicated(project, rita)
    withdraw = partial(adjudication.withdraw, done, by=rita)
    with pytest.raises(TakenMeanwhile):
        overlap(withdraw, withdraw)


def test_a_decision_that_meets_the_calling_off_does_not_count(
    project: Project, disputed: Comparison, adam: User, rita: User
) -> None:
    disagreement.send(disputed, by=adam)
    given = adjudication.order(take(project, rita), in_order(disputed), key=uuid.uuid4(), by=rita)
    with pytest.raises(TakenMeanwhile):
        overlap(
            partial(adjudication.withdraw, given, by=adam),
            partial(adjudication.decide, given, reason="taste", by=rita),
        )
    assert Adjudication.objects.get().state == "withdrawn"


def test_two_admins_send_one_comparison_once(disputed: Comparison, adam: User) -> None:
    send = partial(disagreement.send, disputed, by=adam)
    with pytest.raises(NotDisputed, match="already"):
        overlap(send, send)
    assert Adjudication.objects.count() == 1
