"""Streams to many people at once, through one web process: how long a word is on its way from the broker to them.

The words come from here, written to the broker as a sample worker writes them (sampler.streaming), so that what is
measured is the relay alone: no model, no worker.
"""

import asyncio
import json
import os
import platform as machine
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from statistics import quantiles

import redis

from benchmarks import preview_delay
from benchmarks.figures import Figure
from benchmarks.platform import platform, resident_mb, sign_in, web_process

STREAMS = int(os.environ.get("PARLEY_BENCH_STREAMS", "500"))
PEOPLE = 50  # each reads a tenth of as many streams; whose they are does not matter to the relay
SECONDS = 30.0  # of measurement, in halves: the second shows whether memory grows
EVERY = 0.25  # seconds between two words of a stream, as four words a second are read
BATCHES = 10  # in that time, each to a tenth of the streams
OPENING_SECONDS = 60.0


def figures() -> Iterator[Figure]:
    """preview.relay_p95_ms, preview.relay_memory_growth, preview.trainer_delay."""
    with platform(), web_process("labeling.settings") as (port, pid):
        runs, cookies = _runs()
        readers = _Readers(port, runs, cookies)
        asyncio.run(readers.measure(lambda: resident_mb(pid)))
        yield readers.relay()
        yield readers.memory()
    yield from preview_delay.figures()


def _runs() -> tuple[list[str], dict[str, str]]:
    """The ids of runs that stream, and the session cookie by which each is read."""
    from labeling.models import Policy, Project, SamplingRun, User

    policy = Policy.objects.create(name="stub", store_path="policies/stub")
    project = Project.objects.create(slug="preview", name="Preview", policy=policy)
    people = User.objects.bulk_create(
        User(username=f"visitor-{index}", password="!", role=User.Role.ADMIN) for index in range(PEOPLE)
    )
    sessions = {person.pk: sign_in(person, 0).cookies for person in people}
    rows = [
        SamplingRun(
            project=project,
            purpose=SamplingRun.Purpose.CHAT,
            state=SamplingRun.State.RUNNING,
            attempt=1,
            policy=policy,
            messages=[{"role": "user", "content": "Why is the sky blue?"}],
            num_completions=1,
            sampling={},
            streams=True,
            requested_by=people[index % PEOPLE],
        )
        for index in range(STREAMS)
    ]
    SamplingRun.objects.bulk_create(rows)
    cookies = {str(row.pk): sessions[people[index % PEOPLE].pk] for index, row in enumerate(rows)}
    return list(cookies), cookies


class _Readers:
    """All streams, each read by a connection of its own. Who writes to them is a process of its own: the clock
    (CLOCK_MONOTONIC) is the machine's, and every word is the moment at which it was written."""

    def __init__(self, port: int, runs: list[str], cookies: dict[str, str]) -> None:
        self.port, self.runs, self.cookies = port, runs, cookies
        self.heard: set[str] = set()
        self.delays: list[float] = []
        self.memory_mb: list[float] = []

    async def measure(self, memory_now: Callable[[], float]) -> None:
        from django.conf import settings

        readers = [asyncio.create_task(self._read(run)) for run in self.runs]
        writer = get_context("spawn").Process(target=_write, args=(settings.REDIS_URL, self.runs), daemon=True)
        writer.start()
        try:
            await self._until_all_are_heard()
            self.delays.clear()
            self.memory_mb.append(memory_now())
            for _half in range(2):
                await asyncio.sleep(SECONDS / 2)
                self.memory_mb.append(memory_now())
        finally:
            writer.terminate()
            writer.join()
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)

    async def _until_all_are_heard(self) -> None:
        deadline = time.monotonic() + OPENING_SECONDS
        while len(self.heard) < len(self.runs):
            if time.monotonic() > deadline:
                raise RuntimeError(f"only {len(self.heard)} of {len(self.runs)} streams opened")
            await asyncio.sleep(EVERY)

    async def _read(self, run: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        lines = (f"GET /stream/{run}/ HTTP/1.1", "Host: 127.0.0.1", f"Cookie: {self.cookies[run]}", "", "")
        writer.write("\r\n".join(lines).encode())
        try:
            while line := await reader.readline():
                if line.startswith(b'data: {"index"'):
                    now = time.monotonic()
                    self.delays += [now - float(word) for word in json.loads(line[6:])["text"].split()]
                    self.heard.add(run)
        finally:
            writer.close()

    def relay(self) -> Figure:
        cuts = [1000 * cut for cut in quantiles(self.delays, n=100)]
        return Figure(
            name="preview.relay_p95_ms",
            value=cuts[94],
            unit="ms",
            low=cuts[49],
            high=cuts[98],
            detail={
                "streams": len(self.runs),
                "words": len(self.delays),
                "low and high": "the median and the 99th percentile",
                "machine": f"{os.cpu_count()} {machine.machine()}",
            },
        )

    def memory(self) -> Figure:
        begin, middle, end = self.memory_mb
        return Figure(
            name="preview.relay_memory_growth",
            value=end / middle,
            unit="times",
            low=end / middle,
            high=middle / begin,
            detail={"megabytes": self.memory_mb, "seconds of a half": SECONDS / 2},
        )


def _write(redis_url: str, runs: list[str]) -> None:
    """A word to each stream every EVERY seconds, until the process is ended. Longer streams than a run's are cut."""
    from records.names import stream_key

    broker, due = redis.Redis.from_url(redis_url), time.monotonic()
    while True:
        for batch in range(BATCHES):
            pipeline = broker.pipeline(transaction=False)
            for run in runs[batch::BATCHES]:
                pipeline.xadd(stream_key(run, 1), {"index": 0, "text": f"{time.monotonic():.6f} "}, maxlen=1000)
            pipeline.execute()
            due += EVERY / BATCHES
            time.sleep(max(0.0, due - time.monotonic()))
