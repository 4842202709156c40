"""Assigns comparisons to trainers: a place in a comparison is leased to a trainer and becomes a ranking.

The invariant at the end of every transaction, for every comparison whose use is work or evaluation:

    open_slots = rankings_wanted − open leases − rankings that are not retracted

Gold items are leased and ranked the same way, but have no places, so that any number of people may rank one. The pairs
of an evaluation of policies come in between, as often as its share says.

Whatever changes a term of the invariant first locks the comparison's row, then the lease's. So no place can be
leased or submitted twice, and no two transactions can deadlock. The SQL that takes places and frees expired ones
is in labeling.rankings.assignment_sql, the order in which a claim reads the queue in labeling.rankings.queue_order,
changes and withdrawals of what was submitted in labeling.rankings.mending.
Times are the database's. Leases and drafts leave no audit row, since their own rows record all there is to know.
"""

import json
import random
import uuid
from dataclasses import asdict, dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Case, F, OuterRef, Subquery, Value, When
from django.db.models.functions import Greatest, Now
from django.utils.translation import gettext as _

from labeling.models import (
    AuditEvent,
    Comparison,
    Evaluation,
    GuidelineVersion,
    Lease,
    Membership,
    Project,
    Ranking,
    Rating,
    User,
    Webhook,
)
from labeling.rankings.assignment_sql import give_back, hold, take_evaluation, take_gold
from labeling.rankings.disagreement import remeasure
from labeling.rankings.gold_schedule import is_gold_due
from labeling.rankings.practice import wants_practice
from labeling.rankings.queue_order import NEARER, take_next
from labeling.rankings.submission import (
    AssignmentError,
    Outcome,
    StaleDraft,
    Submission,
    judgement,
    judgement_of,
    require_asked,
    require_sense,
)
from labeling.sampling.progress import coming_sentence
from labeling.webhooks.deliveries import announce

LONGEST_DRAFT = 200_000  # characters of a draft as JSON


@dataclass(frozen=True, kw_only=True, slots=True)
class Nothing:
    """No comparison for this trainer now."""

    project: Project
    refusal: str = ""  # why they get none whatever the queue holds; empty where the queue holds none for them
    practice_first: bool = False

    @property
    def reason(self) -> str:
        """A sentence for the trainer. Asked of an empty queue it counts what is coming, so a claim does not ask it."""
        return self.refusal or _why_nothing(self.project)


def waits_for(project: Project, *, by: User) -> bool:
    """Whether the queue, or an open evaluation, holds something for this trainer. Only a claim knows for sure."""
    if Comparison.objects.rankable_by(by).filter(project=project).exists():
        return True
    pairs = Comparison.objects.filter(evaluation__project=project, evaluation__state=Evaluation.State.OPEN)
    mine = Lease.objects.filter(trainer=by).values("comparison")
    return pairs.filter(state=Comparison.State.OPEN, open_slots__gt=0).exclude(pk__in=mine).exists()


def in_hand(project: Project, *, by: User) -> Lease | None:
    """The lease that this trainer still holds in the project, the oldest of several."""
    leases = Lease.objects.filter(
        trainer=by,
        state=Lease.State.OPEN,
        comparison__project=project,
        comparison__state=Comparison.State.OPEN,  # a withdrawn comparison is not offered again
    )
    return leases.select_related("comparison").order_by("opened_at").first()


def claim(project: Project, *, by: User) -> Lease | Nothing:
    """The next comparison for this trainer: the one in hand, a gold item if one is due, else the first of the queue.

    One short transaction. The person's membership row is locked throughout, so that two tabs
    that ask at once are given the same comparison and nobody holds more than one in a project.
    """
    with transaction.atomic(durable=True):
        membership = _lock_membership(project, by)
        if membership is None:
            return Nothing(project=project, refusal=_("You do not work in this project. An admin can add you."))
        lease = hold(project, membership)
        if lease is None and project.why_no_new_work:
            return Nothing(project=project, refusal=project.why_no_new_work)
        if lease is None and project.practice_required and wants_practice(project, membership, by=by):
            first = _("First the practice set: it shows you what counts here.")
            return Nothing(project=project, refusal=first, practice_first=True)
        if lease is None and is_gold_due(project, membership):
            lease = take_gold(project, membership)
        lease = lease or _take(project, membership)
        if lease is None and expire_leases(project):
            lease = _take(project, membership)
    return lease or Nothing(project=project)


