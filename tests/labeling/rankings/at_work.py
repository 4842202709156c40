"""Trainers at the queue: a place taken, and an order for it; and two of them at once, on a connection each."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from labeling.models import Lease, Project, User
from labeling.rankings import assignment
from labeling.rankings.submission import Submission


def claim(project: Project, by: User) -> Lease:
    lease = assignment.claim(project, by=by)
    assert isinstance(lease, Lease), lease
    return lease


def in_shown_order(lease: Lease, **fields: Any) -> Submission:
    return Submission(tiers=tuple((identifier,) for identifier in lease.shown_order), **fields)


def run_out(lease: Lease) -> None:
    Lease.objects.filter(id=lease.id).update(expires_at=timezone.now() - timedelta(seconds=1))


def lose(lease: Lease) -> None:
    run_out(lease)
    assert assignment.expire_leases() == 1


def after_waiting(first: Callable[[], Any], then: Callable[[], Any]) -> Any:
    """What `then` answers on a second connection, which must wait for the row locks of `first` until it commits.

    An error of `then` is raised here. Wants `django_db(transaction=True)`.
    """
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first()
            other = pool.submit(_on_its_own, then)
            while not other.done() and not _is_waited_for():
                pass
            has_waited = not other.done()
        answer = other.result()
    assert has_waited
    return answer


def without_waiting(first: Callable[[], Any], then: Callable[[], Any]) -> Any:
    """What `then` answers on a second connection while the transaction of `first` is open; fails where it waits."""
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        first()
        return pool.submit(_on_its_own, then, lock_timeout="500ms").result()


def _on_its_own(work: Callable[[], Any], *, lock_timeout: str = "60s") -> Any:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [lock_timeout])
        return work()
    finally:
        connection.close()


def _is_waited_for() -> bool:
    """Whether another connection waits for a lock that this one's transaction holds."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        return bool(cursor.fetchone()[0])
