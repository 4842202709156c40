"""Samples: a prompt with the answers of two policies, sampled with fixed seeds, then frozen on the public page."""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling.models import AuditEvent, Completion, Policy, Preview, PreviewSample, SampleAnswer, SamplingRun, User
from labeling.models.content_hash import fingerprint
from labeling.sampling import runs
from records.sides import drawn


class SampleError(ValueError):
    """A sample that cannot be made or frozen; the text is for the admin who tried."""


def frozen(preview: Preview) -> QuerySet[PreviewSample]:
    """The samples of the public page."""
    return preview.samples.exclude(frozen_at=None).prefetch_related("answers__policy")


def make(preview: Preview, *, prompt: str, policies: Sequence[Policy], chosen_from: int, by: User) -> PreviewSample:
    """Request the answers of both policies. The seed hangs on the prompt and the policy, so that it is no choice."""
    messages = [{"role": "user", "content": prompt}]
    with transaction.atomic():
        sample = PreviewSample.objects.create(
            preview=preview, messages=messages, chosen_from=chosen_from, created_by=by
        )
        for side, policy in enumerate(policies):
            seed = drawn(f"preview sample: {policy.name} {fingerprint(messages)}") % 2**31
            run = runs.request_completions(
                preview.project,
                purpose=SamplingRun.Purpose.EVALUATION,
                messages=messages,
                num_completions=chosen_from,
                by=by,
                policy=policy,
                sampling=runs.default_sampling(preview.project, seed=seed),
            )
            SampleAnswer.objects.create(sample=sample, side=side, policy=policy, run=run)
        AuditEvent.note("make sample", sample, by=by, policies=[one.name for one in policies], chosen_from=chosen_from)
    return sample


def freeze(sample: PreviewSample, *, chosen: Sequence[Completion], by: User) -> None:
    """Pin the sample with these answers, one of each policy's run. Raises SampleError; it is frozen once."""
    with transaction.atomic():
        PreviewSample.objects.select_for_update().get(pk=sample.pk)
        answers = list(sample.answers.select_related("run"))
        by_run = {one.run_id: one for one in chosen}
        if sample.frozen_at is not None or len(answers) != 2 or {one.run_id for one in answers} != by_run.keys():
            raise SampleError(_("Choose one answer of each model, once both are there."))
        for answer in answers:
            completion = by_run[answer.run_id]
            answer.content, answer.sampling = completion.content, completion.sampling
            answer.finish_reason = completion.finish_reason
            answer.save(update_fields=["content", "sampling", "finish_reason"])
        sample.frozen_at = timezone.now()
        sample.save(update_fields=["frozen_at"])
        AuditEvent.note("freeze sample", sample, by=by)


def remove(sample: PreviewSample, *, by: User) -> None:
    """Take a sample off the page for good, with the runs that were made for it alone."""
    with transaction.atomic():
        AuditEvent.note("remove sample", sample, by=by)
        SamplingRun.objects.filter(id__in=sample.answers.values("run")).delete()
        sample.delete()
