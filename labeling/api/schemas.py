"""Schemas of requests and responses. People appear by their pseudonym only, as in exports."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ninja import Field, Schema
from pydantic import ConfigDict

from labeling import models
from labeling.models.rankings import LONGEST_SECONDS
from labeling.rankings.submission import LONGEST_NOTE, RATING_FLAGS
from labeling.web.form_fields import LONGEST_TEXT

Role = Literal["system", "user", "assistant"]


class Given(Schema):
    """What a program sends. An unknown field is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")


class Problem(Schema):
    where: str
    what: str


class Error(Problem):
    """The body of every response of 400 and above. `others` are more of the same kind."""

    status: int
    what_to_do: str
    others: list[dict[str, str]]


class Bearer(Schema):
    """The owner of a token and what it allows."""

    owner: str
    role: str
    scopes: list[str]
    project: str | None
    expires_at: datetime | None


class Project(Schema):
    slug: str
    name: str
    description: str
    policy: str | None
    num_completions: int
    rankings_wanted: int
    created_at: datetime
    archived_at: datetime | None

    @staticmethod
    def resolve_policy(row: models.Project) -> str | None:
        return row.policy.name if row.policy else None


class Said(Given):
    """One message."""

    role: Role
    content: str = Field(min_length=1)


class Prompt(Schema):
    id: UUID
    messages: list[Said]
    topic: str
    source: str
    created_at: datetime
    retired_at: datetime | None


class Message(Schema):
    role: str
    content: str
    authorship: str
    policy: str | None
    reasoning: str | None

    @staticmethod
    def resolve_reasoning(row: models.Message) -> str | None:
        return row.reasoning or None

    @staticmethod
    def resolve_policy(row: models.Message) -> str | None:
        return row.policy.name if row.policy else None


class Dialogue(Schema):
    id: UUID
    kind: str
    state: str
    author: str | None
    topic: str
    source: str
    messages: list[Message]
    created_at: datetime
    submitted_at: datetime | None

    @staticmethod
    def resolve_author(row: models.Dialogue, context: dict[str, Any]) -> str | None:
        """None also where a blind review keeps the author from the token's owner."""
        if row.author is None or row.hides_author_from(context["request"].user):
            return None
        return row.author.pseudonym


class ShownCompletion(Schema):
    """A completion as a trainer sees it, without the model that wrote it."""

    id: UUID
    content: str
    finish_reason: str


class Completion(ShownCompletion):
    policy: str | None
    sampling: dict[str, Any] | None
    num_tokens: int | None
    logprob: float | None

    @staticmethod
    def resolve_policy(row: models.Completion) -> str | None:
        return row.policy.name if row.policy else row.outside_policy or None


class Comparison(Schema):
    id: UUID
    state: str
    round: int | None
    messages: list[Said]
    completions: list[Completion]
    topic: str
    rankings_wanted: int
    num_rankings: int
    created_at: datetime

    @staticmethod
    def resolve_round(row: models.Comparison) -> int | None:
        return row.round.number if row.round else None

    @staticmethod
    def resolve_completions(row: models.Comparison) -> list[models.Completion]:
        return sorted(row.completions.all(), key=lambda completion: (completion.index, completion.id))


class Rating(Schema):
    completion_id: UUID
    overall: int | None
    flags: dict[str, bool]
    note: str


class Ranking(Schema):
    """One trainer's order; docs/records.md describes the fields."""

    id: UUID
    comparison_id: UUID
    trainer: str | None
    tiers: list[list[str]]
    unacceptable_from: int | None
    strengths: list[int]
    abstained: str | None
    choice: bool = Field(alias="is_choice")
    note: str
    shown_order: list[str]
    guideline_version: int | None
    ratings: list[Rating]
    seconds: float | None
    layout: str
    source: str
    ranked_at: datetime

    @staticmethod
    def resolve_trainer(row: models.Ranking) -> str | None:
        return row.trainer.pseudonym if row.trainer else row.outside_trainer or None

    @staticmethod
    def resolve_guideline_version(row: models.Ranking) -> int | None:
        return row.guideline_version.version if row.guideline_version else None


class Export(Schema):
    id: UUID
    kind: str
    format: str
    filters: dict[str, Any]
    state: str
    fraction: float
    num_records: int
    num_bytes: int
    counts: dict[str, Any]
    manifest_sha256: str
    error: str
    created_at: datetime
    finished_at: datetime | None


class File(Schema):
    name: str
    size: int
    sha256: str


class ExportWithFiles(Export):
    """`files` is empty until the export is done."""

    files: list[File]


class Policy(Schema):
    id: UUID
    name: str
    backend: str
    state: str
    parent: str | None
    metrics: dict[str, Any]
    note: str
    manifest_sha256: str
    created_at: datetime
    promoted_at: datetime | None

    @staticmethod
    def resolve_parent(row: models.Policy) -> str | None:
        return row.parent.name if row.parent else None


