"""The storm: trainers submit while fault after fault falls, then the checker looks, and the silences are counted."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any

import psycopg2

from labeling.embedded.processes import wait_until
from tests.chaos.checker import check
from tests.chaos.faults import FAULTS, is_up
from tests.chaos.services import Services, answers
from tests.chaos.trainers import Sent, Told, Trainer

FAULT_SECONDS = 3.0  # of one that lasts
REST_SECONDS = 1.0  # between the end of one and the next, at least: a storm in which nobody is acknowledged shows less
RECOVERY_SECONDS = 120.0


@dataclass
class Report:
    num_acknowledged: int
    num_kept: int
    seconds: float
    faults: list[tuple[str, float]]  # kind and when it began
    outages: Counter[str]
    untrue: Counter[str]
    wrong: dict[str, list[str]]
    acknowledged_at: list[float] = field(repr=False)
    sent: list[Sent] = field(repr=False)

    @property
    def is_sound(self) -> bool:
        return not any(self.wrong.values()) and not self.untrue

    def gaps(self) -> list[float]:
        """Seconds between one acknowledgement and the next."""
        return [later - earlier for earlier, later in pairwise(self.acknowledged_at)]

    def silences(self) -> list[tuple[str, float]]:
        """Of each fault the longest time without an acknowledgement, from it to the next fault or the end."""
        found = []
        for number, (kind, began) in enumerate(self.faults):
            last = number + 1 == len(self.faults)
            ends = self.acknowledged_at[-1] if last else self.faults[number + 1][1]
            moments = [began, *(at for at in self.acknowledged_at if began < at <= ends), ends]
            found.append((kind, max(later - earlier for earlier, later in pairwise(moments))))
        return found

    def to_line(self) -> str:
        by_kind: dict[str, list[float]] = {}
        for kind, seconds in self.silences():
            by_kind.setdefault(kind, []).append(round(seconds, 2))
        values: dict[str, Any] = {
            "acknowledged": self.num_acknowledged,
            "of them kept without counting": self.num_kept,
            "seconds": round(self.seconds, 1),
            "faults": len(self.faults),
            **{kind: len(ids) for kind, ids in self.wrong.items()},
            "untrue answers": dict(self.untrue),
            "seconds between acknowledgements (p50, p95, max)": _spread(self.gaps()),
            "longest silence after each fault, s (p50, p95, max)": _spread([one for _, one in self.silences()]),
            "by kind": by_kind,
            "honest refusals": dict(self.outages),
        }
        return json.dumps(values)


def storm(
    platform: Services,
    slug: str,
    *,
    kinds: list[str],
    acknowledged: int,
    clients: int = 8,
    seconds: float = 600.0,
    before: Sequence[Sent] = (),
    say: Callable[[str], None] = lambda _line: None,
) -> Report:
    """The faults in turn, evenly over the acknowledgements, until there are as many as asked for, or time is over.

    `before` is what was sent to this platform earlier.
    """
    told, stop, began = Told(), threading.Event(), time.monotonic()
    people = [
        Trainer(who, slug, list(platform.ports.values()), told, seed=number)
        for number, who in enumerate(platform.trainers[:clients])
    ]
    threads = [threading.Thread(target=person.work, args=(stop,)) for person in people]
    for thread in threads:
        thread.start()
    faults = []

    def is_over() -> bool:
        return time.monotonic() - began > seconds

    try:
        for number, kind in enumerate(kinds):
            due = acknowledged * number // len(kinds)
            wait_until(lambda due=due: len(told.acknowledged_at) >= due or is_over(), seconds=seconds)
            if is_over():
                break
            wait_until(lambda: is_up(platform), seconds=RECOVERY_SECONDS)
            faults.append((kind, time.monotonic()))
            say(f"{time.monotonic() - began:6.1f} s, {len(told.acknowledged_at)} acknowledged: {kind}")
            with suppress(psycopg2.OperationalError), FAULTS[kind](platform):
                time.sleep(FAULT_SECONDS)
            time.sleep(REST_SECONDS)
        wait_until(lambda: len(told.acknowledged_at) >= acknowledged or is_over(), seconds=seconds)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    took = time.monotonic() - began
    assert wait_until(lambda: is_up(platform), seconds=RECOVERY_SECONDS), "it did not come back"
    assert all(wait_until(lambda p=port: answers(p), seconds=RECOVERY_SECONDS) for port in platform.ports.values())
    connection = platform.connect()
    with connection.cursor() as cursor:
        wrong = check(cursor, [*before, *told.sent])
    connection.close()
    moments, kept = sorted(told.acknowledged_at), sum(one.is_kept for one in told.sent)
    return Report(len(moments), kept, took, faults, told.outages, told.untrue, wrong, moments, told.sent)


def drawn_faults(num: int, *, seed: int) -> list[str]:
    """Every kind as often as any other, give or take one, in an order drawn by `seed`."""
    chance, kinds = random.Random(seed), list(FAULTS)
    drawn = (kinds * (num // len(kinds) + 1))[:num]
    chance.shuffle(drawn)
    return drawn


def _spread(values: list[float]) -> list[float]:
    ordered = sorted(values)
    p95 = ordered[max(0, -(-len(ordered) * 95 // 100) - 1)]
    return [round(one, 2) for one in (median(ordered), p95, ordered[-1])]
