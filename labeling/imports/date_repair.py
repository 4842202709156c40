"""Repair of ranking dates that an import would refuse today: they are found and replaced.

Only a ranking's `ranked_at` ever came from a file. Python may be unable to read such a date, so rows are read and
written by plain SQL, with the old date as text.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection, transaction

from labeling.imports.dates import EARLIEST, latest
from labeling.models import AuditEvent, Project, User

_AT_ONCE = 500  # rankings of one transaction; their old dates go into its audit events
# The lock keeps the old date, which the audit event records, the one that _MEND replaces.
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
class DateOutOfRange:
    """A date out of range, as PostgreSQL writes it, and its replacement: when the comparison was created."""

    ranking: str
    project: uuid.UUID
    was: str
    becomes: str


def mend_dates(*, by: User | None, dry_run: bool = False, tell: Callable[[DateOutOfRange], None]) -> int:
    """Set every date out of range to its comparison's `created_at`; returns how many. Safe to repeat."""
    num, after = 0, _FIRST_ID
    while True:
        with transaction.atomic():
            found = _find_dates(after)
            if found and not dry_run:
                _mend(found, by=by)
        for one in found:
            tell(one)
        if not found:
            return num
        num, after = num + len(found), found[-1].ranking


def _find_dates(after: str) -> list[DateOutOfRange]:
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [EARLIEST, latest(), after, _AT_ONCE])
        return [DateOutOfRange(*row) for row in cursor.fetchall()]


def _mend(found: list[DateOutOfRange], *, by: User | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_MEND, [[one.ranking for one in found]])
    projects = Project.objects.in_bulk({one.project for one in found})
    for identifier, project in projects.items():
        before = {one.ranking: one.was for one in found if one.project == identifier}
        AuditEvent.note("mend dates", project, by=by, ranked_at=before)
