"""Two transactions at once in a known order, for tests of locks: the second begins while the first is open."""

import queue
import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any

from django.db import connection, transaction

LONGEST = 30.0  # seconds until the second waits for a lock or has ended


def overlap(first: Callable[[], Any], second: Callable[[], Any], *, then: Callable[[], Any] | None = None) -> Any:
    """What `second` returns, or raises, on a connection of its own while the transaction of `first` is open.

    The first transaction goes on with `then`, and commits, as soon as the second waits for it or has ended.
    """
    outcome: Future[Any] = Future()
    backends: queue.SimpleQueue[int] = queue.SimpleQueue()

    def call_second() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                backends.put(cursor.fetchone()[0])
            outcome.set_result(second())
        except Exception as error:
            outcome.set_exception(error)
        finally:
            connection.close()

    thread = Thread(target=call_second)
    outer = transaction.atomic()
    outer._from_testcase = True  # type: ignore[attr-defined]  # so that what must be outermost may be called in it
    with outer:
        first()
        thread.start()
        _wait_until_blocked(backends.get(timeout=LONGEST), outcome)
        if then is not None:
            then()
    thread.join(LONGEST)
    return outcome.result(timeout=0)


def _wait_until_blocked(backend: int, outcome: "Future[Any]") -> None:
    deadline = time.monotonic() + LONGEST
    while not outcome.done() and not _waits(backend):
        assert time.monotonic() < deadline, "the second neither waits nor ends"
        time.sleep(0.01)


def _waits(backend: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [backend])
        return bool(cursor.fetchone()[0])
