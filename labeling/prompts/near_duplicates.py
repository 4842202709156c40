"""Near-duplicates among a project's prompts: found by what they mean, shown in pairs, retired by a person.

The model side turns prompts into vectors, a batch at a time: an answer asks for the next batch, and the sweeper
begins anew where that chain broke. Each prompt is compared with all that were compared before it, so a pair is
found once, and the prompt that it points to is the one that was there first.
"""

import logging
from datetime import timedelta
from functools import partial

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from pgvector import HalfVector
from pgvector.django import CosineDistance

from labeling.jobs import dispatch
from labeling.models import AuditEvent, Project, Prompt, PromptVector, User
from records import EmbedRequest, EmbedResult

logger = logging.getLogger(__name__)

NEAR = 0.9  # cosine from which two prompts are shown as a pair; docs/experiments.md says what it finds
BATCH = 64  # prompts embedded at once: a second or two of one core
LONGEST = 8_000  # characters of a prompt that are looked at
PATIENCE = timedelta(minutes=15)  # then a batch counts as lost


def ask_for_vectors(project: Project) -> int:
    """Ask for the vectors of the oldest prompts that have none, unless some are on their way; returns of how many."""
    without = Prompt.objects.filter(project=project, has_vector=False)
    if without.filter(vector_asked_at__gt=Now() - PATIENCE).exists():
        return 0
    with transaction.atomic():
        prompts = list(without.order_by("created_at").select_for_update(skip_locked=True, no_key=True)[:BATCH])
        if not prompts:
            return 0
        Prompt.objects.filter(id__in=[prompt.id for prompt in prompts]).update(vector_asked_at=Now())
        request = EmbedRequest(
            ids=tuple(str(prompt.id) for prompt in prompts), texts=tuple(text_of(prompt) for prompt in prompts)
        )
        transaction.on_commit(partial(_ring, request), robust=True)
    return len(prompts)


def text_of(prompt: Prompt) -> str:
    """What is compared: all that is said, but for a system message, which a whole project may share."""
    said = (message["content"] for message in prompt.messages if message["role"] != "system")
    return "\n".join(said)[:LONGEST]


def record_vectors(result: EmbedResult) -> int:
    """Keep vectors with the nearest earlier prompt of each, and ask for more; returns how many were new."""
    if result.error is not None:
        logger.warning("Near-duplicates among prompts are not looked for: %s", result.error)
        return 0
    vectors = dict(zip(result.ids, result.vectors, strict=True))
    with transaction.atomic(durable=True):
        prompts = list(
            Prompt.objects.filter(id__in=result.ids, has_vector=False)
            .select_related("project")
            .order_by("created_at", "id")
            .select_for_update(of=("self",), no_key=True)
        )
        projects = {prompt.project_id: prompt.project for prompt in prompts}
        _one_at_a_time(sorted(map(str, projects)))
        for prompt in prompts:
            _keep(prompt, vectors[str(prompt.id)])
    for project in projects.values():
        ask_for_vectors(project)
    return len(prompts)


def pairs(project: Project, *, at_least: float = NEAR) -> QuerySet[PromptVector]:
    """Prompts that are nearly an earlier one, nearest first; neither is retired, and nobody said to keep both."""
    both_in_use = Q(prompt__retired_at=None, resembles__retired_at=None)
    found = PromptVector.objects.filter(
        both_in_use, project=project, resembles__isnull=False, kept_at=None, similarity__gte=at_least
    )
    return found.select_related("prompt", "resembles").defer("vector").order_by("-similarity", "prompt_id")


def earlier_of(prompt: Prompt) -> Prompt | None:
    """The prompt that this one is nearly the same as; None where there is none."""
    return Prompt.objects.filter(resembled_by__prompt=prompt).first()


def num_waiting(project: Project) -> int:
    """How many prompts were not compared with the others yet."""
    return Prompt.objects.in_use().filter(project=project, has_vector=False).count()


def retired(project: Project) -> QuerySet[Prompt]:
    """The prompts that were retired, the newest first."""
    rows = Prompt.objects.filter(project=project, retired_at__isnull=False)
    return rows.select_related("retired_by").order_by("-retired_at", "id")


def set_retired(prompt: Prompt, *, retired: bool, by: User) -> bool:
    """Take a prompt out of use, or back into it; False where it was so already. What was made of it stays."""
    with transaction.atomic():
        changed = Prompt.objects.filter(id=prompt.id, retired_at__isnull=retired).update(
            retired_at=Now() if retired else None, retired_by=by if retired else None
        )
        if changed:
            AuditEvent.note("retire prompt" if retired else "bring back prompt", prompt, by=by)
    return bool(changed)


def retire_later(project: Project, *, at_least: float, by: User) -> int:
    """Retire the later prompt of every pair that is at least so near; returns how many.

    The first of a chain of prompts always stays.
    """
    with transaction.atomic():
        later = list(pairs(project, at_least=at_least).values_list("prompt_id", flat=True))
        num = Prompt.objects.in_use().filter(id__in=later).update(retired_at=Now(), retired_by=by)
        if num:
            AuditEvent.note("retire near-duplicate prompts", project, by=by, at_least=at_least, num=num)
    return num


def keep_both(prompt: Prompt, *, by: User) -> bool:
    """Show a pair no more, by its later prompt: the two ask for different things."""
    with transaction.atomic():
        undecided = PromptVector.objects.filter(prompt=prompt, resembles__isnull=False, kept_at=None)
        changed = undecided.update(kept_at=Now(), kept_by=by)
        if changed:
            AuditEvent.note("keep both prompts", prompt, by=by)
    return bool(changed)


def _keep(prompt: Prompt, vector: tuple[float, ...]) -> None:
    if len(vector) != PromptVector.WIDTH:
        raise ValueError(f"the vector of prompt {prompt.id} has {len(vector)} entries, not {PromptVector.WIDTH}")
    value = HalfVector(list(vector))
    nearest = (
        PromptVector.objects.filter(project=prompt.project_id)
        .annotate(distance=CosineDistance("vector", value))
        .order_by("distance")
        .values_list("prompt_id", "distance")
        .first()
    )
    similarity = None if nearest is None else min(round(1 - nearest[1], 4), 1.0)
    is_near = similarity is not None and similarity >= NEAR
    PromptVector.objects.create(
        prompt=prompt,
        project_id=prompt.project_id,
        vector=value,
        resembles_id=nearest[0] if nearest is not None and is_near else None,
        similarity=similarity,
    )
    Prompt.objects.filter(id=prompt.id).update(has_vector=True)


def _one_at_a_time(projects: list[str]) -> None:
    """Two batches at once would not see each other's prompts."""
    with connection.cursor() as cursor:
        for project in projects:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"parley: vectors of {project}"])


def _ring(request: EmbedRequest) -> None:
    """Send the message. With the broker away, the prompts wait for the next sweep."""
    if not dispatch.send_embedding(request):
        Prompt.objects.filter(id__in=request.ids).update(vector_asked_at=None)