def renew(lease: Lease, *, by: User, seconds: float) -> Lease:
    """A sign of life while the page is open: the place stays reserved. `seconds` is the time at work so far.

    Raises AssignmentError where the place is no longer held.
    """
    _require_owner(lease, by)
    Lease.objects.filter(id=lease.id).update(
        expires_at=_extended(lease.comparison.project), seconds=Greatest(F("seconds"), Value(float(seconds)))
    )
    lease.refresh_from_db(fields=("state", "expires_at", "seconds"))
    if lease.state != Lease.State.OPEN:
        raise AssignmentError(_("Your place is no longer reserved. You can still submit while one is free."))
    return lease


def save_draft(lease: Lease, *, draft: dict[str, Any], version: int, by: User) -> int:
    """Keep the board as it stands and return its new version. Raises StaleDraft if `version` is not the newest.

    A draft is kept whatever became of the lease, and keeping it renews a lease that is open.
    """
    _require_owner(lease, by)
    if not isinstance(draft, dict) or len(str(draft)) > LONGEST_DRAFT:
        raise AssignmentError(_("This board is too large to keep."))
    saved = Lease.objects.filter(id=lease.id, draft_version=version).update(
        draft=draft,
        draft_version=version + 1,
        draft_saved_at=Now(),
        expires_at=_extended(lease.comparison.project),
    )
    if not saved:
        newest = Lease.objects.only("draft", "draft_version").get(id=lease.id)
        raise StaleDraft(version=newest.draft_version, draft=newest.draft)
    return version + 1


def submit(lease: Lease, submission: Submission, *, key: uuid.UUID, by: User) -> Outcome:
    """Turn a lease into a ranking. Raises AssignmentError on a submission that makes no sense.

    A place that is still held, or one that is free, makes it a ranking; otherwise it is kept, uncounted.
    The same submission again (the same `key`) is the same ranking; another one under that key is refused.
    """
    _require_owner(lease, by)
    require_sense(submission, lease.shown_order)
    try:
        with transaction.atomic(durable=True):
            return _submit_locked(lease, submission, key, by)
    except IntegrityError as error:
        if "submission_key" not in str(error):
            raise
        raise AssignmentError(_("This page has already been used for another ranking. Please reload it.")) from error


def skip(lease: Lease, *, reason: str, by: User) -> None:
    """Give the place back for good: this comparison is never offered to this trainer again."""
    _require_owner(lease, by)
    with transaction.atomic(durable=True):
        comparison = locked(lease)
        lease.refresh_from_db()
        if lease.state not in (Lease.State.OPEN, Lease.State.EXPIRED):
            return
        if lease.state == Lease.State.OPEN:
            move_counts(comparison, open_slots=+1)
        _close(lease, Lease.State.SKIPPED, skip_reason=reason.strip()[:120])
        AuditEvent.note("skip comparison", lease, by=by, reason=lease.skip_reason)


def expire_leases(project: Project | None = None) -> int:
    """Close leases whose time is over and give their places back; returns how many. Any number may run at once."""
    with transaction.atomic():
        return give_back(project)


def _take(project: Project, membership: Membership) -> Lease | None:
    """A place in the queue, or a pair of the open evaluation: the one that its share decides on, else the other."""
    share = membership.evaluation_share  # type: ignore[attr-defined]  # annotated by _lock_membership
    if share is None:
        return take_next(project, membership)
    sources = [take_evaluation, take_next] if random.random() < share else [take_next, take_evaluation]
    return sources[0](project, membership) or sources[1](project, membership)


