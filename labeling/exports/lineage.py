"""Lineage of models: the exports that a model was trained on, and the models that were trained on an export.

A model names the job that made it; a job its export, its start and its reward model; an export its rows. The registry
is small and is read whole, so that a page asks the database a fixed number of times.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from labeling.exports.retractions import Retractions, with_retractions
from labeling.models import Export, Policy, RewardModel, TrainingJob

Model = Policy | RewardModel


@dataclass(frozen=True, slots=True)
class Origin:
    """A model with the job that made it, if any, and that job's inputs."""

    model: Model
    job: TrainingJob | None
    export: Export | None
    made_from: tuple["Origin", ...]  # the policy it started from, the reward models that scored or watched

    @property
    def exports(self) -> list[Export]:
        """The exports that the model itself was trained on: its own, and the demonstrations that were mixed in."""
        mixed_in = self.job.demonstrations if self.job is not None else None
        return [export for export in (self.export, mixed_in) if export is not None]

    def walk(self) -> Iterator["Origin"]:
        """This origin and all its ancestors, each model once, nearest first."""
        seen: set[UUID] = set()
        waiting = [self]
        while waiting:
            origin = waiting.pop(0)
            if origin.model.id not in seen:
                seen.add(origin.model.id)
                yield origin
                waiting += origin.made_from


class Registry:
    """All models with their jobs and exports, as of when it was created."""

    def __init__(self) -> None:
        self.policies = list(Policy.objects.select_related("promoted_by"))
        self.reward_models = list(RewardModel.objects.all())
        jobs = TrainingJob.objects.filter(state=TrainingJob.State.DONE).prefetch_related("ensemble_models")
        self._jobs = {
            job.id: job for job in jobs.select_related("export__project", "demonstrations", "round", "requested_by")
        }
        models: list[Model] = [*self.policies, *self.reward_models]
        self._models = {model.id: model for model in models}

    @property
    def models(self) -> list[Model]:
        return list(self._models.values())

    def find(self, identifier: UUID) -> Model | None:
        return self._models.get(identifier)

    def origin_of(self, model: Model) -> Origin:
        """The model with all its ancestors."""
        job = self._jobs.get(model.training_job_id) if model.training_job_id else None
        if job is None:
            parents = [model.parent_id] if isinstance(model, Policy) else []
            return Origin(model, None, getattr(model, "export", None), self._origins(parents))
        scoring = [job.reward_model_id, *(one.id for one in job.ensemble_models.all())]
        return Origin(model, job, job.export, self._origins([job.policy_id, *scoring, job.watching_model_id]))

    def models_after(self, *sources: Export | Model) -> list[Model]:
        """Every model that descends from any of these, oldest first."""
        reached: dict[UUID, Model] = {}
        waiting = {source.id for source in sources}
        while waiting:
            made = {model.id: model for model in self._models.values() if self._ingredients(model) & waiting}
            waiting = set(made) - set(reached)
            reached |= made
        return sorted(reached.values(), key=lambda model: model.created_at)

    def _origins(self, ids: list[UUID | None]) -> tuple[Origin, ...]:
        return tuple(self.origin_of(self._models[one]) for one in ids if one is not None and one in self._models)

    def _ingredients(self, model: Model) -> set[Any]:
        job = self._jobs.get(model.training_job_id) if model.training_job_id else None
        if job is not None:
            models = {job.policy_id, job.reward_model_id, job.watching_model_id, job.export_id, job.demonstrations_id}
            return models | {one.id for one in job.ensemble_models.all()}
        return {getattr(model, "parent_id", None), getattr(model, "export_id", None)}


def exports_behind(model: Model) -> list[Export]:
    """The exports that the model and all its ancestors were trained on, nearest first, each once."""
    found = (export for origin in Registry().origin_of(model).walk() for export in origin.exports)
    return list({export.id: export for export in found}.values())


def retractions_behind(model: Model) -> list[Retractions]:
    """The exports behind a model that contain records retracted, withdrawn or no longer accepted since."""
    return with_retractions(exports_behind(model))
