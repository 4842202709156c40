"""The figures that a monitor scrapes, read at the moment of the scrape from the database and the broker.

Each statement reads an index of what is under way, or PostgreSQL's own estimates, so that a scrape costs the same at
a thousand rankings and at a million. One that fails is left out, and `parley_scrape_failures` says how many did.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from labeling.jobs import dispatch
from records.names import DELIVERIES_QUEUE, EXPORTS_QUEUE, SAMPLE_QUEUE, TRAIN_QUEUE, WEB_QUEUE
from records.presence import living

logger = logging.getLogger(__name__)

QUEUES = (WEB_QUEUE, EXPORTS_QUEUE, DELIVERIES_QUEUE, SAMPLE_QUEUE, TRAIN_QUEUE)

# Work that is under way: of each kind and state how many rows, and for how many seconds the oldest has been in it. The
# conditions are word for word those of the partial indexes, or PostgreSQL would read the whole table.
_WORK = """
SELECT 'sampling', state, count(*), extract(epoch FROM now() - min(created_at))
FROM labeling_samplingrun WHERE state IN ('sent', 'running') GROUP BY state
UNION ALL
SELECT 'sampling', 'waiting', count(*), extract(epoch FROM now() - min(created_at))
FROM labeling_samplingrun WHERE state = 'waiting'
UNION ALL
SELECT 'export', state, count(*), extract(epoch FROM now() - min(created_at))
FROM labeling_export WHERE state IN ('waiting', 'running') GROUP BY state
UNION ALL
SELECT 'import', state, count(*), extract(epoch FROM now() - min(created_at))
FROM labeling_import WHERE state IN ('waiting', 'running') GROUP BY state
UNION ALL
SELECT 'training', state, count(*), extract(epoch FROM now() - min(created_at))
FROM labeling_trainingjob WHERE state IN ('waiting', 'sent', 'running') GROUP BY state
UNION ALL
SELECT 'delivery', 'due', count(*), extract(epoch FROM now() - min(due_at))
FROM labeling_delivery WHERE state = 'waiting' AND due_at <= now()
"""
_LEASES = "SELECT count(*), count(*) FILTER (WHERE expires_at < now()) FROM labeling_lease WHERE state = 'open'"
# PostgreSQL's estimates, as of the last vacuum or analyse; counting a million rows at each scrape would be dear.
_ROWS = """
SELECT relname, greatest(reltuples, 0) FROM pg_class
WHERE relname IN ('labeling_ranking', 'labeling_comparison', 'labeling_dialogue', 'comparison_queue')
"""
_ROW_NAMES = {
    "labeling_ranking": "rankings",
    "labeling_comparison": "comparisons",
    "labeling_dialogue": "dialogues",
    "comparison_queue": "comparisons with free places",
}
_DATABASE = """
SELECT count(*), (SELECT setting::int FROM pg_settings WHERE name = 'max_connections'),
       pg_database_size(current_database())
FROM pg_stat_activity WHERE datname = current_database()
"""


class PlatformCollector(Collector):
    """All figures of the platform as a whole; each web process gives the same."""

    def collect(self) -> Iterator[Metric]:
        failures = 0
        for read in (_work, _leases, _rows, _database, _queues, _workers):
            try:
                yield from read()
            except (DatabaseError, redis.RedisError, OSError) as error:
                failures += 1
                logger.warning("metrics: %s failed: %s", read.__name__.strip("_"), error)
        yield _gauge("parley_scrape_failures", "Parts of this scrape that could not be read.", failures)


def _work() -> Iterator[Metric]:
    found = _rows_of(_WORK)
    counts = [(kind, state, num) for kind, state, num, _ in found]
    yield _labelled("parley_work", "Rows of work in each state.", ("kind", "state"), counts)
    yield _labelled(
        "parley_work_oldest_seconds",
        "For how long the oldest row of work has waited or run.",
        ("kind", "state"),
        [(kind, state, age) for kind, state, num, age in found if num],
    )


def _leases() -> Iterator[Metric]:
    ((num, overdue),) = _rows_of(_LEASES)
    yield _gauge("parley_leases_open", "Comparisons that a trainer holds a place of.", num)
    yield _gauge("parley_leases_overdue", "Of these, past their time: the sweep gives them back.", overdue)


def _rows() -> Iterator[Metric]:
    found = [(_ROW_NAMES[name], num) for name, num in _rows_of(_ROWS)]
    yield _labelled("parley_rows_estimated", "Rows, as PostgreSQL estimates them.", ("rows",), found)


def _database() -> Iterator[Metric]:
    ((num, most, size),) = _rows_of(_DATABASE)
    yield _gauge("parley_database_connections", "Connections to the database.", num)
    yield _gauge("parley_database_connections_max", "The most that it takes.", most)
    yield _gauge("parley_database_bytes", "Its size on disk.", size)


def _queues() -> Iterator[Metric]:
    lengths = [(queue, length) for queue in QUEUES if (length := dispatch.queue_length(queue)) is not None]
    yield _labelled("parley_queue_length", "Messages in the broker that no worker has taken.", ("queue",), lengths)


def _workers() -> Iterator[Metric]:
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
        found = living(client)
    alive = Counter(queue for one in found for queue in one.worker.queue.split(","))
    busy = Counter(queue for one in found for queue in one.worker.queue.split(",") for _ in one.worker.running)
    yield _labelled("parley_workers", "Workers that are alive.", ("queue",), [(one, alive[one]) for one in QUEUES])
    yield _labelled("parley_worker_tasks", "Tasks that they are at.", ("queue",), [(one, busy[one]) for one in QUEUES])


def _rows_of(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def _gauge(name: str, description: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, description, value=value)


def _labelled(
    name: str, description: str, labels: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, description, labels=labels)
    for *values, number in rows:
        family.add_metric([str(value) for value in values], float(number))
    return family
