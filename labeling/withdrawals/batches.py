"""Withdrawing a person's work, and undoing that: batches of rows, one short transaction each.

The locks of a batch, in this order: the withdrawal's row, so that two who go on with it take turns; then dialogues by
id and the copies of comparisons made with them, or comparisons by id and the leases on them, which is the order of
labeling.dialogues.review and labeling.rankings.assignment; or thumbs by id. A batch is of one kind. Exports are not
locked: one that is being built leaves out what is withdrawn before it reads it, and is marked for the rest.

Nothing is forgotten: whoever finds a withdrawal unfinished, the page that began it or the sweep, goes on with it.
"""

import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.dialogues import regeneration, review
from labeling.dialogues.suggestions import stop_runs
from labeling.models import (
    AuditEvent,
    Comparison,
    Dialogue,
    Lease,
    Project,
    Ranking,
    SamplingRun,
    Thumb,
    User,
    Withdrawal,
    WithdrawnRow,
)
from labeling.rankings import mending
from labeling.withdrawals.selection import KINDS, Kind, is_known_outside, rows_of, wanted_by

BATCH = 100  # rows of one transaction: about a quarter of a second
PATIENCE = 5.0  # seconds for which a page goes on with batches before it leaves the rest to the sweep
SWEEP_SECONDS = 5.0
LONGEST_TEXT = 2000  # characters of a reason
State = Withdrawal.State


class WithdrawalError(ValueError):
    """A withdrawal that cannot be made or undone; the message is for the admin who tried."""


def begin(
    project: Project,
    *,
    by: User,
    reason: str,
    kinds: Sequence[str] = KINDS,
    person: User | None = None,
    outside_person: str = "",
    since: datetime | None = None,
    text: str = "",
    key: uuid.UUID | None = None,
) -> Withdrawal:
    """Withdraw what this person, or this outside name, made in the project until now. Raises WithdrawalError.

    The same `key` again is the same withdrawal. What is not done within PATIENCE the sweep does.
    """
    _require_admin(by)
    chosen = [kind for kind in KINDS if kind in kinds]
    if not chosen:
        raise WithdrawalError(_("Choose at least one kind of work."))
    if (person is None) == (not outside_person):
        raise WithdrawalError(_("Choose an account, or give a name of imported rows: one of both."))
    if outside_person and not is_known_outside(project, outside_person):
        raise WithdrawalError(_("Nothing came in under the name “%(name)s”.") % {"name": outside_person})
    if reason == Withdrawal.Reason.OTHER and not text.strip():
        raise WithdrawalError(_("Say what the other reason is."))
    values = {
        "project": project,
        "person": person,
        "outside_person": outside_person,
        "kinds": chosen,
        "since": since,
        "reason": reason,
        "text": text.strip()[:LONGEST_TEXT],
        "by": by,
    }
    with transaction.atomic():
        withdrawal, is_new = Withdrawal.objects.get_or_create(id=key or uuid.uuid4(), defaults=values)
        if withdrawal.project_id != project.id:
            raise WithdrawalError(_("This page has been used for another withdrawal already. Please reload it."))
        if is_new:
            AuditEvent.note("withdraw for a person", withdrawal, by=by, **_facts(withdrawal))
    go_on(withdrawal.id, seconds=PATIENCE)
    withdrawal.refresh_from_db()
    return withdrawal


def undo(withdrawal: Withdrawal, *, by: User, reason: str) -> None:
    """Put back everything that this withdrawal took out and that can count again. Raises WithdrawalError."""
    _require_admin(by)
    if not reason.strip():
        raise WithdrawalError(_("Say why it is undone."))
    with transaction.atomic():
        locked = Withdrawal.objects.select_for_update(of=("self",)).get(id=withdrawal.id)
        if locked.state == State.RUNNING:
            raise WithdrawalError(_("It is still under way. Undo it when it is done."))
        if locked.state == State.DONE:
            locked.state, locked.undone_by, locked.undone_at = State.UNDOING, by, Now()
            locked.undone_reason = reason.strip()[:LONGEST_TEXT]
            locked.save(update_fields=["state", "undone_by", "undone_at", "undone_reason"])
            AuditEvent.note("undo withdrawal", locked, by=by, reason=locked.undone_reason)
    go_on(withdrawal.id, seconds=PATIENCE)
    withdrawal.refresh_from_db()


