"""Schemas of imports and of people."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ninja import Field, Schema

from labeling.api.schemas import Given


class Import(Schema):
    """A file that was brought in; `report` says of its lines what came in, what was there, and what was refused."""

    id: UUID
    kind: str
    into_prompts: bool
    state: str
    fraction: float
    format: str
    file_name: str
    num_bytes: int
    skips_bad_lines: bool
    report: dict[str, Any]
    error: str
    created_at: datetime
    finished_at: datetime | None


class NewImport(Given):
    """`content` is the file in base64, gzip or not; its `name` tells the format where the content does not."""

    into: Literal["dialogues", "prompts", "rankings", "thumbs"]
    name: str = Field(min_length=1, max_length=200)
    content: str = Field(min_length=1)
    skips_bad_lines: bool = False


class Person(Schema):
    id: UUID
    username: str
    display_name: str
    role: str
    is_active: bool
    created_at: datetime


class NewPerson(Given):
    """Of any role but admin: who may do everything is decided on the page."""

    username: str = Field(min_length=1, max_length=80, pattern=r"^[\w.@+-]+$")
    role: Literal["trainer", "reviewer", "engineer"]


class PersonWithPassword(Person):
    """`password` is here once and kept nowhere; null where the account was there already."""

    password: str | None


class Change(Given):
    """What is to be other; what is left out stays."""

    role: Literal["trainer", "reviewer", "engineer"] | None = None
    is_active: bool | None = None


class NewMembers(Given):
    """People who come to a project, and people who leave it, by id."""

    add: list[UUID] = Field(default_factory=list, max_length=500)
    remove: list[UUID] = Field(default_factory=list, max_length=500)
