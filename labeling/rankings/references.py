"""Reference rankings: comparisons with a known order, for newcomers to practise on or as gold items in the queue.

A reference belongs to a copy of a comparison; the original stays work. Both are of one family, so that nobody is
given both (docs/decisions/0008).
"""

import uuid
from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from labeling.models import AuditEvent, Comparison, Completion, Reference, User
from labeling.rankings.comparison_copies import copy_comparison, copy_completions
from labeling.rankings.submission import Submission, order_of, require_sense

USES = (Comparison.Use.PRACTICE, Comparison.Use.GOLD)


class InvalidReference(ValueError):
    """The reference cannot be made or brought back; the text is for the person."""


def live_reference(comparison: Comparison) -> Reference | None:
    """The reference in the family of a comparison that is not retired; None if there is none."""
    if comparison.family_id is None:
        return None
    family = Reference.objects.filter(comparison__family=comparison.family_id)
    return family.exclude(comparison__state=Comparison.State.WITHDRAWN).select_related("comparison").first()


def make_reference(
    comparison: Comparison,
    submission: Submission,
    *,
    use: str,
    lesson: str = "",
    explanation: str = "",
    key: uuid.UUID,
    by: User,
) -> Reference:
    """Copy a comparison and give the copy this order and use.

    `key` becomes the copy's id, so that a page that is sent twice makes one reference; another reference under that
    key is refused. The original is locked, so that two people cannot each make one. Raises InvalidReference, and
    AssignmentError if the order is invalid.
    """
    with transaction.atomic():
        original = Comparison.objects.select_for_update().get(id=comparison.id)
        present = Reference.objects.filter(comparison_id=key).first()
        if present is not None:
            _require_same(present, original, submission, (use, lesson, explanation))
            return present
        completions = list(original.completions.order_by("index", "id"))
        require_sense(submission, [str(one.id) for one in completions])
        _require_use(use, submission, explanation)
        _require_fit(original)
        copy = copy_comparison(original, id=key, use=use)
        new_ids = _create_copies(completions, copy)
        reference = Reference.objects.create(
            comparison=copy,
            tiers=[[new_ids[identifier] for identifier in tier] for tier in submission.tiers],
            unacceptable_from=submission.unacceptable_from,
            lesson=lesson,
            explanation=explanation,
            made_by=by,
        )
        AuditEvent.note("make reference", copy, by=by, origin=str(original.id), use=use)
    return reference


def change_explanation(reference: Reference, *, lesson: str, explanation: str, by: User) -> None:
    """Change lesson and explanation. The order can never be changed, since people were measured by it."""
    with transaction.atomic():
        AuditEvent.note("change reference", reference.comparison, by=by, before=reference.explanation)
        reference.lesson, reference.explanation = lesson, explanation
        reference.save(update_fields=["lesson", "explanation"])


def set_retired(reference: Reference, *, retired: bool, by: User) -> None:
    """Retire a reference, or bring it back. The rankings that people made of it stay.

    Raises InvalidReference if the family has another reference in use by now.
    """
    state = Comparison.State.WITHDRAWN if retired else Comparison.State.OPEN
    with transaction.atomic():
        if not retired:
            _require_no_other(reference)
        Comparison.objects.filter(id=reference.comparison_id).update(state=state)
        AuditEvent.note("retire reference" if retired else "bring reference back", reference.comparison, by=by)


def _require_same(
    present: Reference, original: Comparison, submission: Submission, words: tuple[str, str, str]
) -> None:
    """Refuse another order, use, lesson or explanation under a key that has made a reference."""
    old_ids = {str(one.id): str(one.copied_from_id) for one in present.comparison.completions.all()}
    copied = Submission(
        tiers=tuple(tuple(old_ids[identifier] for identifier in tier) for tier in present.tiers),
        unacceptable_from=present.unacceptable_from,
    )
    is_same = present.comparison.family_id == original.family_id and order_of(copied) == order_of(submission)
    if not is_same or (present.comparison.use, present.lesson, present.explanation) != words:
        raise InvalidReference(_("This page has already been used for another ranking. Please reload it."))


def _require_no_other(reference: Reference) -> None:
    """Refuse a second reference in a family: the two orders could contradict, or one would reveal the other."""
    other = live_reference(reference.comparison)
    if other is not None and other.pk != reference.pk:
        raise InvalidReference(_("This comparison has another reference ranking by now. Retire that one first."))


def _require_use(use: str, submission: Submission, explanation: str) -> None:
    if use not in USES:
        raise InvalidReference(_("Choose what it is for: practice or gold."))
    if submission.abstained is not None:
        raise InvalidReference(_("A reference ranking is an order."))
    if use == Comparison.Use.PRACTICE and not explanation.strip():
        raise InvalidReference(_("Practice teaches by its explanation. Write why this order is right."))
    if len(submission.tiers) < 2:
        raise InvalidReference(_("Where all are tied there is nothing to agree on. Put at least one above another."))


def _require_fit(original: Comparison) -> None:
    if original.use != Comparison.Use.WORK or original.state not in Comparison.COMPLETE:
        raise InvalidReference(_("This comparison cannot be used: it is withdrawn, incomplete, or a copy itself."))
    if live_reference(original) is not None:
        raise InvalidReference(_("This comparison has a reference ranking already. Retire that one first."))


def _create_copies(completions: Sequence[Completion], copy: Comparison) -> dict[str, str]:
    """Copy the completions into `copy`; returns the new id for each old one."""
    made = Completion.objects.bulk_create(copy_completions(completions, comparison=copy))
    return {str(old.id): str(new.id) for old, new in zip(completions, made, strict=True)}
