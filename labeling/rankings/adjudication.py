"""The queue of adjudications: a reviewer takes one, orders its board blind, then sees the others and says why.

Whoever ranked the comparison, holds or held a place in it, wrote a text of it where the project forbids ranking one's
own, or has seen how others ranked it is not given it. One that was taken and not ordered in time is for others again;
its reviewer may still order it until somebody else has taken it.

Whatever changes an adjudication locks its row first. Times are the database's.
"""

import uuid
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.models import (
    Adjudication,
    AuditEvent,
    Comparison,
    Completion,
    Lease,
    Project,
    Ranking,
    ReturnedRanking,
    SeenOrders,
    User,
)
from labeling.models.random_order import shuffled
from labeling.rankings.submission import AssignmentError, StaleDraft, Submission, order_of, require_sense

LONGEST_DRAFT = 200_000  # characters of a draft as JSON
State = Adjudication.State


class TakenMeanwhile(AssignmentError):
    """The adjudication is in the hands of somebody else, or is settled."""


def in_hand(project: Project, *, by: User) -> Adjudication | None:
    """What this reviewer has begun: an order whose reason is to come, or a board that they hold."""
    held = Q(state=State.ORDERED) | Q(state=State.WAITING, expires_at__gt=Now())
    mine = Adjudication.objects.of(project).filter(held, reviewer=by, comparison__state__in=Comparison.COMPLETE)
    return mine.select_related("comparison").order_by("state", "sent_at").first()


def open_to(project: Project, *, by: User) -> QuerySet[Adjudication]:
    """Those in the queue that this reviewer may be given."""
    waiting = Adjudication.objects.of(project).that_may_be_taken()
    same = {"comparison": OuterRef("comparison")}
    apart = waiting.exclude(passed__contains=[str(by.pk)]).exclude(
        Exists(Ranking.objects.filter(**same, trainer=by))
        | Exists(Lease.objects.filter(**same, trainer=by).exclude(state=Lease.State.SKIPPED))
        | Exists(SeenOrders.objects.filter(**same, person=by))
    )
    if project.forbids_own_text:
        own = Exists(Completion.objects.filter(**same, author=by))
        apart = apart.exclude(own).exclude(comparison__dialogue__author=by)
    return apart


def claim(project: Project, *, by: User) -> Adjudication | None:
    """The one in hand, else the one that waits longest; None if there is none for this reviewer.

    The reviewer's row is locked throughout, so that two tabs are given the same one; what another reviewer is just
    taking is passed over.
    """
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=by.pk)
        held = in_hand(project, by=by)
        if held is not None or project.why_no_new_work:
            return held
        queue = open_to(project, by=by).select_for_update(of=("self",), skip_locked=True)
        taken = queue.select_related("comparison").order_by("sent_at", "id").first()
        if taken is None:
            return None
        if taken.reviewer_id != by.pk:
            taken.shown_order, taken.draft = _drawn_order(taken.comparison), {}
        taken.reviewer, taken.expires_at = by, Now() + project.lease_span
        taken.save(update_fields=["reviewer", "expires_at", "shown_order", "draft"])
        taken.refresh_from_db(fields=("expires_at",))
    return taken


def renew(adjudication: Adjudication, *, by: User) -> Adjudication:
    """A sign of life while the board is open. Raises TakenMeanwhile where it is not this reviewer's any more."""
    span = adjudication.comparison.project.lease_span
    held = Adjudication.objects.filter(id=adjudication.id, reviewer=by, state=State.WAITING)
    if not held.update(expires_at=Now() + span):
        raise TakenMeanwhile(_("This adjudication is not in your hands any more."))
    adjudication.refresh_from_db(fields=("expires_at",))
    return adjudication


def save_draft(adjudication: Adjudication, *, draft: Any, version: int, by: User) -> int:
    """Keep the board as it stands and return its new version. Raises StaleDraft if `version` is not the newest."""
    if not isinstance(draft, dict) or len(str(draft)) > LONGEST_DRAFT:
        raise AssignmentError(_("This board is too large to keep."))
    mine = Adjudication.objects.filter(id=adjudication.id, reviewer=by, state=State.WAITING)
    span: timedelta = adjudication.comparison.project.lease_span
    kept = mine.filter(draft_version=version).update(
        draft=draft, draft_version=F("draft_version") + 1, expires_at=Now() + span
    )
    if kept:
        return version + 1
    newest = mine.only("draft", "draft_version").first()
    if newest is None:
        raise TakenMeanwhile(_("This adjudication is not in your hands any more."))
    raise StaleDraft(version=newest.draft_version, draft=newest.draft)


def give_back(adjudication: Adjudication, *, by: User) -> None:
    """Leave it to others for good: this reviewer is not given it again."""
    with transaction.atomic():
        locked = _locked(adjudication)
        if locked.state != State.WAITING or locked.reviewer_id != by.pk:
            return
        locked.reviewer, locked.expires_at, locked.draft = None, None, {}
        locked.passed = [*locked.passed, str(by.pk)]
        locked.save(update_fields=["reviewer", "expires_at", "draft", "passed"])
        AuditEvent.note("give adjudication back", locked, by=by)


