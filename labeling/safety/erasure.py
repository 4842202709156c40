"""Erasing a person's reports and thumbs for good, with what was made of them. The rest of a person is the caller's.

What others' judgements stand on is not erased here: it is retired, and said, so that the caller can tell the person.
"""

import uuid
from dataclasses import dataclass, field
from hashlib import sha256

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from labeling.dialogues import review
from labeling.models import (
    Case,
    Comparison,
    Dialogue,
    FollowUp,
    Probe,
    Prompt,
    PromptVector,
    Ranking,
    Report,
    Thumb,
    User,
)
from labeling.safety.cases import forget_vector, lock_cases, recount
from labeling.safety.follow_ups import SOURCE
from labeling.sampling import thumbs_down

BLANK = "(erased)"


@dataclass(slots=True)
class Erased:
    """What was erased. `thumbs` are ids, since exports may name them; `kept` are ids of prompts that were only retired,
    because rankings or dialogues of others stand on them."""

    num_reports: int = 0
    num_probes: int = 0
    num_prompts: int = 0
    num_demonstrations: int = 0
    thumbs: list[uuid.UUID] = field(default_factory=list)
    kept: list[uuid.UUID] = field(default_factory=list)


def erase_words_of(user: User) -> Erased:
    """Erase the reports and thumbs of this person, and the probes, prompts and drafts that hold their words.

    Better answers are dialogues of theirs, which the caller erases. Safe to repeat.
    """
    erased = Erased()
    with transaction.atomic():
        erase_reports(Report.objects.filter(reporter=user), user, erased)
        _erase_thumbs(user, erased)
    return erased


def erase_reports(reports: QuerySet[Report], user: User, erased: Erased) -> None:
    """Erase these reports and what was made of them: the texts in both are this person's, whoever reported them."""
    for project in sorted(reports.order_by().values_list("project", flat=True).distinct(), key=str):
        lock_cases(project)
    for row in FollowUp.objects.filter(report__in=reports).select_related("prompt", "dialogue"):
        _erase_follow_up(row, user, erased)
    cases = list(Case.objects.filter(reports__in=reports).distinct())
    erased.num_reports = reports.count()
    reports.delete()
    recount(cases)
    for case in Case.objects.filter(id__in=[one.id for one in cases]):
        forget_vector(case)


def _erase_follow_up(row: FollowUp, user: User, erased: Erased) -> None:
    if row.probe_id is not None:
        Probe.objects.filter(id=row.probe_id).delete()
        erased.num_probes += 1
    if row.dialogue is not None:
        _erase_demonstration(row.dialogue, user, erased)
    if row.prompt is not None:
        _erase_prompt(row.prompt, SOURCE, erased)
    FollowUp.objects.filter(id=row.id).delete()


def _erase_thumbs(user: User, erased: Erased) -> None:
    given = Thumb.objects.filter(Q(outside_trainer=user.pseudonym) | Q(created_by=user, message__isnull=False))
    prompts = list(Prompt.objects.filter(thumbs__in=given).distinct())
    erased.thumbs = list(given.values_list("id", flat=True))
    given.delete()
    for prompt in prompts:
        if not Thumb.objects.filter(prompt=prompt).exists():
            _erase_prompt(prompt, thumbs_down.SOURCE, erased)


def _erase_prompt(prompt: Prompt, source: str, erased: Erased) -> None:
    """Blank and retire a prompt that was made here; one that was in the pool before holds others' words, and stays."""
    if prompt.source != source or FollowUp.objects.filter(prompt=prompt).exclude(report=None).count() > 1:
        return
    if prompt.retired_at is None:
        Prompt.objects.filter(id=prompt.id).update(retired_at=timezone.now())
    compared = Comparison.objects.filter(prompt=prompt)
    if Ranking.objects.filter(comparison__in=compared).exists() or Dialogue.objects.filter(prompt=prompt).exists():
        erased.kept.append(prompt.id)
        return
    compared.delete()
    PromptVector.objects.filter(prompt=prompt).delete()
    Prompt.objects.filter(id=prompt.id).update(
        messages=[{"role": "user", "content": BLANK}],
        content_sha256=sha256(f"erased {prompt.id}".encode()).hexdigest(),
        topic="",
        has_vector=True,  # nobody embeds what is blank
    )
    erased.num_prompts += 1


def _erase_demonstration(dialogue: Dialogue, user: User, erased: Erased) -> None:
    """A draft goes as a whole; of one that was handed in the person's words, and it is withdrawn."""
    erased.num_demonstrations += 1
    if dialogue.state == Dialogue.State.DRAFT:
        dialogue.delete()
        return
    dialogue.messages.filter(authorship="imported").update(content=BLANK)
    if dialogue.state != Dialogue.State.WITHDRAWN:
        review.take_out(dialogue, by=user, reason="erasure")
