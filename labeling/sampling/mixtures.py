"""How one comparison's completions are divided among the parts of a project's mixture.

By systematic sampling (Madow 1949): the parts lie end to end on a line as long as there are completions, and
a comb of that many teeth, one apart, is laid over it at a seeded point. So each part gets its quota rounded
down or up and, over many comparisons, exactly its share; largest remainders would give small shares nothing,
ever. Shares that add up to the number of completions are exact counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from labeling.models import AuditEvent, MixturePart, Policy, Project, User

POINTS = 2**32  # how finely a point is drawn


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A source of completions: None stands for the round's policy and for the project's temperature."""

    policy: Policy | None = None
    share: int = 1
    temperature: float | None = None


def divide(num: int, shares: Sequence[int], *, point: int) -> list[int]:
    """How many of `num` completions each part samples. `point` is 0 … POINTS - 1, drawn anew for each comparison."""
    total = sum(shares)
    counts, passed, teeth_before = [], 0, 0
    for share in shares:
        passed += share
        teeth = (num * passed * POINTS + point * total) // (total * POINTS)
        counts.append(teeth - teeth_before)
        teeth_before = teeth
    return counts


def fewest_and_most(num: int, shares: Sequence[int]) -> list[tuple[int, int]]:
    """Between how many and how many of `num` completions each part samples."""
    total = sum(shares)
    return [(num * share // total, -(-num * share // total)) for share in shares]


def mixture_of(project: Project) -> list[Part]:
    """The project's parts in their order; empty where the round's policy samples everything."""
    rows = MixturePart.objects.filter(project=project).select_related("policy").order_by("position")
    return [Part(policy=row.policy, share=row.share, temperature=row.temperature) for row in rows]


def change_mixture(project: Project, parts: Sequence[Part], *, by: User) -> None:
    """Make exactly these parts the project's, for comparisons from now on."""
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
        AuditEvent.note("change mixture", project, by=by, before=in_words(before), after=in_words(parts))


def in_words(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """The parts as an audit event keeps them."""
    return [
        {"policy": part.policy.name if part.policy else None, "share": part.share, "temperature": part.temperature}
        for part in parts
    ]
