"""Storing imported dialogues and prompts. Those whose content hash is known already change nothing."""

import json
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from labeling.imports.bulk_copy import CopyTarget
from labeling.imports.project_lock import lock_project
from labeling.models import Dialogue, Message, Project, Prompt, User
from labeling.models.content_hash import fingerprint
from records import Demonstration
from records import Prompt as PromptRecord

_DIALOGUES = CopyTarget(
    Dialogue, "id", "project_id", "kind", "state", "topic", "source", "content_sha256",
    "submitted_at", "reviewed_at", "reviewed_by_id", "created_at",
)  # fmt: skip
_MESSAGES = CopyTarget(Message, "id", "dialogue_id", "position", "role", "content", "reasoning", "authorship")
_PROMPTS = CopyTarget(
    Prompt, "id", "project_id", "messages", "topic", "source", "content_sha256", "created_by_id", "created_at"
)

DialogueOrPrompt = Demonstration | PromptRecord


def store_dialogues_and_prompts(
    project: Project, records: Sequence[DialogueOrPrompt], *, source: str, by: User | None
) -> int:
    """Store the dialogues and prompts that are new, in one transaction; returns how many."""
    demonstrations = {fingerprint(one.messages): one for one in records if isinstance(one, Demonstration)}
    prompts = {fingerprint(one.messages): one for one in records if isinstance(one, PromptRecord)}
    with transaction.atomic():
        lock_project(project)
        num = _store_dialogues(project, _new_among(Dialogue, project, demonstrations), source, by)
        return num + _store_prompts(project, _new_among(Prompt, project, prompts), source, by)


def opening_of(record: DialogueOrPrompt, *, num_turns: int = 1) -> PromptRecord:
    """The opening of a dialogue as a prompt: up to the user's `num_turns`-th message, or the last there is."""
    places = [place for place, message in enumerate(record.messages) if message.role == "user"]
    end = places[min(num_turns, len(places)) - 1] + 1
    return PromptRecord(id=record.id, messages=record.messages[:end], topic=record.topic, source=record.source)


def _new_among(model: Any, project: Project, records: dict[str, Any]) -> dict[str, Any]:
    if not records:
        return {}
    known = set(
        model.objects.filter(project=project, content_sha256__in=records).values_list("content_sha256", flat=True)
    )
    return {sha256: record for sha256, record in records.items() if sha256 not in known}


def _store_dialogues(project: Project, new: dict[str, Demonstration], source: str, by: User | None) -> int:
    ids = {sha256: uuid.uuid4() for sha256 in new}
    now, reviewer = timezone.now(), by.id if by else None
    _DIALOGUES.copy(
        (
            ids[sha256],
            project.id,
            Dialogue.Kind.IMPORTED.value,
            Dialogue.State.ACCEPTED.value,
            (record.topic or "")[:60],
            (record.source or source)[:200],
            sha256,
            now,
            now,
            reviewer,
            now + timedelta(microseconds=place),  # keeps the rows in the order of the file
        )
        for place, (sha256, record) in enumerate(new.items())
    )
    _MESSAGES.copy(
        (
            uuid.uuid4(),
            ids[sha256],
            position,
            message.role,
            message.content,
            message.reasoning or "",
            Message.Authorship.IMPORTED.value,
        )
        for sha256, record in new.items()
        for position, message in enumerate(record.messages)
    )
    return len(new)


def _store_prompts(project: Project, new: dict[str, PromptRecord], source: str, by: User | None) -> int:
    now = timezone.now()
    _PROMPTS.copy(
        (
            uuid.uuid4(),
            project.id,
            json.dumps([{"role": one.role, "content": one.content} for one in record.messages], ensure_ascii=False),
            (record.topic or "")[:60],
            (record.source or source)[:200],
            sha256,
            by.id if by else None,
            now + timedelta(microseconds=place),
        )
        for place, (sha256, record) in enumerate(new.items())
    )
    return len(new)