def go_on(withdrawal_id: uuid.UUID, *, seconds: float) -> int:
    """Do batches until all is done or the time is over; returns how many rows were dealt with."""
    until, num = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        done = _batch(withdrawal_id)
        num += done or 0
        if done is None:
            break
        if done == 0:
            _wait_for_submissions(withdrawal_id)
            if not _batch(withdrawal_id, is_last=True):
                break
    return num


def sweep() -> int:
    """Go on with what nobody finished."""
    unfinished = Withdrawal.objects.filter(state__in=Withdrawal.UNDER_WAY).order_by("at").values_list("id", flat=True)
    return sum(go_on(one, seconds=SWEEP_SECONDS) for one in list(unfinished[:10]))


def _batch(withdrawal_id: uuid.UUID, *, is_last: bool = False) -> int | None:
    """The next rows of one kind; 0 where there are none left, None where it is done. `is_last` then closes it."""
    _stop_sampling(withdrawal_id)
    with transaction.atomic(durable=True):
        withdrawal = (
            Withdrawal.objects.select_for_update(of=("self",)).select_related("project", "person", "by", "undone_by")
        ).get(id=withdrawal_id)
        if withdrawal.state == State.RUNNING:
            num, closed = _take_out_some(withdrawal), State.DONE
        elif withdrawal.state == State.UNDOING:
            num, closed = _put_back_some(withdrawal), State.UNDONE
        else:
            return None
        if not num and is_last:
            withdrawal.state = closed
            withdrawal.save(update_fields=["state"])
    return num


def _wait_for_submissions(withdrawal_id: uuid.UUID) -> None:
    """Return once no submission of this person that began before is still open: its ranking is then to be seen.

    A submission locks its comparison first, so whoever gets these locks has waited for all of them. A transaction of
    its own: nothing else may be locked before them.
    """
    withdrawal = Withdrawal.objects.get(id=withdrawal_id)
    if withdrawal.person_id is None or withdrawal.state != State.RUNNING:
        return
    open_places = Lease.objects.filter(
        trainer=withdrawal.person_id,
        comparison__project=withdrawal.project_id,
        state__in=(Lease.State.OPEN, Lease.State.EXPIRED),
    )
    with transaction.atomic(durable=True):
        list(_locked_comparisons(open_places.values("comparison")).values_list("id"))


def _take_out_some(withdrawal: Withdrawal) -> int:
    wanted = wanted_by(withdrawal)
    for kind in withdrawal.kinds:
        if ids := list(rows_of(wanted, kind).values_list("id", flat=True)[:BATCH]):
            rows = _TAKE_OUT[kind](withdrawal, ids)
            WithdrawnRow.objects.bulk_create(
                WithdrawnRow(withdrawal=withdrawal, kind=kind, row_id=row_id, before=before) for row_id, before in rows
            )
            return len(ids)
    return 0


def _take_out_rankings(withdrawal: Withdrawal, ids: Sequence[uuid.UUID]) -> list[tuple[uuid.UUID, Any]]:
    taken: list[tuple[uuid.UUID, Any]] = []
    for ranking, comparison in _locked_rankings(ids):
        if ranking.retracted_at is None:  # else its author was faster
            mending.take_out(ranking, comparison)
            AuditEvent.note("withdraw ranking", ranking, by=withdrawal.by, **_reference(withdrawal))
            taken.append((ranking.id, {}))
    return taken


