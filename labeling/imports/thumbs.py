"""Storing thumbs, from files and from programs. The same one twice is one: by its sender's id, or by all that it says.

Retracting one and bringing it back. What is done about a thumb down is in labeling.sampling.thumbs_down.
"""

import hashlib
import json
import uuid
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from labeling.imports import identity
from labeling.imports.bulk_copy import CopyTarget
from labeling.imports.dates import moment_of
from labeling.imports.project_lock import lock_project
from labeling.models import AuditEvent, Policy, Project, Thumb, User
from records import Thumb as ThumbRecord
from records import encode

_COLUMNS = (
    "project_id", "messages", "content", "content_sha256", "policy_id", "outside_policy", "sampling", "up", "reason",
    "outside_trainer", "outside_id", "topic", "source", "given_at", "created_by_id", "wants_comparison",
)  # fmt: skip
_THUMBS = CopyTarget(Thumb, "id", *_COLUMNS, "created_at")


class ThumbConflict(ValueError):
    """Another thumb came in under the same id; the text is for the program that sent both."""


def store_thumbs(project: Project, records: Sequence[ThumbRecord], *, source: str, by: User | None) -> int:
    """Store the thumbs that are new, in one transaction; returns how many. Known ones change nothing."""
    by_key: dict[tuple[str, str], ThumbRecord] = {}
    for record in records:
        by_key.setdefault(_key(record), record)
    with transaction.atomic():
        lock_project(project)
        new = _new_among(project, by_key)
        ours = _policies(project, new)
        now = timezone.now()
        _THUMBS.copy(
            (
                uuid.uuid4(),
                *_as_text(_values(project, record, source=source, by=by, policies=_of_ours(record, ours))),
                now + timedelta(microseconds=place),  # keeps the rows in the order of the file
            )
            for place, record in enumerate(new)
        )
    return len(new)


def receive_thumb(project: Project, record: ThumbRecord, *, source: str, by: User) -> tuple[Thumb, bool]:
    """The row of a thumb that a program sent under its own id, and whether it is new.

    Raises ThumbConflict where another thumb has this id.
    """
    values = _values(project, record, source=source, by=by, policies=_policies(project, [record]))
    known_by = {name: values.pop(name) for name in ("project_id", "outside_id")}
    with transaction.atomic():
        thumb, is_new = Thumb.objects.get_or_create(**known_by, defaults=values)
        if is_new:
            AuditEvent.note("receive thumb", thumb, by=by, up=thumb.up)
    if thumb.content_sha256 != values["content_sha256"]:
        raise ThumbConflict("Another thumb was sent under this id.")
    return thumb, is_new


def set_retracted(thumb: Thumb, *, retracted: bool, by: User) -> None:
    """Take a thumb out of everything that is exported or compared from now on, or bring it back."""
    if retracted == (thumb.retracted_at is not None) or (not retracted and thumb.is_replaced):
        return
    with transaction.atomic():
        thumb.retracted_at = timezone.now() if retracted else None
        thumb.save(update_fields=["retracted_at"])
        AuditEvent.note("retract thumb" if retracted else "bring thumb back", thumb, by=by)


def _key(record: ThumbRecord) -> tuple[str, str]:
    return ("id", record.id) if record.id else ("content", _sha256(record))


def _new_among(project: Project, by_key: dict[tuple[str, str], ThumbRecord]) -> list[ThumbRecord]:
    """Those that the project does not have; a thumb exported here is known by its own id."""
    ids, contents = ({key for kind, key in by_key if kind == wanted} for wanted in ("id", "content"))
    rows = Thumb.objects.filter(project=project)
    known = {("id", one) for one in rows.filter(outside_id__in=ids).values_list("outside_id", flat=True)}
    own = rows.filter(id__in=[one for one in ids if identity.is_uuid(one)])
    known |= {("id", str(one)) for one in own.values_list("id", flat=True)}
    same = rows.filter(outside_id="", content_sha256__in=contents)
    known |= {("content", one) for one in same.values_list("content_sha256", flat=True)}
    return [record for key, record in by_key.items() if key not in known]


def _policies(project: Project, records: Iterable[ThumbRecord]) -> dict[str, uuid.UUID]:
    """Ids of the policies that these name and the project is open to."""
    names = {record.completion.policy for record in records if record.completion.policy}
    return dict(Policy.objects.open_to(project).filter(name__in=names).values_list("name", "id")) if names else {}


def _of_ours(record: ThumbRecord, policies: dict[str, uuid.UUID]) -> dict[str, uuid.UUID]:
    """A file's name of a policy is taken for one of ours only where it also says how the answer was sampled."""
    return policies if record.completion.sampling else {}


def _values(
    project: Project, record: ThumbRecord, *, source: str, by: User | None, policies: dict[str, uuid.UUID]
) -> dict[str, Any]:
    """The columns of a thumb. A name of a policy that is not among `policies` stays a name."""
    completion = record.completion
    ours = policies.get(completion.policy or "")
    values = (
        project.id,
        [{"role": message.role, "content": message.content} for message in record.messages],
        completion.content,
        _sha256(record),
        ours,
        "" if ours else (completion.policy or "")[:100],
        encode(completion.sampling) if completion.sampling else None,
        record.up,
        record.reason or "",
        record.trainer or "",
        record.id,
        (record.topic or "")[:60],
        (record.source or source)[:200],
        moment_of(record.given_at, "given_at") if record.given_at else timezone.now(),
        by.id if by else None,
        project.compares_thumbs_down and not record.up,
    )
    return dict(zip(_COLUMNS, values, strict=True))


def _as_text(values: dict[str, Any]) -> Iterable[Any]:
    for value in values.values():
        yield json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def _sha256(record: ThumbRecord) -> str:
    """Of all that the sender says of the thumb, without its id."""
    said = [(message.role, message.content) for message in record.messages]
    completion = record.completion
    judged = (completion.content, completion.policy, record.up, record.reason)
    return hashlib.sha256(
        json.dumps((said, *judged, record.trainer, record.given_at, record.topic)).encode()
    ).hexdigest()
