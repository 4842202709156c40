"""An admin withdraws for a person: what goes, what stays, what the rows, the places and the audit say; and undoing."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from labeling.dialogues import review
from labeling.dialogues.rules import WritingError
from labeling.models import AuditEvent, Comparison, Dialogue, Lease, Project, Ranking, User, Withdrawal
from labeling.rankings import mending
from labeling.rankings.submission import AssignmentError
from labeling.withdrawals import batches
from labeling.withdrawals.batches import WithdrawalError
from tests.labeling.exports.material import make_ranking
from tests.labeling.factories import make_thumb, make_user, places_of
from tests.labeling.withdrawals.material import (
    comparison_of,
    counts,
    everything_of,
    rank,
    rank_next,
    withdraw_all,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def adam() -> User:
    return make_user(username="adam")


def test_all_of_a_persons_work_goes_and_nobody_elses(project: Project, alice: User, bob: User, adam: User) -> None:
    hers, his = everything_of(project, alice), everything_of(project, bob)
    withdrawal = withdraw_all(project, alice, by=adam)
    assert withdrawal.state == Withdrawal.State.DONE
    assert list(map(counts, hers)) == [False] * 4
    assert list(map(counts, his)) == [True] * 4
    kinds = sorted(withdrawal.rows.values_list("kind", flat=True))
    assert kinds == ["better", "dialogues", "rankings", "thumbs"]


def test_the_place_is_for_others_and_not_for_her_again(project: Project, alice: User, bob: User, adam: User) -> None:
    ranking = rank(project, alice)
    withdraw_all(project, alice, by=adam)
    comparison = comparison_of(ranking)
    assert places_of(comparison) == (1, 1, 0, 0)
    assert not isinstance(batches_claim(project, alice), Lease)
    assert rank_next(project, bob).comparison_id == comparison.id
    assert places_of(comparison) == (1, 0, 0, 1)


def batches_claim(project: Project, by: User) -> Any:
    from labeling.rankings import assignment

    return assignment.claim(project, by=by)


def test_only_what_was_made_since_the_date_and_of_the_kinds(project: Project, alice: User, adam: User) -> None:
    old, new = rank(project, alice), rank(project, alice)
    day = timezone.now() - timedelta(days=3)
    Lease.objects.filter(id=old.lease_id).update(closed_at=day)  # and changed since, by its author
    thumb = make_thumb(project=project, created_by=alice)
    withdraw_all(project, alice, by=adam, since=timezone.now() - timedelta(days=1), kinds=["rankings"])
    assert (counts(old), counts(new), counts(thumb)) == (True, False, True)


def test_another_project_is_not_touched(project: Project, alice: User, adam: User) -> None:
    from tests.labeling.factories import make_project

    other = make_project()
    other.memberships.create(user=alice)
    there = everything_of(other, alice)
    withdraw_all(project, alice, by=adam)
    assert list(map(counts, there)) == [True] * 4


def test_imported_work_goes_by_the_name_it_came_under_and_nobody_is_asked_again(project: Project, adam: User) -> None:
    comparison = make_ranking(project=project, outside_trainer="t-7").comparison
    Comparison.objects.filter(id=comparison.id).update(num_rankings=2, rankings_wanted=2)
    other = make_ranking(project=project, comparison=comparison, outside_trainer="t-8")
    thumb = make_thumb(project=project, outside_trainer="t-7")
    gone = comparison.rankings.get(outside_trainer="t-7")
    withdrawal = batches.begin(project, by=adam, outside_person="t-7", reason="consent")
    assert (counts(gone), counts(thumb), counts(other)) == (False, False, True)
    assert places_of(comparison) == (1, 0, 0, 1)
    batches.undo(withdrawal, by=adam, reason="It was another.")
    assert counts(gone)
    assert places_of(comparison) == (2, 0, 0, 2)


def test_every_row_has_an_event_and_the_whole_one(project: Project, alice: User, adam: User) -> None:
    ranking, *_ = everything_of(project, alice)
    withdrawal = withdraw_all(project, alice, by=adam, text="Copied from elsewhere.")
    whole = AuditEvent.objects.get(verb="withdraw for a person")
    assert (whole.by, whole.detail["reason"], whole.detail["text"]) == (adam, "fraud", "Copied from elsewhere.")
    event = AuditEvent.objects.get(verb="withdraw ranking", subject_id=str(ranking.id))
    assert (event.by, event.detail) == (adam, {"withdrawal": str(withdrawal.id), "reason": "fraud"})
    of_rows = AuditEvent.objects.filter(detail__withdrawal=str(withdrawal.id))
    assert sorted(of_rows.values_list("verb", flat=True)) == [
        "retract thumb", "withdraw dialogue", "withdraw dialogue", "withdraw ranking"
    ]  # fmt: skip


def test_undoing_puts_all_of_it_back_as_it_was(project: Project, alice: User, adam: User) -> None:
    work = everything_of(project, alice)
    states = [work[1].state, work[2].state]
    withdrawal = withdraw_all(project, alice, by=adam)
    batches.undo(withdrawal, by=adam, reason="It was somebody else.")
    assert withdrawal.state == Withdrawal.State.UNDONE
    assert all(map(counts, work))
    assert [work[1].state, work[2].state] == states
    assert places_of(comparison_of(work[0])) == (1, 0, 0, 1)
    assert not withdrawal.rows.filter(put_back_at=None).exists()
    assert AuditEvent.objects.get(verb="undo withdrawal").detail == {"reason": "It was somebody else."}


def test_a_ranking_whose_place_was_taken_is_put_back_beside_the_other(
    project: Project, alice: User, bob: User, adam: User
) -> None:
    ranking = rank(project, alice)
    withdrawal = withdraw_all(project, alice, by=adam)
    rank_next(project, bob)
    batches.undo(withdrawal, by=adam, reason="It was right.")
    assert counts(ranking)
    assert places_of(comparison_of(ranking)) == (2, 0, 0, 2)


def test_what_cannot_count_again_is_said(project: Project, alice: User, adam: User) -> None:
    ranking = rank(project, alice)
    withdrawal = withdraw_all(project, alice, by=adam)
    Comparison.objects.filter(id=ranking.comparison_id).update(state=Comparison.State.WITHDRAWN)
    batches.undo(withdrawal, by=adam, reason="It was right.")
    row = withdrawal.rows.get()
    assert (withdrawal.state, row.put_back_at) == ("undone", None)
    assert row.stays_out == "Its comparison was withdrawn meanwhile."
    assert not counts(ranking)


def test_the_author_cannot_put_back_what_an_admin_took_out(project: Project, alice: User, adam: User) -> None:
    ranking, dialogue, better, _ = everything_of(project, alice)
    withdraw_all(project, alice, by=adam)
    with pytest.raises(AssignmentError, match="An admin took it out"):
        mending.put_back(Ranking.objects.get(id=ranking.id), by=alice)
    for one in (dialogue, better):
        with pytest.raises(WritingError):
            review.put_back(Dialogue.objects.get(id=one.id), by=alice)
    assert not any(map(counts, (ranking, dialogue, better)))


def test_nor_what_she_had_withdrawn_herself_before(project: Project, alice: User, adam: User) -> None:
    ranking, dialogue, *_ = everything_of(project, alice)
    mending.withdraw(ranking, by=alice)
    review.withdraw(dialogue, by=alice)
    withdrawal = withdraw_all(project, alice, by=adam)
    with pytest.raises(AssignmentError, match="An admin took it out"):
        mending.put_back(Ranking.objects.get(id=ranking.id), by=alice)
    with pytest.raises(WritingError, match="An admin took it out"):
        review.put_back(Dialogue.objects.get(id=dialogue.id), by=alice)
    assert review.that_can_be_put_back([dialogue], by=alice) == set()
    batches.undo(withdrawal, by=adam, reason="It was somebody else.")
    assert not counts(ranking), "what she took back herself stays so"
    mending.put_back(Ranking.objects.get(id=ranking.id), by=alice)
    assert counts(ranking)


def test_what_she_makes_afterwards_is_hers(project: Project, alice: User, adam: User) -> None:
    rank(project, alice)
    withdraw_all(project, alice, by=adam)
    later = rank(project, alice)
    assert batches.sweep() == 0
    assert counts(later)
    mending.withdraw(later, by=alice)
    mending.put_back(Ranking.objects.get(id=later.id), by=alice)
    assert counts(later)


def test_the_same_form_twice_is_one_withdrawal(project: Project, alice: User, adam: User) -> None:
    rank(project, alice)
    key = uuid.uuid4()
    first = withdraw_all(project, alice, by=adam, key=key)
    later = rank(project, alice)
    assert withdraw_all(project, alice, by=adam, key=key) == first
    assert counts(later)
    assert AuditEvent.objects.filter(verb="withdraw for a person").count() == 1


def test_undoing_twice_puts_back_once(project: Project, alice: User, adam: User) -> None:
    ranking = rank(project, alice)
    withdrawal = withdraw_all(project, alice, by=adam)
    batches.undo(withdrawal, by=adam, reason="One.")
    batches.undo(withdrawal, by=adam, reason="Two.")
    assert withdrawal.undone_reason == "One."
    assert places_of(comparison_of(ranking)) == (1, 0, 0, 1)


def test_the_sweep_finishes_what_a_page_began(
    project: Project, alice: User, adam: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH", 2)
    monkeypatch.setattr(batches, "PATIENCE", 0.0)
    rankings = [rank(project, alice) for _ in range(5)]
    withdrawal = withdraw_all(project, alice, by=adam)
    assert withdrawal.state == Withdrawal.State.RUNNING
    assert all(map(counts, rankings))
    with pytest.raises(WithdrawalError, match="still under way"):
        batches.undo(withdrawal, by=adam, reason="Oh.")
    assert batches.sweep() == 5
    withdrawal.refresh_from_db()
    assert withdrawal.state == Withdrawal.State.DONE
    assert not any(map(counts, rankings))
    batches.undo(withdrawal, by=adam, reason="It was right.")
    assert withdrawal.state == Withdrawal.State.UNDOING
    assert batches.sweep() == 5
    assert all(map(counts, rankings))


@pytest.mark.parametrize("role", ["trainer", "reviewer", "engineer"])
def test_only_an_admin_withdraws_for_another(role: str, project: Project, alice: User, adam: User) -> None:
    ranking = rank(project, alice)
    somebody = make_user(role=role, projects=[project])
    with pytest.raises(WithdrawalError, match="Only an admin"):
        withdraw_all(project, alice, by=somebody)
    assert counts(ranking)
    withdrawal = withdraw_all(project, alice, by=adam)
    with pytest.raises(WithdrawalError, match="Only an admin"):
        batches.undo(withdrawal, by=somebody, reason="I want to.")
    assert not counts(ranking)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"reason": "other"}, "Say what the other reason is"),
        ({"kinds": []}, "at least one kind"),
        ({"outside_person": "t-7"}, "one of both"),
        ({"person": None}, "one of both"),
        ({"person": None, "outside_person": "nobody"}, "Nothing came in under the name “nobody”"),
    ],
)
def test_what_makes_no_sense_is_refused(
    fields: dict[str, Any], why: str, project: Project, alice: User, adam: User
) -> None:
    with pytest.raises(WithdrawalError, match=why):
        batches.begin(project, by=adam, **({"person": alice, "reason": "fraud"} | fields))
    assert not Withdrawal.objects.exists()