def _extended(project: Project) -> Case:
    # The state is checked in the value and not in the WHERE clause, for the reason given at _HOLD in
    # labeling.rankings.assignment_sql.
    return Case(When(state=Lease.State.OPEN, then=Now() + project.lease_span), default=F("expires_at"))


def _lock_membership(project: Project, by: User) -> Membership | None:
    """This person's row in the project, locked, with the `evaluation_share` of an open evaluation, None without one.

    Admins, who need no membership to see a project, get one when they rank.
    """
    if by.is_admin:
        Membership.objects.get_or_create(project=project, user=by)
    share = Evaluation.objects.filter(project=OuterRef("project"), state=Evaluation.State.OPEN).values("share")
    memberships = Membership.objects.select_for_update(of=("self",)).annotate(evaluation_share=Subquery(share))
    return memberships.filter(project=project, user=by).first()


def _why_nothing(project: Project) -> str:
    states = set(
        Comparison.objects.filter(project=project, use=Comparison.Use.WORK).values_list("state", flat=True).distinct()
    )
    if coming := coming_sentence(project):
        return coming
    if Comparison.State.SAMPLING in states:
        return _("The next comparisons are being sampled. Please try again in a moment.")
    if Comparison.State.OPEN in states:
        return _("You have seen all that is open; what remains is for other trainers.")
    if states:
        return _("Everything is ranked. New comparisons come with the next round.")
    return _("There are no comparisons in this project yet.")


def locked(lease: Lease) -> Comparison:
    """The comparison of a lease, its row locked: from now on nobody else can change the lease either."""
    # FOR NO KEY UPDATE: each claim of a gold item holds a FOR KEY SHARE lock on its row, which would block FOR UPDATE,
    # and submissions on a gold item must not wait for those who are just given it.
    newest = GuidelineVersion.objects.filter(project=OuterRef("project")).order_by("-version").values("id")[:1]
    comparisons = Comparison.objects.select_for_update(of=("self",), no_key=True).annotate(guidelines=Subquery(newest))
    comparison = comparisons.get(id=lease.comparison_id)
    comparison.project = lease.comparison.project
    return comparison


def _submit_locked(lease: Lease, submission: Submission, key: uuid.UUID, by: User) -> Outcome:
    comparison = locked(lease)
    place = 0  # change of open_slots: 0 if the trainer's lease is still open, since its place is counted already
    if comparison.state == Comparison.State.WITHDRAWN or not _handed_in(lease, submission):
        lease.refresh_from_db()
        if lease.state == Lease.State.SUBMITTED:
            return Outcome(ranking=_repeated(lease, submission, key))
        if lease.state == Lease.State.WITHDRAWN:
            raise AssignmentError(_("You withdrew your ranking of this comparison. Undo that first."))
        refusal = _no_place(comparison)
        if refusal:
            _keep(comparison, lease, submission, key, by)
            return Outcome(sentence=refusal)
        place = -1
        _close(lease, Lease.State.SUBMITTED, seconds=max(lease.seconds, submission.seconds or 0.0))
    if not by.is_simulated:  # a program with a known preference has an order and nothing more
        require_asked(submission, lease.shown_order, comparison.project)
    ranking = insert_ranking(comparison, lease, submission, key)
    move_counts(comparison, open_slots=place, rankings=+1)
    AuditEvent.note("submit ranking", ranking, by=by, lease=str(lease.id))
    return Outcome(ranking=ranking)


def _handed_in(lease: Lease, submission: Submission) -> bool:
    """Close the lease of a locked comparison with a submission, if it is still open; whether it was."""
    seconds = Greatest(F("seconds"), Value(submission.seconds or 0.0))
    # Filtered by closed_at and not by the state, for the reason given at _HOLD in labeling.rankings.assignment_sql.
    still_open = Lease.objects.filter(id=lease.id, closed_at=None)
    return still_open.update(state=Lease.State.SUBMITTED, closed_at=Now(), seconds=seconds) == 1


