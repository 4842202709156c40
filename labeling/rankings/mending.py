"""Mends a submitted ranking: its author changes it for a while, or once a reviewer returned it, and withdraws it.

A ranking is never altered. A change is a new row, and in the same transaction the row whose place it takes is
retracted; so counts and places stay as they are. A withdrawal retracts the row and gives its place to others.

The locks are those of labeling.rankings.assignment, in its order: the comparison's row, then the lease's.
"""

import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling.models import (
    Adjudication,
    AuditEvent,
    Comparison,
    Lease,
    Project,
    Ranking,
    ReturnedRanking,
    User,
    Withdrawal,
)
from labeling.models.rankings import LONGEST_SECONDS
from labeling.rankings.assignment import insert_ranking, locked, move_counts
from labeling.rankings.disagreement import remeasure
from labeling.rankings.submission import (
    AssignmentError,
    Submission,
    judgement,
    judgement_of,
    require_asked,
    require_sense,
)

LONGEST_REASON = 500  # characters, of a withdrawal


class MendedMeanwhile(AssignmentError):
    """The ranking that was to be mended is no longer the one that counts."""


def change_key(ranking_id: uuid.UUID) -> uuid.UUID:
    """The submission key of the version that takes the place of this ranking: two changes of one can never both be."""
    return uuid.uuid5(ranking_id, "change")


def standing(lease: Lease) -> Ranking | None:
    """The newest version of the ranking that this lease became, withdrawn or not; None before its submission."""
    return Ranking.objects.prefetch_related("ratings").filter(lease=lease).first()


def changes_until(lease: Lease) -> datetime | None:
    """When the time to change its ranking ends, counted from the first submission; None where nothing is changed."""
    project = lease.comparison.project
    if lease.state != Lease.State.SUBMITTED or lease.closed_at is None or not project.minutes_to_change:
        return None
    if lease.comparison.state == Comparison.State.WITHDRAWN:
        return None
    return lease.closed_at + project.span_to_change


def may_change(lease: Lease) -> bool:
    until = changes_until(lease)
    return (until is not None and timezone.now() < until) or returned(lease) is not None


def returned(lease: Lease) -> ReturnedRanking | None:
    """What a reviewer said who returned its ranking, while its author has not answered by submitting it again.

    Then it can be changed whatever the time.
    """
    if lease.state != Lease.State.SUBMITTED or lease.comparison.state == Comparison.State.WITHDRAWN:
        return None
    return _unanswered(lease).order_by("-returned_at").first()


def num_returned(project: Project, *, by: User) -> int:
    """How many rankings reviewers returned to this trainer who has not answered yet."""
    waiting = ReturnedRanking.objects.filter(answered_at=None, adjudication__state=Adjudication.State.DONE)
    mine = waiting.filter(lease__trainer=by, lease__comparison__project=project, lease__state=Lease.State.SUBMITTED)
    return mine.exclude(lease__comparison__state=Comparison.State.WITHDRAWN).values("lease").distinct().count()


def change(lease: Lease, submission: Submission, *, key: uuid.UUID, by: User) -> Ranking:
    """Put a new version in the place of this lease's ranking; `key` is the `change_key` of the version it changes.

    The same change twice is one version, and a judgement that is the same makes none. Raises MendedMeanwhile where
    another change or a withdrawal was faster, AssignmentError where the time is over; then nothing has changed.
    """
    _require_author(lease.trainer_id, by)
    require_sense(submission, lease.shown_order)
    with transaction.atomic(durable=True):
        comparison = locked(lease)
        lease.refresh_from_db(fields=("state", "closed_at"))
        old = standing(lease)
        if old is not None and old.retracted_at is None and old.submission_key == key:
            return _repeated(old, submission)
        _require_in_force(old, key)
        assert old is not None
        _require_time(lease, comparison)
        _unanswered(lease).update(answered_at=Now())
        if judgement_of(old) == judgement(submission):
            return old
        require_asked(submission, lease.shown_order, comparison.project)
        _retract(old, lease=None)
        new = insert_ranking(comparison, lease, _with_all_seconds(submission, old), key)
        remeasure(comparison)
        AuditEvent.note("change ranking", new, by=by, lease=str(lease.id), old=str(old.id), new=str(new.id))
    return new


def withdraw(ranking: Ranking, *, by: User, reason: str = "") -> None:
    """Retract a ranking for good; its place is for others, and its author is not given the comparison again."""
    _require_author(ranking.trainer_id, by)
    with transaction.atomic(durable=True):
        comparison = _locked_comparison(ranking)
        ranking.refresh_from_db(fields=("retracted_at", "lease"))
        if ranking.retracted_at is not None:
            raise MendedMeanwhile(_("This ranking does not count any more: it was changed or withdrawn before."))
        take_out(ranking, comparison)
        AuditEvent.note("withdraw ranking", ranking, by=by, reason=reason.strip()[:LONGEST_REASON])


def put_back(ranking: Ranking, *, by: User) -> None:
    """Undo a withdrawal, while the place is free."""
    _require_author(ranking.trainer_id, by)
    with transaction.atomic(durable=True):
        comparison = _locked_comparison(ranking)
        ranking.refresh_from_db(fields=("retracted_at", "lease"))
        if not is_withdrawn(ranking):
            raise MendedMeanwhile(_("This ranking is not withdrawn."))
        if is_taken_out(ranking, Withdrawal.objects.in_force_for(by)):
            raise AssignmentError(_("An admin took it out; only they can bring it back."))
        if ranking.is_choice:
            comparison.state = Comparison.State.DONE
        if comparison.state == Comparison.State.WITHDRAWN:
            raise AssignmentError(_("The comparison itself was withdrawn meanwhile; the ranking cannot count again."))
        if comparison.has_places and comparison.open_slots == 0:
            raise AssignmentError(_("Somebody else took its place meanwhile, so it cannot be put back."))
        bring_back(ranking, comparison)
        AuditEvent.note("put back ranking", ranking, by=by)
    ranking.refresh_from_db(fields=("retracted_at",))