def _take_out_dialogues(withdrawal: Withdrawal, ids: Sequence[uuid.UUID]) -> list[tuple[uuid.UUID, Any]]:
    return [
        (dialogue.id, review.take_out(dialogue, by=withdrawal.by, **_reference(withdrawal)))
        for dialogue in _locked_dialogues(ids)
        if dialogue.state != Dialogue.State.WITHDRAWN
    ]


def _take_out_thumbs(withdrawal: Withdrawal, ids: Sequence[uuid.UUID]) -> list[tuple[uuid.UUID, Any]]:
    thumbs = [thumb for thumb in _locked_thumbs(ids) if thumb.retracted_at is None]
    Thumb.objects.filter(id__in=[thumb.id for thumb in thumbs]).update(retracted_at=Now())
    for thumb in thumbs:
        AuditEvent.note("retract thumb", thumb, by=withdrawal.by, **_reference(withdrawal))
    return [(thumb.id, {}) for thumb in thumbs]


def _put_back_some(withdrawal: Withdrawal) -> int:
    waiting = withdrawal.rows.filter(put_back_at=None, stays_out="")
    for kind in withdrawal.kinds:
        if rows := {row.row_id: row for row in waiting.filter(kind=kind).order_by("row_id")[:BATCH]}:
            refused = _PUT_BACK[kind](withdrawal, rows)
            for row_id, why in refused.items():
                rows[row_id].stays_out = why[:200]
            WithdrawnRow.objects.bulk_update(rows.values(), ["stays_out"])
            withdrawal.rows.filter(id__in=[row.id for row in rows.values()], stays_out="").update(put_back_at=Now())
            return len(rows)
    return 0


def _put_back_rankings(withdrawal: Withdrawal, rows: dict[uuid.UUID, WithdrawnRow]) -> dict[uuid.UUID, str]:
    refused = {}
    assert withdrawal.undone_by is not None
    for ranking, comparison in _locked_rankings(list(rows)):
        if why := _why_ranking_stays_out(ranking, comparison):
            refused[ranking.id] = why
            continue
        if ranking.is_choice:
            comparison.state = Comparison.State.DONE
        mending.bring_back(ranking, comparison)
        AuditEvent.note("put back ranking", ranking, by=withdrawal.undone_by, **_reference(withdrawal))
    return refused


def _why_ranking_stays_out(ranking: Ranking, comparison: Comparison) -> str:
    if ranking.retracted_at is None:
        return _("It counted already.")
    if comparison.state == Comparison.State.WITHDRAWN and not ranking.is_choice:
        return _("Its comparison was withdrawn meanwhile.")
    same = comparison.rankings.filter(retracted_at=None).exclude(id=ranking.id)
    if ranking.trainer_id is not None and same.filter(trainer=ranking.trainer_id).exists():
        return _("Its author has ranked the comparison again.")
    if ranking.outside_id and same.filter(outside_id=ranking.outside_id).exists():
        return _("A newer version of it was imported.")
    return ""


def _put_back_dialogues(withdrawal: Withdrawal, rows: dict[uuid.UUID, WithdrawnRow]) -> dict[uuid.UUID, str]:
    refused = {}
    assert withdrawal.undone_by is not None
    for dialogue in _locked_dialogues(list(rows)):
        if dialogue.state != Dialogue.State.WITHDRAWN:
            refused[dialogue.id] = _("It was back already.")
            continue
        before = rows[dialogue.id].before
        review.bring_back(
            dialogue,
            by=withdrawal.undone_by,
            state=before["state"],
            copies=before["copies"],
            **_reference(withdrawal),
        )
    return refused


def _put_back_thumbs(withdrawal: Withdrawal, rows: dict[uuid.UUID, WithdrawnRow]) -> dict[uuid.UUID, str]:
    assert withdrawal.undone_by is not None
    refused = {}
    for thumb in _locked_thumbs(list(rows)):
        if thumb.is_replaced:
            refused[thumb.id] = _("Its author has given another.")
            continue
        Thumb.objects.filter(id=thumb.id).update(retracted_at=None)
        AuditEvent.note("bring thumb back", thumb, by=withdrawal.undone_by, **_reference(withdrawal))
    return refused


