"""Dates of rankings that no import would take today: found and set to one that can be kept.

Only a ranking's `ranked_at` ever came from a file. Such a date may be one that Python cannot read, so the rows
are read and written by plain SQL, the old date as text.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection, transaction

from labeling.imports.dates import EARLIEST, latest
from labeling.models import AuditEvent, Project, User

_AT_ONCE = 500  # rankings of one transaction, whose old dates its audit events hold
_FIND = """
    SELECT ranking.id::text, comparison.project_id, ranking.ranked_at::text, comparison.created_at::text
    FROM labeling_ranking ranking JOIN labeling_comparison comparison ON comparison.id = ranking.comparison_id
    WHERE (ranking.ranked_at < %s OR ranking.ranked_at > %s) AND ranking.id > %s
    ORDER BY ranking.id LIMIT %s FOR UPDATE OF ranking
"""
_MEND = """
    UPDATE labeling_ranking ranking SET ranked_at = comparison.created_at
    FROM labeling_comparison comparison
    WHERE comparison.id = ranking.comparison_id AND ranking.id = ANY(%s::uuid[])
"""
_FIRST_ID = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class StrangeDate:
    """A ranking's date as PostgreSQL spells it, and what it becomes: when its comparison came into the database."""

    ranking: str
    project: uuid.UUID
    was: str
    becomes: str


def mend_dates(*, by: User | None, dry_run: bool = False, tell: Callable[[StrangeDate], None]) -> int:
    """Set every date that cannot be kept to its comparison's `created_at`; returns how many. Again, it finds none."""
    num, after = 0, _FIRST_ID
    while True:
        with transaction.atomic():
            found = _strange_dates(after)
            if found and not dry_run:
                _mend(found, by=by)
        for one in found:
            tell(one)
        if not found:
            return num
        num, after = num + len(found), found[-1].ranking


def _strange_dates(after: str) -> list[StrangeDate]:
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [EARLIEST, latest(), after, _AT_ONCE])
        return [StrangeDate(*row) for row in cursor.fetchall()]


def _mend(found: list[StrangeDate], *, by: User | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_MEND, [[one.ranking for one in found]])
    projects = Project.objects.in_bulk({one.project for one in found})
    for identifier, project in projects.items():
        before = {one.ranking: one.was for one in found if one.project == identifier}
        AuditEvent.note("mend dates", project, by=by, ranked_at=before)
