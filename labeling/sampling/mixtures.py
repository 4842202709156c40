"""A project's mixture, and how the completions of one comparison are divided among its parts.

Systematic sampling (Madow 1949): the parts are laid end to end on an interval as long as the number of completions,
which is sampled at points one apart from a random start. Each part gets its quota rounded down or up and, on
average over comparisons, exactly its share; largest remainders would never give a small share a completion.
Shares that add up to the number of completions are exact counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from labeling.models import AuditEvent, MixturePart, Policy, Project, User

START_STEPS = 2**32  # the random start is a multiple of 1 / START_STEPS


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A source of completions. Policy None means the round's policy, temperature None the project's temperature."""

    policy: Policy | None = None
    share: int = 1
    temperature: float | None = None


def divide(num: int, shares: Sequence[int], *, start: int) -> list[int]:
    """How many of `num` completions each part samples, in exact integer arithmetic.

    `start` in 0 … START_STEPS - 1 is the random start; the caller draws another one for each comparison.
    """
    total = sum(shares)
    counts, cumulative_share, points_before = [], 0, 0
    for share in shares:
        cumulative_share += share
        points = (num * cumulative_share * START_STEPS + start * total) // (total * START_STEPS)
        counts.append(points - points_before)
        points_before = points
    return counts


def quota_bounds(num: int, shares: Sequence[int]) -> list[tuple[int, int]]:
    """The fewest and the most of `num` completions that each part can get: its quota rounded down and up."""
    total = sum(shares)
    return [(num * share // total, -(-num * share // total)) for share in shares]


def mixture_of(project: Project) -> list[Part]:
    """The project's parts by position; empty if the round's policy samples all completions."""
    rows = MixturePart.objects.filter(project=project).select_related("policy").order_by("position")
    return [Part(policy=row.policy, share=row.share, temperature=row.temperature) for row in rows]


def change_mixture(project: Project, parts: Sequence[Part], *, by: User) -> None:
    """Replace the project's parts, for comparisons made from now on.

    The project's row is locked, or two changes at the same time could leave the parts of both.
    """
    with transaction.atomic():
        Project.objects.select_for_update(of=("self",)).get(pk=project.pk)
        before = mixture_of(project)
        if before == list(parts):
            return
        MixturePart.objects.filter(project=project).delete()
        MixturePart.objects.bulk_create(
            MixturePart(
                project=project, position=position, policy=part.policy, share=part.share, temperature=part.temperature
            )
            for position, part in enumerate(parts)
        )
        AuditEvent.note("change mixture", project, by=by, before=audit_values(before), after=audit_values(parts))


def audit_values(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """The parts as JSON values for an audit event."""
    return [
        {"policy": part.policy.name if part.policy else None, "share": part.share, "temperature": part.temperature}
        for part in parts
    ]
