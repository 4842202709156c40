"""Changes of a dialogue's state: submitted, accepted, returned, withdrawn, and each of these undone.

Each locks the dialogue's row, so that the author and a reviewer cannot act on it at the same time.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Case, F, QuerySet, Value, When
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labeling.dialogues.rules import WritingError, lock, require_author, require_editable, require_reviewer
from labeling.models import AuditEvent, Comparison, Completion, Dialogue, Message, User, Withdrawal

State = Dialogue.State
# Verbs of the events that hold what is needed to undo them, or to do it again.
WITHDRAW, ACCEPT, RETURN, UNACCEPT = "withdraw dialogue", "accept dialogue", "return dialogue", "undo acceptance"
LONGEST_REASON = 500  # characters, of a withdrawal


def submit_dialogue(dialogue: Dialogue, *, by: User) -> None:
    """Submit a dialogue for review. Raises WritingError if it is not finished."""
    with transaction.atomic(durable=True):
        lock(dialogue)
        require_editable(dialogue, by)
        _require_finished(list(dialogue.messages.order_by("position")))
        dialogue.guideline_version = dialogue.project.guidelines
        dialogue.state, dialogue.composer = State.SUBMITTED, {}
        dialogue.submitted_at = Now()
        dialogue.version += 1
        dialogue.save(update_fields=["state", "composer", "submitted_at", "guideline_version", "version", "updated_at"])
        AuditEvent.note("submit dialogue", dialogue, by=by)
    dialogue.refresh_from_db(fields=("submitted_at",))


def undo_submission(dialogue: Dialogue, *, by: User) -> None:
    """Take a submission back within the project's grace period. Raises WritingError once it has been reviewed."""
    with transaction.atomic():
        lock(dialogue)
        require_author(dialogue, by)
        until = undo_until(dialogue)
        if until is None:
            raise WritingError(_("This dialogue is not waiting for a review."))
        if timezone.now() > until:
            raise WritingError(_("The time in which it can be taken back is over. A reviewer can return it."))
        _move(dialogue, State.DRAFT)
        AuditEvent.note("undo submission", dialogue, by=by)


def undo_until(dialogue: Dialogue) -> datetime | None:
    """The end of the grace period of a submitted dialogue; None for any other."""
    if dialogue.state != State.SUBMITTED or dialogue.submitted_at is None:
        return None
    return dialogue.submitted_at + dialogue.project.grace_span


def accept(dialogue: Dialogue, *, by: User) -> None:
    """Accept a dialogue, so that later exports include it. Its author can read the comments on it."""
    with transaction.atomic():
        _lock_for_review(dialogue, by, State.SUBMITTED)
        dialogue.reviewed_by, dialogue.reviewed_at = by, timezone.now()
        _move(dialogue, State.ACCEPTED, "reviewed_by", "reviewed_at")
        dialogue.comments.mark_sent()
        _put_back_copies_with_same_text(dialogue)
        AuditEvent.note(ACCEPT, dialogue, by=by)


def undo_acceptance(dialogue: Dialogue, *, by: User) -> None:
    """Undo one's own acceptance, or as an admin anybody's: the dialogue waits for review again.

    Later exports do not include it; labeling.exports.retractions tells of those that do. Copies of a comparison that
    hold a text of it are withdrawn until it is accepted again with the same text.
    """
    with transaction.atomic():
        _lock_for_review(dialogue, by, State.ACCEPTED)
        if not may_undo_acceptance(dialogue, by):
            raise WritingError(_("Somebody else accepted this dialogue. They can undo that, or an admin."))
        copies = _end_acceptance(dialogue)
        _move(dialogue, State.SUBMITTED, "unaccepted_at")
        AuditEvent.note(UNACCEPT, dialogue, by=by, copies=copies)


def may_undo_acceptance(dialogue: Dialogue, by: User) -> bool:
    return dialogue.state == State.ACCEPTED and (by.is_admin or dialogue.reviewed_by_id == by.id)


def return_dialogue(dialogue: Dialogue, *, comment: str, by: User) -> None:
    """Return a dialogue to its author with a comment on it, comments on its messages, or both.

    Later exports do not include it, even if it was accepted.
    """
    with transaction.atomic():
        _lock_for_review(dialogue, by, State.SUBMITTED, State.ACCEPTED)
        if not comment.strip() and not dialogue.comments.filter(sent_at=None).exists():
            raise WritingError(_("Say what its author should change."))
        copies = {"copies": _end_acceptance(dialogue)} if dialogue.state == State.ACCEPTED else {}
        dialogue.reviewed_by, dialogue.reviewed_at = by, timezone.now()
        dialogue.review_comment = comment.strip()
        _move(dialogue, State.RETURNED, "reviewed_by", "reviewed_at", "review_comment", "unaccepted_at")
        dialogue.comments.mark_sent()
        AuditEvent.note(RETURN, dialogue, by=by, comment=dialogue.review_comment, **copies)


def withdraw(dialogue: Dialogue, *, by: User, reason: str = "") -> None:
    """Withdraw a dialogue: nobody sees it and it is never exported. Only for its author or an admin."""
    with transaction.atomic():
        lock(dialogue)
        if not by.is_admin:
            require_author(dialogue, by)
        take_out(dialogue, by=by, reason=reason.strip()[:LONGEST_REASON])


def put_back(dialogue: Dialogue, *, by: User) -> None:
    """Undo one's own withdrawal: the dialogue, and the comparisons that went with it, are what they were before."""
    with transaction.atomic():
        lock(dialogue)
        require_author(dialogue, by)
        event = _withdrawals([dialogue]).order_by("-at", "-id").first()
        if dialogue.state != State.WITHDRAWN or event is None or not _is_undoable(event, by):
            raise WritingError(_("This withdrawal cannot be undone here. An admin knows why."))
        if _is_taken_out(dialogue, Withdrawal.objects.in_force_for(by)):
            raise WritingError(_("An admin took it out; only they can bring it back."))
        bring_back(dialogue, by=by, state=event.detail["state"], copies=event.detail["copies"])


