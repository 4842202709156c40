"""The administrative way past the audit's trigger, as docs/settings.md gives it to the owner of the database."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def audit_maintenance(value: str = "on") -> Iterator[None]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('parley.audit_maintenance', true)")
        before = cursor.fetchone()[0] or ""
        cursor.execute("SELECT set_config('parley.audit_maintenance', %s, true)", [value])
        yield
        cursor.execute("SELECT set_config('parley.audit_maintenance', %s, true)", [before])
