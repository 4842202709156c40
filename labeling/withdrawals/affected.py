"""What withdrawals touched since it was made, by whomever: exports, models, verdicts of people, promotions.

All of it is counted anew from the rows, so that undoing a withdrawal takes its marks away too.
"""

from dataclasses import dataclass
from uuid import UUID

from labeling.exports.lineage import Model, Registry
from labeling.exports.retractions import Retractions, retractions_in, withdrawn_in
from labeling.models import Export, Project, Promotion, TrainingJob
from labeling.rounds.withdrawn_judgements import Shaken, shaken_of, with_withdrawn

MOST_LOOKED_AT = 100  # exports, the newest
STOPPED = ("failed", "cancelled")


@dataclass(frozen=True, kw_only=True, slots=True)
class AffectedExport:
    found: Retractions
    rebuild: Export | None  # the newest that was built, or is being built, in its place

    @property
    def export(self) -> Export:
        return self.found.export


@dataclass(frozen=True, kw_only=True, slots=True)
class AffectedModel:
    """A model with the affected exports that it, or a model behind it, learned from."""

    model: Model
    job: TrainingJob | None
    found: list[Retractions]
    learned_directly: bool  # else only models behind it did
    retraining: TrainingJob | None  # the newest job that repeats its own
    waits_for: list[Export]  # to be rebuilt before it can be retrained
    waits_for_models: list[Model]  # to be retrained before it

    @property
    def num(self) -> int:
        return sum(one.num_withdrawn for one in self.found)

    @property
    def num_records(self) -> int:
        return sum(one.export.num_records for one in self.found)

    @property
    def share(self) -> float:
        return self.num / self.num_records if self.num_records else 0.0

    @property
    def can_be_retrained(self) -> bool:
        return self.job is not None and not self.waits_for and not self.waits_for_models and self.retraining is None


@dataclass(frozen=True, kw_only=True, slots=True)
class Affected:
    exports: list[AffectedExport]
    models: list[AffectedModel]
    verdicts: list[Shaken]
    promotions: list[Promotion]  # each with `num_withdrawn` judgements and whether it `learned` from withdrawn records
    is_cut: bool  # whether older exports were not looked at

    @property
    def is_empty(self) -> bool:
        return not (self.exports or self.models or self.verdicts or self.promotions)


def affected_by_withdrawals(project: Project) -> Affected:
    done = project.exports.filter(state=Export.State.DONE).select_related("project").order_by("-created_at")
    looked_at = list(done[: MOST_LOOKED_AT + 1])
    found = withdrawn_in(looked_at[:MOST_LOOKED_AT])
    registry = Registry()
    models = [
        affected_model(model, found, registry)
        for model in registry.models_after(*(one.export for one in found.values()))
    ]
    learned = {one.model.id for one in models}
    promotions = with_withdrawn(project.promotions.select_related("policy", "before", "by", "evaluation", "opened"))
    for promotion in promotions:
        promotion.learned = promotion.policy_id in learned  # type: ignore[attr-defined]
    return Affected(
        exports=[AffectedExport(found=one, rebuild=rebuild_of(one.export)) for one in found.values()],
        models=models,
        verdicts=shaken_of(project.evaluations.all()),
        promotions=[one for one in promotions if one.num_withdrawn or one.learned],  # type: ignore[attr-defined]
        is_cut=len(looked_at) > MOST_LOOKED_AT,
    )


def affected_model(model: Model, found: dict[UUID, Retractions], registry: Registry) -> AffectedModel:
    origin = registry.origin_of(model)
    behind = {export.id: found[export.id] for one in origin.walk() for export in one.exports if export.id in found}
    own = [export for export in origin.exports if export.id in found]
    parents = {one.model.id: one.model for one in origin.made_from if _learned(one.model, found, registry)}
    return AffectedModel(
        model=model,
        job=origin.job,
        found=list(behind.values()),
        learned_directly=bool(own),
        retraining=retraining_of(origin.job) if origin.job is not None else None,
        waits_for=[export for export in own if clean_rebuild(export) is None],
        waits_for_models=[one for one in parents.values() if clean_retraining(one, registry) is None],
    )


def rebuild_of(export: Export) -> Export | None:
    return export.rebuilds.exclude(state__in=STOPPED).order_by("-created_at").first()


def clean_rebuild(export: Export) -> Export | None:
    """The finished export that stands in this one's place and holds nothing that was withdrawn; None without one."""
    seen: set[UUID] = set()
    current: Export | None = export
    while current is not None and current.id not in seen:
        seen.add(current.id)
        if current.state == Export.State.DONE and not retractions_in(current).num_withdrawn:
            return current
        current = rebuild_of(current)
    return None


def retraining_of(job: TrainingJob) -> TrainingJob | None:
    return job.retrainings.exclude(state__in=STOPPED).order_by("-created_at").first()


def clean_retraining(model: Model, registry: Registry) -> Model | None:
    """The model that stands in this one's place and learned from nothing withdrawn; None without one."""
    current: Model | None = model
    seen: set[UUID] = set()
    while current is not None and current.id not in seen:
        seen.add(current.id)
        exports = [export for one in registry.origin_of(current).walk() for export in one.exports]
        if not withdrawn_in({export.id: export for export in exports}.values()):
            return current
        job = registry.origin_of(current).job
        repeated = retraining_of(job) if job is not None else None
        current = next((one for one in registry.models if repeated and one.training_job_id == repeated.id), None)
    return None


def _learned(model: Model, found: dict[UUID, Retractions], registry: Registry) -> bool:
    return any(export.id in found for one in registry.origin_of(model).walk() for export in one.exports)
