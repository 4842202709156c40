"""What a migration may not do while a platform serves: hold a large table for long, or break the code of before.

docs/upgrading.md says how each is done instead. A rule looks at operations, so that it needs no rows.
"""

import re
from collections.abc import Iterator
from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently, NotInTransactionMixin
from django.db import migrations, models
from django.db.migrations.operations.base import Operation
from django.db.models import NOT_PROVIDED

# Tables that grow with people's work: building an index on one, or checking all its rows, takes minutes.
_LARGE = """
auditevent comparison completion delivery dialogue label lease message prompt promptvector ranking rating report
samplingrun screening thumb
"""
LARGE = frozenset(_LARGE.split())
_LOCKING = re.compile(
    r"\bCREATE\s+(UNIQUE\s+)?INDEX\s+(?!CONCURRENTLY)|\b(REINDEX|CLUSTER|VACUUM\s+FULL|LOCK\s+TABLE)\b"
    r"|\bALTER\s+TABLE\b(?!.*\b(NOT\s+VALID|VALIDATE\s+CONSTRAINT)\b)",
    re.IGNORECASE | re.DOTALL,
)
_TABLES = re.compile(r"\blabeling_(\w+)")


def problems_of(migration: migrations.Migration) -> list[str]:
    """What is wrong with it, a sentence each: where, what, what to do."""
    made = {one.name_lower for one in migration.operations if isinstance(one, migrations.CreateModel)}
    found = []
    for place, operation in enumerate(migration.operations):
        where = f"{migration.name}, operation {place} ({type(operation).__name__})"
        found += [f"{where}: {what}" for what in _problems(operation, made, is_atomic=migration.atomic)]
    return found


def _problems(operation: Operation, made: set[str], *, is_atomic: bool) -> Iterator[str]:
    if isinstance(operation, migrations.SeparateDatabaseAndState):
        for one in operation.database_operations:
            yield from _problems(one, made, is_atomic=is_atomic)
        return
    if isinstance(operation, NotInTransactionMixin) and is_atomic:
        yield "needs `atomic = False` and a migration of its own."
    if isinstance(operation, migrations.RunSQL):
        yield from _of_sql(operation)
        return
    table = getattr(operation, "model_name_lower", "")
    if table in made:
        return  # nobody has it yet
    if isinstance(operation, migrations.RenameField | migrations.RenameModel | migrations.AlterModelTable):
        yield "the code of before has the old name; add the new one beside it, write both, drop the old one later."
    if isinstance(operation, migrations.AddField):
        yield from _of_new_column(table, operation.field)
    if table not in LARGE:
        return
    if isinstance(operation, migrations.AddIndex) and not isinstance(operation, AddIndexConcurrently):
        yield f"writing to {table} waits until the index is built; use AddIndexConcurrently."
    if isinstance(operation, migrations.AddConstraint):
        yield f"every row of {table} is checked under a lock; add it NOT VALID, and VALIDATE it in the next migration."
    if isinstance(operation, migrations.AlterField) and _rewrites(operation.field):
        yield f"every row of {table} may be written or checked under a lock; do it in two steps (docs/upgrading.md)."


def _of_new_column(table: str, field: Any) -> Iterator[str]:
    if not field.null and field.db_default is NOT_PROVIDED and not field.many_to_many:
        yield "the code of before writes rows without the column; give it db_default, or let it be null."
    if table in LARGE and (field.db_index or field.unique):
        yield f"writing to {table} waits until the column's index is built; db_index=False, and AddIndexConcurrently."
    if table in LARGE and field.remote_field is not None and getattr(field, "db_constraint", False):
        yield f"every row of {table} is checked under a lock; db_constraint=False, and the constraint NOT VALID."


def _rewrites(field: Any) -> bool:
    # Text that may become longer or unbounded is known to PostgreSQL to need no look at the rows; choices are ours.
    return not isinstance(field, models.CharField | models.TextField | models.JSONField) or not field.has_default()


def _of_sql(operation: migrations.RunSQL) -> Iterator[str]:
    sql = operation.sql if isinstance(operation.sql, str) else " ".join(map(str, operation.sql))
    for statement in sql.split(";"):
        large = sorted(LARGE.intersection(_TABLES.findall(statement)))
        if large and _LOCKING.search(statement):
            yield f"locks {', '.join(large)}: {' '.join(statement.split())[:60]}…"
