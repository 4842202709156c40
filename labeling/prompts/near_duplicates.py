"""Finds near-duplicates among a project's prompts by their embeddings; a person looks at each pair and retires one.

A worker embeds prompts in batches: recording one batch requests the next, and the sweep restarts the chain if a
message is lost. A prompt is compared with all prompts whose vectors are stored already, so a pair is found once
and always points from the later prompt to the earlier one. Knows no model: vectors come in records.EmbedResult.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from pgvector import HalfVector
from pgvector.django import CosineDistance

from labeling.jobs import dispatch
from labeling.models import AuditEvent, Project, Prompt, PromptVector, User
from records import EmbedRequest, EmbedResult

logger = logging.getLogger(__name__)

MIN_SIMILARITY = 0.9  # cosine from which two prompts are shown as a pair; docs/experiments.md says what it finds
BATCH_SIZE = 64  # prompts per request: embedding them takes one core a second or two
LONGEST_TEXT = 8_000  # characters; the rest of a prompt is not compared
BATCH_TIMEOUT = timedelta(minutes=15)  # after which a requested batch counts as lost


def ask_for_vectors(project: Project) -> int:
    """Request vectors for the oldest prompts that have none, unless a batch is under way; returns for how many.

    The rows are locked so that two calls at the same time request different prompts; SKIP LOCKED keeps the
    second from waiting. NO KEY leaves other transactions free to insert rows that refer to these prompts.
    """
    return request_vectors(Prompt.objects.filter(project=project, has_vector=False), text_of)


def request_vectors(without: QuerySet[Any], text_of: Callable[[Any], str]) -> int:
    """As ask_for_vectors, for rows of any model with `created_at`, `has_vector` and `vector_asked_at`."""
    if without.filter(vector_asked_at__gt=Now() - BATCH_TIMEOUT).exists():
        return 0
    with transaction.atomic():
        rows = list(without.order_by("created_at").select_for_update(skip_locked=True, no_key=True)[:BATCH_SIZE])
        if not rows:
            return 0
        without.model.objects.filter(id__in=[row.id for row in rows]).update(vector_asked_at=Now())
        request = EmbedRequest(
            ids=tuple(str(row.id) for row in rows), texts=tuple(text_of(row)[:LONGEST_TEXT] for row in rows)
        )
        transaction.on_commit(partial(_send_request, without.model, request), robust=True)
    return len(rows)


def text_of(prompt: Prompt) -> str:
    """The text that is embedded: all messages but system messages, which a whole project may share."""
    said = (message["content"] for message in prompt.messages if message["role"] != "system")
    return "\n".join(said)[:LONGEST_TEXT]


def record_vectors(result: EmbedResult) -> int:
    """Store vectors with the nearest earlier prompt of each, and request the next batch; returns how many were new.

    The rows are locked and those that have a vector left out, so that a result that arrives twice is stored once.
    """
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
        _lock_projects(sorted(map(str, projects)))
        for prompt in prompts:
            _store_vector(prompt, vectors[str(prompt.id)])
    for project in projects.values():
        ask_for_vectors(project)
    return len(prompts)


def pairs(project: Project, *, at_least: float = MIN_SIMILARITY) -> QuerySet[PromptVector]:
    """The undecided pairs, most similar first: neither prompt is retired, and nobody decided to keep both."""
    both_in_use = Q(prompt__retired_at=None, resembles__retired_at=None)
    found = PromptVector.objects.filter(
        both_in_use, project=project, resembles__isnull=False, kept_at=None, similarity__gte=at_least
    )
    return found.select_related("prompt", "resembles").defer("vector").order_by("-similarity", "prompt_id")


def earlier_of(prompt: Prompt) -> Prompt | None:
    """The earlier prompt that this one is a near-duplicate of; None if there is none."""
    return Prompt.objects.filter(resembled_by__prompt=prompt).first()


def num_waiting(project: Project) -> int:
    """How many prompts in use have no vector yet, and so were not compared with the others."""
    return Prompt.objects.in_use().filter(project=project, has_vector=False).count()


def retired(project: Project) -> QuerySet[Prompt]:
    """The retired prompts, the last retired first."""
    rows = Prompt.objects.filter(project=project, retired_at__isnull=False)
    return rows.select_related("retired_by").order_by("-retired_at", "id")


def set_retired(prompt: Prompt, *, retired: bool, by: User) -> bool:
    """Retire a prompt, or bring it back; returns False if it was so already. What was made from it stays."""
    with transaction.atomic():
        changed = Prompt.objects.filter(id=prompt.id, retired_at__isnull=retired).update(
            retired_at=Now() if retired else None, retired_by=by if retired else None
        )
        if changed:
            AuditEvent.note("retire prompt" if retired else "bring back prompt", prompt, by=by)
    return bool(changed)


def retire_later(project: Project, *, at_least: float, by: User) -> int:
    """Retire the later prompt of every undecided pair with at least this similarity; returns how many.

    The earliest prompt of a chain of near-duplicates always stays.
    """
    with transaction.atomic():
        later = list(pairs(project, at_least=at_least).values_list("prompt_id", flat=True))
        num = Prompt.objects.in_use().filter(id__in=later).update(retired_at=Now(), retired_by=by)
        if num:
            AuditEvent.note("retire near-duplicate prompts", project, by=by, at_least=at_least, num=num)
    return num


def keep_both(prompt: Prompt, *, by: User) -> bool:
    """Note that the two prompts of a pair, named by its later one, ask for different things: it is not shown again.

    Returns False if the pair was decided already, or if there is none.
    """
    with transaction.atomic():
        undecided = PromptVector.objects.filter(prompt=prompt, resembles__isnull=False, kept_at=None)
        changed = undecided.update(kept_at=Now(), kept_by=by)
        if changed:
            AuditEvent.note("keep both prompts", prompt, by=by)
    return bool(changed)


def _store_vector(prompt: Prompt, vector: tuple[float, ...]) -> None:
    if len(vector) != PromptVector.WIDTH:
        raise ValueError(f"the vector of prompt {prompt.id} has {len(vector)} entries, not {PromptVector.WIDTH}")
    value = HalfVector(list(vector))
    nearest, similarity = nearest_to(value, PromptVector.objects.filter(project=prompt.project_id))
    is_near = similarity is not None and similarity >= MIN_SIMILARITY
    PromptVector.objects.create(
        prompt=prompt,
        project_id=prompt.project_id,
        vector=value,
        resembles_id=nearest if is_near else None,
        similarity=similarity,
    )
    Prompt.objects.filter(id=prompt.id).update(has_vector=True)


def nearest_to(value: HalfVector, vectors: QuerySet[Any]) -> tuple[Any, float | None]:
    """The primary key of the nearest of these rows, and its cosine; (None, None) if there are none."""
    rows = vectors.annotate(distance=CosineDistance("vector", value)).order_by("distance")
    nearest = rows.values_list("pk", "distance").first()
    return (None, None) if nearest is None else (nearest[0], min(round(1 - nearest[1], 4), 1.0))


def _lock_projects(projects: list[str]) -> None:
    """Lock each project until the end of the transaction: only one batch of a project is recorded at a time.

    Two transactions do not see each other's uncommitted vectors, and would miss a pair between their batches. It
    is an advisory lock, since no row stands for a project's vectors. The caller sorts the ids, against deadlock.
    """
    with connection.cursor() as cursor:
        for project in projects:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"parley: vectors of {project}"])


def _send_request(model: Any, request: EmbedRequest) -> None:
    """Send the request to a worker. If the broker is unreachable, the next sweep requests these rows again."""
    if not dispatch.send_embedding(request):
        model.objects.filter(id__in=request.ids).update(vector_asked_at=None)
