"""Reference rankings: a comparison whose order is given, for newcomers to practise on or as a gold item in the queue.

The comparison it was made from stays work. What people practise on or are measured by is a copy of the same
completions, of one family with it, so that nobody meets both (docs/decisions/0008).
"""

import uuid
from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from labeling.models import AuditEvent, Comparison, Completion, Reference, User
from labeling.rankings.comparison_copies import copies, copy_comparison
from labeling.rankings.submission import Submission, require_sense

USES = (Comparison.Use.PRACTICE, Comparison.Use.GOLD)


class UnfitReference(ValueError):
    """A reference that cannot be made; the text is for the person."""


def live_reference(comparison: Comparison) -> Reference | None:
    """The reference that is in use among the relatives of a comparison."""
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
    """Copy a comparison, and give the copy this order and a use.

    `key` becomes the copy's id, so that the same page sent twice makes one. Raises UnfitReference, and
    AssignmentError where the order makes no sense.
    """
    with transaction.atomic():
        original = Comparison.objects.select_for_update().get(id=comparison.id)
        present = Reference.objects.filter(comparison_id=key).first()
        if present is not None:
            return present
        completions = list(original.completions.order_by("index", "id"))
        require_sense(submission, [str(one.id) for one in completions])
        _require_use(use, submission, explanation)
        _require_fit(original)
        copy = copy_comparison(original, id=key, use=use)
        new_ids = _copy_completions(completions, copy)
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


def change_words(reference: Reference, *, lesson: str, explanation: str, by: User) -> None:
    """Another explanation of the same order. The order itself never changes: people were measured by it."""
    with transaction.atomic():
        AuditEvent.note("change reference", reference.comparison, by=by, before=reference.explanation)
        reference.lesson, reference.explanation = lesson, explanation
        reference.save(update_fields=["lesson", "explanation"])


def set_retired(reference: Reference, *, retired: bool, by: User) -> None:
    """Hand it out no more, or again. What people did on it stays.

    Raises UnfitReference where another took its place meanwhile.
    """
    state = Comparison.State.WITHDRAWN if retired else Comparison.State.OPEN
    with transaction.atomic():
        if not retired:
            _require_alone(reference)
        Comparison.objects.filter(id=reference.comparison_id).update(state=state)
        AuditEvent.note("retire reference" if retired else "bring reference back", reference.comparison, by=by)


def _require_alone(reference: Reference) -> None:
    """Two orders of one set of completions would contradict each other, or one give the other away."""
    other = live_reference(reference.comparison)
    if other is not None and other.pk != reference.pk:
        raise UnfitReference(_("This comparison has another reference ranking by now. Retire that one first."))


def _require_use(use: str, submission: Submission, explanation: str) -> None:
    if use not in USES:
        raise UnfitReference(_("Choose what it is for: practice or gold."))
    if submission.abstained is not None:
        raise UnfitReference(_("A reference ranking is an order."))
    if use == Comparison.Use.PRACTICE and not explanation.strip():
        raise UnfitReference(_("Practice teaches by its explanation. Write why this order is right."))
    if len(submission.tiers) < 2:
        raise UnfitReference(_("Where all are tied there is nothing to agree on. Put at least one above another."))


def _require_fit(original: Comparison) -> None:
    if original.use != Comparison.Use.WORK or original.state not in Comparison.COMPLETE:
        raise UnfitReference(_("This comparison cannot be used: it is withdrawn, incomplete, or a copy itself."))
    if live_reference(original) is not None:
        raise UnfitReference(_("This comparison has a reference ranking already. Retire that one first."))


def _copy_completions(completions: Sequence[Completion], copy: Comparison) -> dict[str, str]:
    """Make the copies; returns the new id of each old one."""
    made = Completion.objects.bulk_create(copies(completions, comparison=copy))
    return {str(old.id): str(new.id) for old, new in zip(completions, made, strict=True)}
