"""The audit's own end: old events, and the words that events of an erased person quote.

The audit only grows. Its owner alone goes past that, here and nowhere else in Parley, in a transaction that says so
(labeling/migrations/0029_withdrawals.py); where the platform is another role, each function does
nothing.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from labeling.models import AuditEvent, PersonErasure, User

TABLE = AuditEvent._meta.db_table
# Keys of details that hold somebody's words; identifiers, numbers, states and roles stay.
QUOTED = ("comment", "name", "note", "reason", "text", "why", "words")
BATCH = 5_000  # events of one transaction


def is_owner() -> bool:
    """Whether this connection's role owns the audit's table, and so may mend it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class WHERE oid = %s::regclass", [TABLE]
        )
        return bool(cursor.fetchone()[0])


def num_quoting(person: User) -> int:
    """How many events of this person still quote words of theirs."""
    return AuditEvent.objects.filter(by=person, detail__has_any_keys=QUOTED).count()


def forget_words() -> int:
    """Take the words out of the events of erased people; returns how many events. 0 where this role may not."""
    waiting = AuditEvent.objects.filter(
        by__in=PersonErasure.objects.values("person"), detail__has_any_keys=QUOTED
    ).values_list("id", flat=True)[:BATCH]
    num = 0
    while (ids := list(waiting.all())) and is_owner():
        with _maintenance() as cursor:
            cursor.execute(
                f"UPDATE {TABLE} SET detail = detail - %s::text[] || %s::jsonb WHERE id = ANY(%s)",  # noqa: S608
                [list(QUOTED), json.dumps({"erased": True}), ids],
            )
        num += len(ids)
    return num


def forget_old_events() -> int:
    """Delete events older than PARLEY_KEEP_DAYS says, and leave one that says so; returns how many went."""
    if "audit" not in settings.KEEP_DAYS:
        return 0
    before = timezone.now() - timedelta(days=settings.KEEP_DAYS["audit"])
    waiting = AuditEvent.objects.filter(at__lt=before).order_by("id").values_list("id", flat=True)[:BATCH]
    num = 0
    while (ids := list(waiting.all())) and is_owner():
        with _maintenance() as cursor:
            cursor.execute(f"DELETE FROM {TABLE} WHERE id = ANY(%s)", [ids])  # noqa: S608
            AuditEvent.objects.create(
                verb="forget events",
                subject_type="auditevent",
                subject_id=str(ids[-1]),
                detail={"num": len(ids), "before": before.isoformat(timespec="seconds")},
            )
        num += len(ids)
    return num


@contextmanager
def _maintenance() -> Iterator[CursorWrapper]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('parley.audit_maintenance', true)")
        before = cursor.fetchone()[0] or ""
        cursor.execute("SET LOCAL parley.audit_maintenance = 'on'")
        yield cursor
        # Within a larger transaction the setting would live on.
        cursor.execute("SELECT set_config('parley.audit_maintenance', %s, true)", [before])