def _no_place(comparison: Comparison) -> str:
    """Why a submission on a place that is not held cannot count, or nothing."""
    if comparison.state == Comparison.State.WITHDRAWN:
        return _("This comparison was withdrawn meanwhile. Your ranking is kept, but it does not count.")
    if comparison.open_slots == 0 and comparison.has_places:
        return _("Your time was over and others took the place. Your ranking is kept, but it does not count.")
    return ""


def _repeated(lease: Lease, submission: Submission, key: uuid.UUID) -> Ranking:
    """The ranking that this lease already became, if this is the same submission."""
    ranking = Ranking.objects.get(lease=lease)
    if ranking.submission_key != key:
        raise AssignmentError(_("You have already submitted a ranking for this comparison."))
    if judgement_of(ranking) != judgement(submission):
        raise AssignmentError(_("You have already submitted another order for this comparison; that one counts."))
    return ranking


def _keep(comparison: Comparison, lease: Lease, submission: Submission, key: uuid.UUID, by: User) -> None:
    """Keep a submission that does not count with its lease; of several the last, whose trainer reads that it is."""
    before = lease.draft.get("submission")
    kept = json.loads(json.dumps({"key": str(key), **asdict(submission)}))  # as the draft holds it
    is_known = isinstance(before, dict) and before == kept | {"seconds": before.get("seconds")}
    if lease.state == Lease.State.LATE and is_known:
        return
    if lease.state == Lease.State.OPEN:
        move_counts(comparison, open_slots=+1)
    _close(lease, Lease.State.LATE, draft={**lease.draft, "submission": kept})
    AuditEvent.note("keep late ranking", lease, by=by)


def insert_ranking(comparison: Comparison, lease: Lease, submission: Submission, key: uuid.UUID) -> Ranking:
    ranking = Ranking.objects.create(
        comparison=comparison,
        trainer_id=lease.trainer_id,
        lease=lease,
        submission_key=key,
        tiers=[list(tier) for tier in submission.tiers],
        unacceptable_from=submission.unacceptable_from,
        strengths=list(submission.strengths),
        abstained=submission.abstained,
        note=submission.note,
        shown_order=lease.shown_order,
        guideline_version_id=comparison.guidelines,  # type: ignore[attr-defined]
        seconds=submission.seconds or None,
        layout=submission.layout,
    )
    if submission.ratings:
        Rating.objects.bulk_create(Rating(ranking=ranking, **asdict(rating)) for rating in submission.ratings)
    return ranking


def move_counts(comparison: Comparison, *, open_slots: int = 0, rankings: int = 0) -> None:
    """Move the counts of a locked comparison, and its state, its place in the queue and its distance with them."""
    comparison.num_rankings += rankings
    if comparison.has_places:
        comparison.open_slots += open_slots
        comparison.queue_key -= NEARER * rankings
        if comparison.state in (Comparison.State.OPEN, Comparison.State.DONE):
            full = comparison.num_rankings >= comparison.rankings_wanted
            if full and comparison.state == Comparison.State.OPEN and comparison.use == Comparison.Use.WORK:
                announce(comparison.project, Webhook.Event.COMPARISON_COMPLETED, comparison_id=str(comparison.id))
            comparison.state = Comparison.State.DONE if full else Comparison.State.OPEN
    # Filtered by id alone: with `state` in the WHERE clause the planner may not use the primary key.
    comparison.save(update_fields=["open_slots", "num_rankings", "state", "queue_key"])
    if rankings:
        remeasure(comparison)


def _close(lease: Lease, state: Lease.State, **changes: Any) -> None:
    for name, value in changes.items():
        setattr(lease, name, value)
    lease.state, lease.closed_at = state, Now()
    lease.save(update_fields=["state", "closed_at", *changes])


def _require_owner(lease: Lease, by: User) -> None:
    if lease.trainer_id != by.id:
        raise AssignmentError(_("This place belongs to another trainer."))