def take_out(ranking: Ranking, comparison: Comparison) -> None:
    """Retract a ranking of a comparison that is locked, and give its place to others.

    An imported one has no place: its comparison wants as many rankings as it has, and nobody is asked for another.
    """
    _retract(ranking, lease=ranking.lease)
    if ranking.is_choice:
        comparison.state = Comparison.State.WITHDRAWN  # drafts of a private chat are nobody else's to rank
    if _has_no_place(ranking):
        _want(comparison, more=-1)
        move_counts(comparison, rankings=-1)
    else:
        move_counts(comparison, open_slots=+1, rankings=-1)
    _set_state(ranking, Lease.State.WITHDRAWN)


def bring_back(ranking: Ranking, comparison: Comparison) -> None:
    """The opposite of `take_out`; where the place is gone, the comparison wants one ranking more."""
    Ranking.objects.filter(id=ranking.id).update(retracted_at=None)
    if _has_no_place(ranking) or (comparison.has_places and not comparison.open_slots):
        _want(comparison, more=+1)
        move_counts(comparison, rankings=+1)
    else:
        move_counts(comparison, open_slots=-1, rankings=+1)
    _set_state(ranking, Lease.State.SUBMITTED)


def made_at(ranking: Ranking) -> datetime:
    """When it was first submitted: a change of it counts as made then."""
    submitted = ranking.lease.closed_at if ranking.lease is not None else None
    return submitted or ranking.ranked_at


def is_taken_out(ranking: Ranking, withdrawals: Iterable[Withdrawal]) -> bool:
    """Whether one of these, which are of its author, takes it out."""
    project_id, kind = ranking.comparison.project_id, Withdrawal.Kind.RANKINGS
    return any(one.reaches(project_id=project_id, kind=kind, made_at=made_at(ranking)) for one in withdrawals)


def is_withdrawn(ranking: Ranking) -> bool:
    """Whether its author or an admin withdrew it. A version whose place another took has no lease."""
    if ranking.retracted_at is None or ranking.is_choice:
        return ranking.retracted_at is not None
    return ranking.lease is not None and ranking.lease.state == Lease.State.WITHDRAWN


def _locked_comparison(ranking: Ranking) -> Comparison:
    if ranking.lease is not None:
        return locked(ranking.lease)
    comparison = Comparison.objects.select_for_update(of=("self",), no_key=True).get(id=ranking.comparison_id)
    comparison.project = ranking.comparison.project
    return comparison


def _has_no_place(ranking: Ranking) -> bool:
    return ranking.lease_id is None and not ranking.is_choice


def _want(comparison: Comparison, *, more: int) -> None:
    """Change how many rankings are wanted of a locked comparison."""
    comparison.rankings_wanted = max(0, comparison.rankings_wanted + more)
    comparison.save(update_fields=["rankings_wanted"])


def _set_state(ranking: Ranking, state: Lease.State) -> None:
    if ranking.lease is not None:
        ranking.lease.state = state
        ranking.lease.save(update_fields=["state"])


def _retract(ranking: Ranking, *, lease: Lease | None) -> None:
    ranking.retracted_at, ranking.lease = Now(), lease
    ranking.save(update_fields=["retracted_at", "lease"])
    ranking.refresh_from_db(fields=("retracted_at",))


def _repeated(ranking: Ranking, submission: Submission) -> Ranking:
    if judgement_of(ranking) != judgement(submission):
        raise MendedMeanwhile(
            _("You have changed it in another way already, and that change counts; this one does not.")
        )
    return ranking


def _unanswered(lease: Lease) -> QuerySet[ReturnedRanking]:
    return ReturnedRanking.objects.filter(lease=lease, answered_at=None, adjudication__state=Adjudication.State.DONE)


def _require_author(trainer_id: uuid.UUID | None, by: User) -> None:
    if trainer_id != by.id:
        raise AssignmentError(_("This ranking is another trainer's."))


def _require_in_force(ranking: Ranking | None, key: uuid.UUID) -> None:
    if ranking is None:
        raise AssignmentError(_("There is no ranking to change here; submit one first."))
    if ranking.retracted_at is not None:
        raise MendedMeanwhile(_("This ranking was withdrawn meanwhile, so the change does not count."))
    if key != change_key(ranking.id):
        raise MendedMeanwhile(
            _("This ranking was changed elsewhere meanwhile, and that change counts; this one does not.")
        )


def _require_time(lease: Lease, comparison: Comparison) -> None:
    if comparison.state == Comparison.State.WITHDRAWN:
        raise AssignmentError(
            _("This comparison was withdrawn meanwhile. Your ranking is kept, but it does not count.")
        )
    if _unanswered(lease).exists():
        return
    span = comparison.project.span_to_change
    if not Lease.objects.filter(id=lease.id, closed_at__gt=Now() - span).exists():
        raise AssignmentError(
            _("The time to change this ranking is over, so the ranking that you submitted counts. Ask a reviewer.")
        )


def _with_all_seconds(submission: Submission, old: Ranking) -> Submission:
    """The change with the time of the whole judgement: what the version before took, and what the change took."""
    if submission.seconds is None and old.seconds is None:
        return submission
    seconds = (submission.seconds or 0.0) + (old.seconds or 0.0)
    return replace(submission, seconds=min(seconds, float(LONGEST_SECONDS)))