_TAKE_OUT: dict[str, Callable[[Withdrawal, Sequence[uuid.UUID]], list[tuple[uuid.UUID, Any]]]] = {
    Kind.RANKINGS: _take_out_rankings,
    Kind.DIALOGUES: _take_out_dialogues,
    Kind.BETTER: _take_out_dialogues,
    Kind.THUMBS: _take_out_thumbs,
}
_PUT_BACK: dict[str, Callable[[Withdrawal, dict[uuid.UUID, WithdrawnRow]], dict[uuid.UUID, str]]] = {
    Kind.RANKINGS: _put_back_rankings,
    Kind.DIALOGUES: _put_back_dialogues,
    Kind.BETTER: _put_back_dialogues,
    Kind.THUMBS: _put_back_thumbs,
}


def _locked_rankings(ids: Sequence[uuid.UUID]) -> Iterable[tuple[Ranking, Comparison]]:
    """These rankings as they are once their comparisons are locked; those of one comparison share it."""
    of_these = Ranking.objects.filter(id__in=ids)
    comparisons = {one.id: one for one in _locked_comparisons(of_these.values("comparison"))}
    for ranking in of_these.select_related("lease").order_by("comparison_id", "id"):
        yield ranking, comparisons[ranking.comparison_id]


def _locked_comparisons(ids: Any) -> Any:
    # FOR NO KEY UPDATE, for the reason given at `locked` in labeling.rankings.assignment.
    rows = Comparison.objects.filter(id__in=ids).select_related("project").order_by("id")
    return rows.select_for_update(of=("self",), no_key=True)


def _locked_dialogues(ids: Sequence[uuid.UUID]) -> list[Dialogue]:
    return list(Dialogue.objects.select_for_update(of=("self",)).filter(id__in=ids).order_by("id"))


def _locked_thumbs(ids: Sequence[uuid.UUID]) -> list[Thumb]:
    return list(Thumb.objects.select_for_update(of=("self",)).filter(id__in=ids).order_by("id"))


def _stop_sampling(withdrawal_id: uuid.UUID) -> None:
    """Stop what is being sampled for the dialogues; before they are locked, since a finished run locks them too."""
    withdrawal = Withdrawal.objects.select_related("project", "person", "by").get(id=withdrawal_id)
    if withdrawal.state != State.RUNNING or withdrawal.person is None:
        return
    alive = SamplingRun.objects.filter(dialogue__author=withdrawal.person, state__in=("waiting", "sent", "running"))
    for kind in {Kind.DIALOGUES, Kind.BETTER} & set(withdrawal.kinds):
        rows = rows_of(wanted_by(withdrawal), kind)
        for dialogue in rows.filter(id__in=alive.values("dialogue")):
            stop_runs(dialogue, by=withdrawal.by)
            regeneration.stop_regenerating(dialogue, by=withdrawal.by)


def _require_admin(by: User) -> None:
    if not by.is_admin:
        raise WithdrawalError(_("Only an admin withdraws another person's work."))


def _reference(withdrawal: Withdrawal) -> dict[str, str]:
    """What the event of a row says of the withdrawal that it belongs to."""
    return {"withdrawal": str(withdrawal.id), "reason": withdrawal.reason}


def _facts(withdrawal: Withdrawal) -> dict[str, Any]:
    return {
        "person": str(withdrawal.person_id) if withdrawal.person_id else None,
        "outside_person": withdrawal.outside_person or None,
        "kinds": withdrawal.kinds,
        "since": withdrawal.since.isoformat() if withdrawal.since else None,
        "reason": withdrawal.reason,
        "text": withdrawal.text,
    }
