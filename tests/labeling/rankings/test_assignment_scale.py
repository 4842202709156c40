"""What a claim costs does not grow with the project: statements, plans, and the walk past one's own work."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from labeling.models import Lease, Membership
from labeling.rankings import assignment, queue_order
from labeling.rankings.assignment import Nothing
from labeling.rankings.submission import Submission
from tests.labeling.factories import (
    make_comparison,
    make_comparisons,
    make_project,
    make_reference,
    make_users,
    places_of,
)
from tests.labeling.rankings.at_work import claim

pytestmark = pytest.mark.django_db


def submit(lease: Lease) -> None:
    submission = Submission(tiers=(tuple(lease.shown_order),))
    outcome = assignment.submit(lease, submission, key=uuid.uuid4(), by=lease.trainer)
    assert outcome.ranking is not None


def statements_of(work: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as statements:
        work()
    return len(statements)


def statements_among(num: int) -> dict[str, int]:
    """How many statements each act takes in a project of so many comparisons."""
    project = make_project()
    make_comparisons(project=project, num=num, num_completions=2)
    alice, bob = make_users(num=2, project=project)
    counts = {"claim": statements_of(lambda: claim(project, alice))}
    lease = claim(project, alice)
    return counts | {
        "claim again": statements_of(lambda: claim(project, alice)),
        "renew": statements_of(lambda: assignment.renew(lease, by=alice, seconds=3)),
        "draft": statements_of(lambda: assignment.save_draft(lease, draft={"n": 1}, version=0, by=alice)),
        "submit": statements_of(lambda: submit(lease)),
        "skip": statements_of(lambda: assignment.skip(claim(project, bob), reason="", by=bob)),
        "expire": statements_of(lambda: assignment.expire_leases(project)),
        "in hand": statements_of(lambda: assignment.in_hand(project, by=bob)),
    }


def test_statements_do_not_grow_with_the_number_of_comparisons() -> None:
    counts = statements_among(4)
    assert counts == statements_among(400)
    # The savepoints of the test's own transaction stand in for BEGIN and COMMIT: two statements each.
    assert counts["claim"] <= 5
    assert counts["submit"] <= 12


@pytest.mark.parametrize("num_gold", [0, 3, 30])
def test_mixing_in_gold_costs_one_statement_where_it_is_due(num_gold: int) -> None:
    project = make_project(gold_every=1)
    make_comparisons(project=project, num=50, num_completions=2)
    for _ in range(num_gold):
        make_reference(project=project)
    (alice,) = make_users(num=1, project=project)
    assert statements_of(lambda: claim(project, alice)) == (6 if num_gold == 0 else 5)


def test_the_longest_way_through_the_queue_is_a_constant_number_of_statements() -> None:
    """Nothing in either head, from the cursor, or anywhere; and leases that could have run out."""
    project = make_project(rankings_wanted=2, gold_every=1)
    make_comparisons(project=project, num=50, num_completions=2, open_slots=0)
    (alice,) = make_users(num=1, project=project)
    Membership.objects.filter(user=alice).update(queue_cursor=0.5)
    assert statements_of(lambda: assignment.claim(project, by=alice)) <= 13


def analyse() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE labeling_comparison, labeling_lease, labeling_completion")


@pytest.mark.parametrize("analysed", ["now", "when the queue was short", "by nobody"])
@pytest.mark.parametrize("head", [0, 256])
def test_a_claim_walks_the_queues_index_whatever_the_planner_believes(
    monkeypatch: pytest.MonkeyPatch, analysed: str, head: int
) -> None:
    """A plan that leaves the index sorts the queue: milliseconds per thousand comparisons."""
    if analysed == "when the queue was short":
        make_comparisons(project=make_project(), num=3, num_completions=2)
        analyse()
    project = make_project(rankings_wanted=2)
    make_comparisons(project=project, num=3_000, num_completions=2)
    alice, bob = make_users(num=2, project=project)
    submit(claim(project, bob))
    monkeypatch.setattr(queue_order, "HEAD", head)
    if analysed == "now":
        analyse()
    with connection.cursor() as cursor:
        with CaptureQueriesContext(connection) as statements:
            claim(project, alice)
        walks = [statement["sql"] for statement in statements if "WITH picked" in statement["sql"]]
        assert walks
        for walk in walks:
            setting, _, statement = walk.partition(";")
            cursor.execute(f"{setting}; EXPLAIN {statement}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert "Index Scan using comparison_queue on labeling_comparison c" in plan
            assert "Seq Scan on labeling_comparison" not in plan
            assert "Sort Key: c.queue_key" not in plan


def test_a_trainer_goes_on_where_they_have_been_and_comes_round_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_order, "HEAD", 2)
    project = make_project(rankings_wanted=2)
    comparisons = [make_comparison(project=project, queue_key=key / 10) for key in range(6)]
    alice, bob = make_users(num=2, project=project)
    membership = Membership.objects.get(project=project, user=alice)
    for comparison in comparisons[:5]:  # three of them lie beyond the head of two that she has passed on
        lease = claim(project, alice)
        assert lease.comparison_id == comparison.id
        assignment.skip(lease, reason="", by=alice)
    membership.refresh_from_db()
    assert membership.queue_cursor == 0.4
    newer = make_comparison(project=project, queue_key=-0.5)
    given_back = make_comparison(project=project, queue_key=0.25)
    found = []
    for _ in range(3):
        lease = claim(project, alice)
        found.append(lease.comparison_id)
        submit(lease)
    assert found == [newer.id, comparisons[5].id, given_back.id]
    assert isinstance(assignment.claim(project, by=alice), Nothing)
    assert claim(project, bob).comparison_id == newer.id
    assert places_of(newer) == (2, 0, 1, 1)
