"""What the API answers and takes about the content filter. No text, and nothing that was withheld."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Field, Schema

from labeling import models
from labeling.api.schemas import Given
from labeling.models.safety.categories import CATEGORIES
from labeling.safety import rules
from labeling.safety.moderations import LONGEST_TEXT, MOST_TEXTS

Side = Literal["said", "answered"]


class Wanted(Schema):
    """Which screenings are listed."""

    verdict: Literal["pass", "warn", "block", "not judged"] | None = None
    side: Side | None = None
    category: str | None = Field(None, max_length=32)
    acted: bool | None = None
    in_shadow: bool | None = None


class Screening(Schema):
    id: UUID
    side: str
    verdict: str
    category: str
    acted: bool
    in_shadow: bool
    filter: str
    rules_version: int
    message_id: UUID | None
    completion_id: UUID | None
    run_id: UUID | None
    probabilities: dict[str, float]
    reason: str
    created_at: datetime

    @staticmethod
    def resolve_filter(row: models.Screening) -> str:
        return row.filter.name


class Rule(Schema):
    """What is done with a category on one side. `own` leaves it to the filter, whose bounds are then shown."""

    category: Literal["S", "H", "V", "HR", "SH", "S3", "H2", "V2"]
    side: Side
    mode: Literal["own", "off", "shadow", "on"]
    warn_at: float | None = Field(None, gt=0, le=1)
    block_at: float | None = Field(None, gt=0, le=1)

    @classmethod
    def of(cls, rule: rules.Rule) -> dict[str, Any]:
        names = ("category", "side", "mode", "warn_at", "block_at")
        return {name: getattr(rule, name) for name in names}


class NewRules(Given):
    version: int = Field(ge=0, description="the version that was read, so that nobody's change is overwritten")
    is_on: bool = True
    note: str = Field("", max_length=300)
    rules: list[Rule] = Field([], max_length=2 * len(CATEGORIES))


class Rules(Schema):
    version: int
    is_on: bool
    note: str
    filter: str
    rules: list[Rule]


class Filter(Schema):
    id: UUID
    name: str
    backend: str
    state: str
    server_url: str
    server_model: str
    shadow_since: datetime | None
    in_force_since: datetime | None
    created_at: datetime


class FilterPromotion(Given):
    to: Literal["shadow", "in_force", "retired"]
    why: str = Field("", max_length=300)


class NewModeration(Schema):
    """OpenAI's names; `model` is passed over, since the filter in force judges."""

    input: (
        Annotated[str, Field(max_length=LONGEST_TEXT)]
        | Annotated[list[Annotated[str, Field(max_length=LONGEST_TEXT)]], Field(min_length=1, max_length=MOST_TEXTS)]
    )
    model: str = Field("", max_length=200)


class Judged(Schema):
    flagged: bool
    categories: dict[str, bool]
    category_scores: dict[str, float]
    judged: bool = Field(description="false where the filter could not say, such as of another language")


class Moderation(Schema):
    id: str
    model: str
    results: list[Judged]
