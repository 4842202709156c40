"""What a withdrawal would touch, before it is made: counted from the rows, and nothing is changed."""

from dataclasses import dataclass

from labeling.exports.holding import Held, held_of
from labeling.exports.lineage import Model, Registry
from labeling.models import Candidate, Promotion
from labeling.rounds.withdrawn_judgements import resting_on
from labeling.withdrawals.selection import Kind, Wanted, rows_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """Numbers of rows by kind; the exports that hold some; models, verdicts and promotions that rest on them."""

    counts: dict[str, int]
    exports: list[Held]
    models: list[Model]
    verdicts: list[tuple[Candidate, int]]
    promotions: list[Promotion]

    @property
    def num(self) -> int:
        return sum(self.counts.values())


def preview_of(wanted: Wanted) -> Preview:
    held: dict[object, Held] = {}
    for kind in wanted.kinds:
        for one in held_of(
            wanted.project,
            rows_of(wanted, kind).order_by("-created_at" if kind != Kind.RANKINGS else "-ranked_at", "id"),
        ):
            known = held.get(one.export.id)
            num = one.num + (known.num if known else 0)
            held[one.export.id] = Held(
                export=one.export, num=num, is_whole=one.is_whole and (known is None or known.is_whole)
            )
    exports = [one.export for one in held.values()]
    verdicts = resting_on(rows_of(wanted, Kind.RANKINGS)) if Kind.RANKINGS in wanted.kinds else []
    models = Registry().models_after(*exports) if exports else []
    return Preview(
        counts={kind: rows_of(wanted, kind).count() for kind in wanted.kinds},
        exports=sorted(held.values(), key=lambda one: one.export.created_at, reverse=True),
        models=models,
        verdicts=verdicts,
        promotions=_promotions(verdicts, models),
    )


def _promotions(verdicts: list[tuple[Candidate, int]], models: list[Model]) -> list[Promotion]:
    """Of policies that people had called so, or that learned from what is withdrawn."""
    rows = Promotion.objects.select_related("policy", "project").order_by("-at")
    decided = {(candidate.evaluation_id, candidate.policy_id) for candidate, _ in verdicts}
    learned = {model.id for model in models}
    policies = learned | {policy for _, policy in decided}
    return [
        one
        for one in rows.filter(policy__in=policies)
        if one.policy_id in learned or (one.evaluation_id, one.policy_id) in decided
    ]