class Round(Schema):
    id: UUID
    number: int
    policy: str | None
    started_at: datetime
    closed_at: datetime | None

    @staticmethod
    def resolve_policy(row: models.Round) -> str | None:
        return row.policy.name if row.policy else None


class NewSaid(Given):
    """A prompt, which ends with the user's message, or a dialogue with an answer."""

    messages: list[Said] = Field(min_length=1, max_length=400)
    topic: str | None = Field(None, max_length=60)
    source: str | None = Field(None, max_length=200)


class NewPrompts(Given):
    prompts: list[NewSaid] = Field(min_length=1, max_length=1000)
    on_error: Literal["stop", "skip"] = "stop"


class NewDialogues(Given):
    dialogues: list[NewSaid] = Field(min_length=1, max_length=1000)
    on_error: Literal["stop", "skip"] = "stop"


class Imported(Schema):
    """How many were imported, how many were there already, and which were refused."""

    imported: int
    repeated: int
    refused: list[Problem]


class NewThumb(Given):
    """A thumb on the answer to these messages. `id` is the sender's own; `trainer` names who gave it, not by a name."""

    id: str = Field(min_length=1, max_length=200)
    messages: list[Said] = Field(min_length=1, max_length=400)
    answer: str = Field(min_length=1, max_length=LONGEST_TEXT)
    thumb: Literal["up", "down"]
    reason: str | None = Field(None, max_length=2000)
    policy: str | None = Field(None, min_length=1, max_length=100)
    trainer: str | None = Field(None, min_length=1, max_length=80, description="a pseudonym of whoever gave it")
    topic: str | None = Field(None, max_length=60)


class Thumb(Schema):
    """A thumb as it is kept. `id` is ours, `outside_id` the sender's; `comparison_id` what was made of a thumb down."""

    id: UUID
    outside_id: str
    messages: list[Said]
    answer: str = Field(alias="content")
    thumb: Literal["up", "down"]
    reason: str
    policy: str | None
    trainer: str = Field(alias="outside_trainer")
    topic: str
    source: str
    comparison_id: UUID | None
    given_at: datetime
    created_at: datetime
    retracted_at: datetime | None

    @staticmethod
    def resolve_thumb(row: models.Thumb) -> str:
        return "up" if row.up else "down"

    @staticmethod
    def resolve_policy(row: models.Thumb) -> str | None:
        return row.policy_name or None


class NewExport(Given):
    kind: Literal["demonstrations", "rankings", "prompts", "thumbs", "labels"]
    format: str = "records"
    filters: dict[str, Any] = Field(default_factory=dict)


class Lease(Schema):
    """A lease on a comparison, held until `expires_at`. The completions are in the order in which to show them."""

    id: UUID
    messages: list[Said]
    completions: list[ShownCompletion]
    reason: str
    expires_at: datetime


class Claimed(Schema):
    """A lease, or the reason why there is none."""

    lease: Lease | None
    reason: str


class NewRating(Given):
    completion_id: UUID
    overall: int | None = Field(None, ge=1, le=7)
    flags: dict[str, bool] = Field(default_factory=dict, description=f"any of {', '.join(RATING_FLAGS)}")
    note: str = Field("", max_length=2000)


class NewRanking(Given):
    tiers: list[list[UUID]] = Field(default_factory=list, description="best first; ids in one tier are tied")
    unacceptable_from: int | None = Field(None, ge=0, description="index of the first tier that is unacceptable")
    strengths: list[Literal[1, 2, 3]] = Field(
        default_factory=list,
        description="of each tier but the last, how much better it is than the next: 1 a little, 2 clearly, 3 far",
    )
    abstained: str | None = Field(None, max_length=200)
    ratings: list[NewRating] = Field(default_factory=list)
    note: str = Field("", max_length=LONGEST_NOTE, description="on the ranking as a whole")
    seconds: float | None = Field(None, ge=0, le=LONGEST_SECONDS, description="time at work; null where unknown")


class Skip(Given):
    reason: str = Field(min_length=1, max_length=120)


class Submitted(Schema):
    """`counts` is false where the lease had been lost: the ranking is stored but not counted, and `sentence`
    says why.
    """

    counts: bool
    ranking: Ranking | None
    sentence: str


class Promotion(Given):
    policy_id: UUID
    reason: str = Field("", max_length=2000)


class NewWebhook(Given):
    url: str = Field(max_length=500)
    events: list[str] = Field(min_length=1, max_length=10)


class Webhook(Schema):
    id: UUID
    url: str
    events: list[str]
    created_at: datetime
    closed_at: datetime | None


class AddedWebhook(Webhook):
    secret: str


class Delivery(Schema):
    id: UUID
    event: str
    body: str
    state: str
    num_attempts: int
    status: int | None
    error: str
    due_at: datetime
    created_at: datetime
    finished_at: datetime | None
