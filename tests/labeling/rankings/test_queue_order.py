"""In which order comparisons are handed out: nearest completion, then the newest round, then at random."""

import uuid

import pytest

from labeling.models import Comparison, Membership, Project, Round, User
from labeling.rankings import assignment, mending, queue_order
from labeling.rankings.submission import Submission
from tests.labeling.factories import make_comparison, make_project, make_users
from tests.labeling.rankings.at_work import claim, in_shown_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(rankings_wanted=3)


def rank(project: Project, by: User) -> Comparison:
    lease = claim(project, by)
    assignment.submit(lease, in_shown_order(lease), key=uuid.uuid4(), by=by)
    return lease.comparison


def test_those_nearest_completion_come_before_a_newer_round(project: Project) -> None:
    alice, bob, carol = make_users(num=3, project=project)
    older = [make_comparison(project=project, queue_key=key - 1) for key in (0.2, 0.6)]
    assert rank(project, alice) == older[0]
    assert rank(project, bob) == older[0]
    Round.objects.filter(project=project).update(closed_at="2100-01-01T00:00Z")
    Round.objects.create(project=project, number=2)
    newer = [make_comparison(project=project, queue_key=key - 2) for key in (0.3, 0.7)]
    found = [rank(project, carol) for _ in range(4)]
    assert found == [older[0], *newer, older[1]]
    assert claim(project, alice).comparison == newer[0]


def test_a_sentence_says_how_near_it_is(project: Project) -> None:
    make_comparison(project=project)
    alice, bob, carol = make_users(num=3, project=project)
    reasons = []
    for trainer in (alice, bob, carol):
        reasons.append(claim(project, trainer).reason)
        rank(project, trainer)
    assert [reason.split(" ")[0] for reason in reasons] == ["Next", "Others", "It"]


def test_one_that_is_taken_back_stands_where_it_stood(project: Project) -> None:
    (alice,) = make_users(num=1, project=project)
    comparison = make_comparison(project=project, queue_key=-0.25)
    lease = claim(project, alice)
    submission = Submission(tiers=(tuple(lease.shown_order),))
    ranking = assignment.submit(lease, submission, key=uuid.uuid4(), by=alice).ranking
    assert ranking is not None
    comparison.refresh_from_db()
    assert comparison.queue_key < -9_000
    mending.withdraw(ranking, by=alice)
    comparison.refresh_from_db()
    assert comparison.queue_key == pytest.approx(-0.25)


def test_a_place_that_comes_free_behind_is_found(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Her claims begin further on, and the head of the queue is what she has skipped."""
    monkeypatch.setattr(queue_order, "HEAD", 2)
    (alice,) = make_users(num=1, project=project)
    for key in (0.1, 0.2):
        make_comparison(project=project, queue_key=key)
        assignment.skip(claim(project, alice), reason="", by=alice)
    freed = make_comparison(project=project, queue_key=0.3)
    Membership.objects.filter(user=alice).update(queue_cursor=0.9)
    assert claim(project, alice).comparison == freed


def test_a_new_round_is_seen_by_one_who_is_far_ahead_of_the_others(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that she has ranked stands before it, and wants others."""
    monkeypatch.setattr(queue_order, "HEAD", 2)
    (alice,) = make_users(num=1, project=project)
    for key in range(8):
        make_comparison(project=project, queue_key=key / 10 - 1)
    for _ in range(5):
        rank(project, alice)
    newer = make_comparison(project=project, queue_key=-1.5)
    assert rank(project, alice) == newer
