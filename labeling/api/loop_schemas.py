"""Schemas of training jobs, reward models and evaluations of policies."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ninja import Field, Schema

from labeling import models
from labeling.api.schemas import Given
from labeling.rounds.verdicts import figures_of, judgements_of


class RewardModel(Schema):
    id: UUID
    name: str
    metrics: dict[str, Any]
    manifest_sha256: str
    created_at: datetime


class Job(Schema):
    """A training job; `fraction` of it is done, and `stage` is what it is at. `output_name` is the model's name.

    A failed job that `needs_other_settings` would fail in the same way again.
    """

    id: UUID
    kind: str
    state: str
    stage: str
    fraction: float
    output_name: str
    export_id: UUID | None
    policy_id: UUID | None
    reward_model_id: UUID | None
    ensemble_model_ids: list[UUID]
    options: dict[str, Any]
    metrics: dict[str, Any]
    error: str
    needs_other_settings: bool
    created_at: datetime
    finished_at: datetime | None

    @staticmethod
    def resolve_ensemble_model_ids(row: models.TrainingJob) -> list[UUID]:
        return [one.id for one in row.ensemble_models.all()]


class JobLog(Schema):
    """What one attempt's program said so far; its text is at `logs/ATTEMPT`."""

    attempt: int
    num_bytes: int


class NewJob(Given):
    """What is left out is as the form of the rounds page proposes."""

    kind: Literal["sft", "reward_model", "ppo", "rloo", "dpo", "kto", "rejection_sampling"]
    export_id: UUID
    policy_id: UUID | None = None
    reward_model_id: UUID | None = None
    ensemble_model_ids: list[UUID] | None = Field(None, max_length=20)
    demonstrations_id: UUID | None = None
    watching_model_id: UUID | None = None
    output_name: str = Field("", max_length=100)
    options: dict[str, bool | int | float | str | None] = Field(default_factory=dict)


class Verdict(Schema):
    """What people decided on one candidate: open, better, worse or too close."""

    policy: str
    verdict: str
    decided_at: datetime | None

    @staticmethod
    def resolve_policy(row: models.Candidate) -> str:
        return row.policy.name


class Evaluation(Schema):
    """Policies judged by people against `baseline`, blind, on held-out prompts."""

    id: UUID
    baseline: str
    state: str
    share: float
    num_prompts: int
    verdicts_per_pair: int
    candidates: list[Verdict]
    created_at: datetime
    closed_at: datetime | None

    @staticmethod
    def resolve_baseline(row: models.Evaluation) -> str:
        return row.baseline.name

    @staticmethod
    def resolve_candidates(row: models.Evaluation) -> list[models.Candidate]:
        return list(row.candidates.select_related("policy"))


class Estimate(Schema):
    value: float
    low: float
    high: float
    n: int


class PeoplesFigures(Schema):
    """A candidate against the baseline; ties count half, controlled win rates are at equal length or style.

    `num_simulated` of the judgements were made by simulated trainers, which are programs.
    """

    win_rate: Estimate
    wins: int
    ties: int
    losses: int
    num_neither: int
    num_trainers: int
    num_simulated: int
    num_prompts: int
    length_controlled: float | None
    style_controlled: float | None


class EvaluationWithFigures(Evaluation):
    """`figures` by the candidate's name; None where nobody has judged yet."""

    figures: dict[str, PeoplesFigures | None]

    @staticmethod
    def resolve_figures(row: models.Evaluation) -> dict[str, Any]:
        candidates = row.candidates.select_related("policy")
        return {one.policy.name: figures_of(judgements_of(row, one.policy)) for one in candidates}


class NewEvaluation(Given):
    policy_ids: list[UUID] = Field(min_length=1, max_length=5)
    num_prompts: int = Field(200, ge=1, le=1000)
    verdicts_per_pair: int = Field(1, ge=1, le=10)
    share: float = Field(0.5, ge=0.01, le=1)
