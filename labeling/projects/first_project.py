"""The project of a new Parley, with guidelines, prompts, demonstrations and a practice set from seed/.

Everything is identified by its content, so a second start changes nothing, and what people changed in the project
stays.
"""

import json
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from labeling.models import (
    AuditEvent,
    Comparison,
    Completion,
    Dialogue,
    GuidelineVersion,
    Membership,
    Message,
    MixturePart,
    Policy,
    Project,
    Prompt,
    Reference,
    Round,
    User,
)
from labeling.models.content_hash import fingerprint
from labeling.sampling.policies import register_bundled_policy
from records import Demonstration, Ranking, encode, read_jsonl
from records import Prompt as PromptRecord

SEED = Path(__file__).parent / "seed"
SLUG = "first-steps"
# What a newcomer meets. At 1 the bundled model mostly answers with word salad, below 0.3 it repeats itself and its
# completions are alike (docs/experiments.md, "What a newcomer reads"); between, they can be read and told apart.
TEMPERATURE = 0.5  # of answers in chats
MIXTURE = ((0.3, 1), (0.5, 2), (0.7, 1))  # temperature and share of the completions of a comparison


def ensure_starting_project() -> Project:
    """The project first-steps with its seed, policy and first round; creates what is missing."""
    policy = register_bundled_policy()
    with transaction.atomic():
        with connection.cursor() as cursor:  # of two starts at once, one must wait, or both would create the project
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('parley: starting project'))")
        project = _ensure_project(policy)
        _ensure_guidelines(project)
        _ensure_prompts(project)
        _ensure_demonstrations(project)
        _ensure_practice(project)
    return project


def _ensure_project(policy: Policy | None) -> Project:
    project, created = Project.objects.get_or_create(
        slug=SLUG,
        defaults={
            "name": "First steps",
            "description": "A place to try everything: write, chat, rank, and train a model on what you did.",
            "temperature": TEMPERATURE,
            "asks_ratings": True,  # overall and flags before the order, as InstructGPT asked its trainers
        },
    )
    if created:
        Round.objects.create(project=project, number=1)
        MixturePart.objects.bulk_create(
            MixturePart(project=project, position=position, temperature=temperature, share=share)
            for position, (temperature, share) in enumerate(MIXTURE)
        )
        _add_all_users(project)
        AuditEvent.note("begin project", project, by=None)
    if policy is not None and project.policy is None:
        project.policy = policy
        project.save(update_fields=["policy"])
        project.rounds.filter(closed_at=None, policy=None).update(policy=policy)
        policy.state = Policy.State.PROMOTED
        policy.save(update_fields=["state"])
    return project


def _ensure_guidelines(project: Project) -> None:
    if not project.guideline_versions.exists():
        text = (SEED / "guidelines.md").read_text(encoding="utf-8")
        GuidelineVersion.objects.create(project=project, version=1, text=text)


def _ensure_prompts(project: Project) -> None:
    records = list(read_jsonl(SEED / "prompts.jsonl", PromptRecord))
    Prompt.objects.bulk_create(
        (
            Prompt(
                project=project,
                messages=[{"role": message.role, "content": message.content} for message in record.messages],
                topic=record.topic or "",
                source=record.source or "",
                content_sha256=fingerprint(record.messages),
            )
            for record in records
        ),
        ignore_conflicts=True,
    )


def _ensure_demonstrations(project: Project) -> None:
    records = {
        fingerprint(record.messages): record for record in read_jsonl(SEED / "demonstrations.jsonl", Demonstration)
    }
    known = set(
        Dialogue.objects.filter(project=project, content_sha256__in=records).values_list("content_sha256", flat=True)
    )
    dialogues = {
        sha256: Dialogue(
            project=project,
            kind=Dialogue.Kind.IMPORTED,
            state=Dialogue.State.ACCEPTED,
            topic=record.topic or "",
            source=record.source or "",
            content_sha256=sha256,
        )
        for sha256, record in records.items()
        if sha256 not in known
    }
    Dialogue.objects.bulk_create(dialogues.values())
    Message.objects.bulk_create(
        Message(
            dialogue=dialogue,
            position=position,
            role=message.role,
            content=message.content,
            authorship=Message.Authorship.IMPORTED,
        )
        for sha256, dialogue in dialogues.items()
        for position, message in enumerate(records[sha256].messages)
    )


def _ensure_practice(project: Project) -> None:
    """Comparisons with a reference ranking and its explanation; they are not part of the queue."""
    if project.comparisons.filter(use=Comparison.Use.PRACTICE).exists():
        return
    explanations = json.loads((SEED / "practice_explanations.json").read_text(encoding="utf-8"))
    for record in read_jsonl(SEED / "practice.jsonl", Ranking):
        _add_practice(project, record, explanations[record.id])


def _add_practice(project: Project, record: Ranking, explained: dict[str, Any]) -> None:
    comparison = Comparison.objects.create(
        project=project,
        state=Comparison.State.OPEN,
        messages=[encode(message) for message in record.messages],
        prompt_sha256=fingerprint(record.messages),
        source=record.source or "",
        topic=record.topic or "",
        use=Comparison.Use.PRACTICE,
    )
    completions = {
        completion.id: Completion(comparison=comparison, index=index, content=completion.content)
        for index, completion in enumerate(record.completions)
    }
    Completion.objects.bulk_create(completions.values())
    Reference.objects.create(
        comparison=comparison,
        tiers=[[str(completions[identifier].id) for identifier in tier] for tier in record.tiers],
        unacceptable_from=record.unacceptable_from,
        lesson=explained["lesson"],
        explanation=explained["explanation"],
        remarks={str(completions[key].id): remark for key, remark in explained["completions"].items()},
    )


def _add_all_users(project: Project) -> None:
    """Add all users, only when the project is created: whom an admin removes later stays out."""
    people = User.objects.filter(is_active=True).exclude(role=User.Role.VISITOR)
    Membership.objects.bulk_create(Membership(project=project, user=person) for person in people)