def take_out(dialogue: Dialogue, *, by: User, **detail: object) -> dict[str, object]:
    """Withdraw a dialogue that is locked. Returns what `bring_back` wants; the event holds it and `detail`."""
    before = dialogue.state
    _move(dialogue, State.WITHDRAWN)
    copies = _withdraw_copies(dialogue)
    AuditEvent.note(WITHDRAW, dialogue, by=by, state=before, copies=copies, **detail)
    return {"state": before, "copies": copies}


def bring_back(dialogue: Dialogue, *, by: User, state: str, copies: Sequence[str], **detail: object) -> None:
    """A locked dialogue, and the comparisons that went with it, are again what they were."""
    _move(dialogue, State(state))
    _put_back(Comparison.objects.filter(id__in=copies))
    AuditEvent.note("put back dialogue", dialogue, by=by, state=dialogue.state, **detail)


def that_can_be_put_back(dialogues: Iterable[Dialogue], *, by: User) -> set[str]:
    """The ids of those of these withdrawn dialogues whose last withdrawal this person can undo."""
    dialogues = list(dialogues)
    newest = {event.subject_id: event for event in _withdrawals(dialogues).order_by("at", "id")}
    in_force = list(Withdrawal.objects.in_force_for(by)) if newest else []
    taken_out = {str(dialogue.pk) for dialogue in dialogues if _is_taken_out(dialogue, in_force)}
    return {subject_id for subject_id, event in newest.items() if _is_undoable(event, by)} - taken_out


def _withdrawals(dialogues: Iterable[Dialogue]) -> QuerySet[AuditEvent]:
    ids = [str(dialogue.pk) for dialogue in dialogues]
    return AuditEvent.objects.filter(subject_type="dialogue", subject_id__in=ids, verb=WITHDRAW)


def _is_undoable(event: AuditEvent, by: User) -> bool:
    """Whether this person withdrew it themselves, and the event says what it was before (older ones do not)."""
    return event.by_id == by.id and "state" in event.detail


def _is_taken_out(dialogue: Dialogue, withdrawals: Iterable[Withdrawal]) -> bool:
    """Whether one of these, which are of its author, takes it out."""
    kind = Withdrawal.Kind.BETTER if dialogue.lease_id else Withdrawal.Kind.DIALOGUES
    when = dialogue.created_at
    return any(one.reaches(project_id=dialogue.project_id, kind=kind, made_at=when) for one in withdrawals)


def _end_acceptance(dialogue: Dialogue) -> list[str]:
    """Set when it ended, which the caller saves; returns the ids of the copies that are withdrawn with it."""
    dialogue.unaccepted_at = timezone.now()
    return _withdraw_copies(dialogue)


def _withdraw_copies(dialogue: Dialogue) -> list[str]:
    """Withdraw the copies of a comparison that contain a text of this dialogue; returns their ids.

    The first comparison of a family never contains such a text, so it stays.
    """
    joined = Comparison.objects.exclude(family=None).exclude(family=F("id"))
    copies = joined.filter(completions__message__dialogue=dialogue).exclude(state=Comparison.State.WITHDRAWN)
    ids = [str(copy.id) for copy in copies.select_for_update(of=("self",)).order_by("id")]
    Comparison.objects.filter(id__in=ids).update(state=Comparison.State.WITHDRAWN)
    return ids


def _put_back(copies: QuerySet[Comparison]) -> None:
    full = When(num_rankings__gte=F("rankings_wanted"), then=Value(Comparison.State.DONE))
    withdrawn = copies.filter(state=Comparison.State.WITHDRAWN)
    withdrawn.update(state=Case(full, default=Value(Comparison.State.OPEN)))


def _put_back_copies_with_same_text(dialogue: Dialogue) -> None:
    """Put back the copies that were withdrawn when the last acceptance ended, if they still hold what is accepted."""
    decisions = AuditEvent.objects.filter(subject_type="dialogue", subject_id=str(dialogue.pk))
    copies = set()
    for event in decisions.filter(verb__in=(ACCEPT, RETURN, UNACCEPT)).order_by("-at", "-id"):
        if event.verb == ACCEPT:
            break
        copies |= set(event.detail.get("copies", ()))
    if not copies:
        return
    same = Completion.objects.filter(message__dialogue=dialogue, content=F("message__content"))
    held = same.filter(comparison__in=copies).values_list("comparison_id", flat=True)
    _put_back(Comparison.objects.filter(id__in=list(held)))


def _lock_for_review(dialogue: Dialogue, by: User, *states: State) -> None:
    lock(dialogue)
    require_reviewer(dialogue, by, *states)


def _require_finished(messages: list[Message]) -> None:
    spoken = [message for message in messages if message.role != Message.Role.SYSTEM]
    if not spoken or spoken[-1].role != Message.Role.ASSISTANT:
        raise WritingError(_("A dialogue ends with an answer. Write one, or delete the last message."))
    marked = sum(message.needs_second_look for message in messages)
    if marked:
        raise WritingError(
            ngettext(
                "%(n)d message is marked for a second look. Press “It still fits” beside it, or change it.",
                "%(n)d messages are marked for a second look. Press “It still fits” beside each, or change it.",
                marked,
            )
            % {"n": marked}
        )


def _move(dialogue: Dialogue, state: State, *fields: str) -> None:
    dialogue.state = state
    dialogue.version += 1
    dialogue.save(update_fields=["state", "version", "updated_at", *fields])
