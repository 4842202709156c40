"""Claim and submit through the real views: as the project grows, against a bare floor, and in a storm.

A pair is one request: the ranking screen's submission answers with the next comparison, so that each
submits one ranking and claims one place. The floor (benchmarks.floor) does the same SQL, and nothing else.
"""

import os
import random
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median
from typing import Any

from benchmarks.figures import Figure, ratio, summarise
from benchmarks.platform import Browser, platform, server, sign_in

LARGE = int(os.environ.get("PARLEY_BENCH_COMPARISONS", "1000000"))
SMALL = 10_000
CLIENTS = 8
PAIRS = 150  # of one client, for a median
SECONDS = 4.0  # of one side with all clients
REPEATS = 5


def figures() -> Iterator[Figure]:
    """queue.claim_submit_ratio_1m, queue.fraction_of_floor, queue.overassigned."""
    with platform(), server("labeling.settings") as port, server("benchmarks.floor_settings") as floor_port:
        yield _growth(port)
        yield _against_floor(port, floor_port)
        yield _storm(port)


def _growth(port: int) -> Figure:
    small, large = filled_project("small", SMALL), filled_project("large", LARGE)
    (trainer,) = _trainers(1, small, large)
    browser = sign_in(trainer, port)
    walks = {project.slug: _Walk(browser, project.slug) for project in (small, large)}
    for walk in walks.values():
        walk.pairs(20)
    return ratio(
        "queue.claim_submit_ratio_1m",
        lambda: median(walks["large"].pairs(PAIRS)),
        lambda: median(walks["small"].pairs(PAIRS)),
        repeats=REPEATS,
        sizes=[LARGE, SMALL],
        measure="median seconds of submit + claim, one client",
    )


def _against_floor(port: int, floor_port: int) -> Figure:
    project, floor_project = filled_project("views", 100_000), filled_project("floor", 100_000)
    trainers = _trainers(CLIENTS, project, floor_project)
    ours = [_Walk(sign_in(trainer, port), project.slug) for trainer in trainers]
    theirs = [_Walk(sign_in(trainer, floor_port), floor_project.slug) for trainer in trainers]
    return ratio(
        "queue.fraction_of_floor",
        lambda: _pairs_per_second(ours),
        lambda: _pairs_per_second(theirs),
        repeats=REPEATS,
        unit="share",
        clients=CLIENTS,
        measure="submit + claim pairs a second",
    )


def _storm(port: int) -> Figure:
    """Forty trainers, eight at a time, over comparisons that want three rankings each, until nothing is left."""
    from django.db import connection

    project = filled_project("storm", 150, rankings_wanted=3)
    walks = [_Walk(sign_in(trainer, port), project.slug) for trainer in _trainers(40, project)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda walk: walk.until_nothing(), walks))
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [str(project.id)])
        over, total, wanted = cursor.fetchone()
    return summarise(
        "queue.overassigned", [float(over)], unit="rankings", rankings=int(total), wanted=int(wanted), trainers=40
    )


_COUNT = """
    SELECT coalesce(sum(greatest(num - rankings_wanted, 0)), 0), sum(num), sum(rankings_wanted) FROM (
        SELECT c.rankings_wanted, count(r.id) AS num FROM labeling_comparison c
        LEFT JOIN labeling_ranking r ON r.comparison_id = c.id WHERE c.project_id = %s GROUP BY c.id) counted
"""


class _Walk:
    """One trainer going through a project, submission by submission."""

    def __init__(self, browser: Browser, slug: str) -> None:
        self.browser, self.slug = browser, slug
        _, _, self.next = browser.post(f"/p/{slug}/rank/", {})

    def pair(self) -> float:
        """Submit one ranking and claim the next; returns its seconds. The look-up of ids is not counted."""
        values = {"key": str(uuid.uuid4()), "shelves": _shelves(self.next), "line": None, "seconds": 20}
        began = time.perf_counter()
        status, body, _ = self.browser.post(self.next, values)
        took = time.perf_counter() - began
        if status != 200:
            raise RuntimeError(f"{self.next} answered {status}: {body[:300]!r}")
        self.next = body.decode().split('"next": "')[1].split('"')[0]
        return took

    def pairs(self, num: int) -> list[float]:
        return [self.pair() for _ in range(num)]

    def until_nothing(self) -> None:
        with _connections_closed():
            while self.next.count("/") > 4:  # a lease's address; the way in has none
                self.pair()


def _pairs_per_second(walks: list[_Walk]) -> float:
    def work(walk: _Walk) -> int:
        done, end = 0, time.perf_counter() + SECONDS
        with _connections_closed():
            while time.perf_counter() < end:
                walk.pair()
                done += 1
        return done

    began = time.perf_counter()
    with ThreadPoolExecutor(len(walks)) as pool:
        done = sum(pool.map(work, walks))
    return done / (time.perf_counter() - began)


@contextmanager
def _connections_closed() -> Iterator[None]:
    """Close this thread's connections at its end: PostgreSQL has a hundred of them, and threads come and go."""
    from django.db import connections

    try:
        yield
    finally:
        connections.close_all()


def _shelves(lease_url: str) -> dict[str, int]:
    from labeling.models import Lease

    order = Lease.objects.values_list("shown_order", flat=True).get(id=lease_url.rstrip("/").rsplit("/", 1)[1])
    return {identifier: random.randint(1, len(order)) for identifier in order}


def _trainers(num: int, *projects: Any) -> list[Any]:
    from labeling.models import Membership, User

    users = [User(username=f"bench-{uuid.uuid4().hex[:8]}", password="!") for _ in range(num)]
    User.objects.bulk_create(users)
    Membership.objects.bulk_create(Membership(project=project, user=user) for project in projects for user in users)
    return users


def filled_project(slug: str, num: int, *, rankings_wanted: int = 1) -> Any:
    """A project with `num` open comparisons of four completions, written by the database itself."""
    from django.db import connection

    from labeling.models import GuidelineVersion, Project

    project = Project.objects.create(slug=slug, name=slug, rankings_wanted=rankings_wanted)
    GuidelineVersion.objects.create(project=project, version=1, text="Be helpful.")
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(_FILL, {"project": str(project.id), "num": num, "wanted": rankings_wanted})
        cursor.execute("ANALYZE")
    return project


_FILL = """
    WITH made AS (
        INSERT INTO labeling_comparison (id, project_id, state, messages, prompt_sha256, topic, source,
            rankings_wanted, open_slots, num_rankings, queue_key, use, created_at)
        SELECT gen_random_uuid(), %(project)s, 'open',
            jsonb_build_array(jsonb_build_object('role', 'user', 'content', repeat('A question. ', 20))),
            md5(n::text), '', '', %(wanted)s, %(wanted)s, 0, random(), 'work', now()
        FROM generate_series(1, %(num)s) n RETURNING id
    )
    INSERT INTO labeling_completion (id, comparison_id, index, content, finish_reason, outside_policy, created_at)
    SELECT gen_random_uuid(), made.id, k, repeat('An answer. ', 25), 'stop', '', now()
    FROM made CROSS JOIN generate_series(0, 3) k
"""
