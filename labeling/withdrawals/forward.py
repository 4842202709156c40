"""From one ranking or dialogue forward: the exports that hold it, the models made of them, their promotions."""

from dataclasses import dataclass

from labeling.exports.holding import holding_of
from labeling.exports.lineage import Model, Registry
from labeling.models import Candidate, Comparison, Dialogue, Export, Project, Promotion, Ranking, TrainingJob


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A model, the job that made it, what it learned from of all this, and its promotions."""

    model: Model
    job: TrainingJob | None
    exports: list[Export]
    models: list[Model]
    promotions: list[Promotion]


@dataclass(frozen=True, kw_only=True, slots=True)
class Forward:
    exports: list[Export]
    steps: list[Step]
    verdicts: list[Candidate]  # of people, that this judgement is part of
    resting: list[Promotion]  # promotions that rest on those verdicts


def forward_from(row: Ranking | Dialogue, *, by_its_author: bool = False) -> Forward:
    """All that became of a row. Gold items and judgements of an evaluation are in no export.

    By its author a gold item is answered like any other ranking, and an open evaluation is not named: who ranks must
    not learn which comparisons these are.
    """
    is_exported = by_its_author or isinstance(row, Dialogue) or row.comparison.use == Comparison.Use.WORK
    exports = holding_of(row).exports if is_exported else []
    verdicts = _verdicts(row) if isinstance(row, Ranking) else []
    if by_its_author:
        verdicts = [one for one in verdicts if not one.evaluation.is_open]
    resting = [one for candidate in verdicts for one in _promotions_on(candidate)]
    return Forward(exports=exports, steps=_steps(exports), verdicts=verdicts, resting=resting)


def is_in_an_export(row: Ranking | Dialogue) -> bool:
    """All that its author is told; of a gold item the answer that any other ranking would have."""
    return bool(holding_of(row).exports)


def visible_promotions(found: Forward, projects: list[Project]) -> Forward:
    """Without the models and promotions of projects that the reader is not in."""
    ids = {project.id for project in projects}
    found.steps[:] = [step for step in found.steps if step.model.project_id is None or step.model.project_id in ids]
    for step in found.steps:
        step.promotions[:] = [one for one in step.promotions if one.project_id in ids]
    return found


def _steps(exports: list[Export]) -> list[Step]:
    if not exports:
        return []
    registry = Registry()
    models = registry.models_after(*exports)
    held, learned = {export.id for export in exports}, {model.id for model in models}
    promotions: dict[object, list[Promotion]] = {}
    for one in Promotion.objects.filter(policy__in=learned).select_related("project", "opened").order_by("at"):
        promotions.setdefault(one.policy_id, []).append(one)
    steps = []
    for model in models:
        origin = registry.origin_of(model)
        steps.append(
            Step(
                model=model,
                job=origin.job,
                exports=[export for export in origin.exports if export.id in held],
                models=[one.model for one in origin.made_from if one.model.id in learned],
                promotions=promotions.get(model.id, []),
            )
        )
    return steps


def _verdicts(ranking: Ranking) -> list[Candidate]:
    evaluation = ranking.comparison.evaluation_id
    if evaluation is None:
        return []
    policies = ranking.comparison.completions.values("policy")
    rows = Candidate.objects.filter(evaluation=evaluation, policy__in=policies)
    return list(rows.select_related("evaluation__baseline", "policy"))


def _promotions_on(candidate: Candidate) -> list[Promotion]:
    rows = Promotion.objects.filter(evaluation=candidate.evaluation_id, policy=candidate.policy_id)
    return list(rows.select_related("project", "policy", "opened"))
