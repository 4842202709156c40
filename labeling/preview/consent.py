"""What a visitor lets models learn from, and what follows when they change their mind.

Exports ask for consent themselves (labeling.exports.visitors). Taking it back also takes out what was made under it, as
withdrawals do: choices are retracted, so that exports and models made with them are marked, and prompts are retired.
"""

from django.db import transaction
from django.db.models.functions import Now

from labeling.models import AuditEvent, Comparison, Consent, Preview, Prompt, Ranking, User
from labeling.preview.door import give_consent
from labeling.safety import reports, thumbs


def consent_of(user: User, preview: Preview) -> Consent | None:
    return Consent.objects.in_force().filter(user=user, preview=preview).first()


def set_training(user: User, preview: Preview, *, training: bool) -> None:
    """A new consent with this word on training; saying the same again changes nothing."""
    with transaction.atomic():
        before = consent_of(user, preview)
        give_consent(user, preview, training=training)
        if before is not None and before.training and not training:
            _take_out(user, preview)


def _take_out(user: User, preview: Preview) -> None:
    chosen = Ranking.objects.filter(
        trainer=user,
        comparison__project=preview.project_id,
        comparison__use=Comparison.Use.PREVIEW,
        retracted_at=None,
    )
    prompts = Prompt.objects.in_use().filter(visitors__dialogue__author=user, project=preview.project_id)
    reports.forbid_training(user)
    thumbs.forbid_training(user)
    counts = {"num_rankings": chosen.update(retracted_at=Now()), "num_prompts": prompts.update(retired_at=Now())}
    AuditEvent.note("withdraw consent", user, by=user, preview=preview.slug, **counts)