def order(adjudication: Adjudication, submission: Submission, *, key: uuid.UUID, by: User) -> Adjudication:
    """Store the order that a reviewer gave blind; from now on they see the others. The same twice is one.

    Raises TakenMeanwhile, and AssignmentError where it is no order.
    """
    if submission.abstained is not None:
        raise AssignmentError(_("An adjudication is an order. Give it back if you cannot tell."))
    require_sense(submission, adjudication.shown_order)
    with transaction.atomic():
        locked = _locked(adjudication)
        if locked.state in Adjudication.GIVEN and (locked.submission_key, locked.reviewer_id) == (key, by.pk):
            if order_of(locked) != order_of(submission):
                raise TakenMeanwhile(_("You gave another order already; that one counts."))
            return locked
        if locked.state != State.WAITING or locked.reviewer_id != by.pk:
            raise TakenMeanwhile(
                _("Somebody else has taken this adjudication meanwhile, so your order does not count.")
            )
        _require_apart(locked, by)
        guidelines = locked.comparison.project.guidelines
        locked.tiers = [list(tier) for tier in submission.tiers]
        locked.unacceptable_from, locked.submission_key = submission.unacceptable_from, key
        locked.guideline_version, locked.layout = guidelines, submission.layout
        locked.seconds = submission.seconds or None
        locked.state, locked.ordered_at, locked.expires_at = State.ORDERED, Now(), None
        locked.save()
        note_seen(by, locked.comparison)
        AuditEvent.note("order adjudication", locked, by=by)
    locked.refresh_from_db(fields=("ordered_at",))
    return locked


def decide(
    adjudication: Adjudication,
    *,
    reason: str,
    words: str = "",
    wants_revision: bool = False,
    returned: dict[uuid.UUID, str] | None = None,
    by: User,
) -> Adjudication:
    """Say why the rankings differ: now the adjudication counts. `returned` are the words for the trainer, by lease.

    Raises TakenMeanwhile where it was decided or called off, AssignmentError where a ranking cannot be returned.
    """
    with transaction.atomic():
        locked = _locked(adjudication)
        if locked.state != State.ORDERED or locked.reviewer_id != by.pk:
            raise TakenMeanwhile(_("This adjudication is settled already, or was called off."))
        leases = dict.fromkeys(returned or ())
        known = Lease.objects.filter(id__in=leases, comparison=locked.comparison, state=Lease.State.SUBMITTED)
        if known.count() != len(leases):
            raise AssignmentError(_("A ranking that you return was withdrawn meanwhile. Nothing is stored yet."))
        locked.reason, locked.words, locked.wants_revision = reason, words, wants_revision
        locked.state, locked.decided_at = State.DONE, Now()
        locked.save(update_fields=["reason", "words", "wants_revision", "state", "decided_at"])
        ReturnedRanking.objects.bulk_create(
            ReturnedRanking(adjudication=locked, lease_id=lease, words=text) for lease, text in (returned or {}).items()
        )
        detail = {"reason": reason, "returned": [str(lease) for lease in leases], "wants_revision": wants_revision}
        AuditEvent.note("decide adjudication", locked, by=by, **detail)
    locked.refresh_from_db(fields=("decided_at",))
    return locked


def withdraw(adjudication: Adjudication, *, by: User) -> None:
    """Take back what one gave: the rankings stand as if it had not been. An admin calls off what is not decided."""
    with transaction.atomic():
        locked = _locked(adjudication)
        if not may_withdraw(locked, by=by):
            raise TakenMeanwhile(_("Only who gave an adjudication takes it back, and only once."))
        verb = "withdraw adjudication" if locked.reviewer_id == by.pk else "call adjudication off"
        locked.state, locked.withdrawn_at = State.WITHDRAWN, Now()
        locked.save(update_fields=["state", "withdrawn_at"])
        AuditEvent.note(verb, locked, by=by)


def may_withdraw(adjudication: Adjudication, *, by: User) -> bool:
    if adjudication.state in Adjudication.GIVEN and adjudication.reviewer_id == by.pk:
        return True
    return by.is_admin and adjudication.state in (State.WAITING, State.ORDERED)


def blind_among(project: Project, comparisons: Collection[Comparison], *, by: User) -> set[uuid.UUID]:
    """Those whose adjudication this person holds, or may be given: of these they see nobody's order."""
    if not by.can_review:
        return set()
    waiting = Adjudication.objects.filter(comparison__in=comparisons, state=State.WAITING)
    mine = waiting.filter(reviewer=by, expires_at__gt=Now()).values_list("comparison", flat=True)
    theirs = open_to(project, by=by).filter(comparison__in=comparisons).values_list("comparison", flat=True)
    return {*mine, *theirs}


def is_blind(project: Project, comparison: Comparison, *, by: User) -> bool:
    return bool(blind_among(project, [comparison], by=by))


def note_seen(by: User, *comparisons: Comparison) -> None:
    """Note that this person has seen how others ranked these, so that they get none of them to rank or adjudicate."""
    if by.can_write_and_rank:
        seen = (SeenOrders(comparison=comparison, person=by) for comparison in comparisons)
        SeenOrders.objects.bulk_create(seen, ignore_conflicts=True)


def _locked(adjudication: Adjudication) -> Adjudication:
    rows = Adjudication.objects.select_for_update(of=("self",)).select_related("comparison__project")
    return rows.get(id=adjudication.id)


def _require_apart(adjudication: Adjudication, by: User) -> None:
    """The queue of rankings may have given the comparison to this reviewer after they took the adjudication."""
    has_ranked = Ranking.objects.filter(comparison=adjudication.comparison_id, trainer=by).exists()
    if has_ranked or SeenOrders.objects.filter(comparison=adjudication.comparison_id, person=by).exists():
        raise TakenMeanwhile(
            _("You have ranked this comparison, or seen how others did, so somebody else must adjudicate it.")
        )


def _drawn_order(comparison: Comparison) -> list[str]:
    drawn = comparison.completions.order_by(shuffled(uuid.uuid4()))
    return [str(one) for one in drawn.values_list("id", flat=True)]
