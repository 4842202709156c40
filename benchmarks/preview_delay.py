"""How much longer a trainer waits for a first word while two hundred visitors chat, over a stub of a model server.

Everything between is real: rows, broker, a web worker, a sample worker with the bundled filter. The stub speaks a word
every 25 ms, and as many answers at once as it is asked for, so that what waits, waits in Parley.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import redis

from benchmarks.figures import Figure, summarise
from benchmarks.platform import CHECKOUT, platform

VISITORS = int(os.environ.get("PARLEY_BENCH_VISITORS", "200"))
WORDS, EVERY = 40, 0.025  # of an answer: a second
ASKED = 8  # first words of a trainer's, of one side
REPEATS = 3
PATIENCE = 60.0
_ANSWER = ["The", "sky", "is", "blue", "today.", "It", "was", "grey", "before", "noon."] * 4


def figures() -> Iterator[Figure]:
    """preview.trainer_delay."""
    with platform() as var, stub_server() as port, workers_beside(var, port):
        crowd = _Crowd(port)
        crowd.first_word()  # loads the filter
        ratios, alone, beside = [], [], []
        for _ in range(REPEATS):
            alone.append(median(crowd.first_word() for _ in range(ASKED)))
            with crowd.chatting():
                beside.append(median(crowd.first_word() for _ in range(ASKED)))
            ratios.append(beside[-1] / alone[-1])
        yield summarise(
            "preview.trainer_delay", ratios, unit="times", visitors=VISITORS, seconds_alone=alone,
            seconds_beside=beside, answers_to_visitors=crowd.num_answered, cores=os.cpu_count(),
        )  # fmt: skip


class _Crowd:
    """A trainer, and visitors who each ask again as soon as they are answered."""

    def __init__(self, port: int) -> None:
        from django.conf import settings

        from labeling.models import Dialogue, Policy, Project, User

        self.policy = Policy.objects.create(
            name="stub",
            backend="openai",
            server_kind="vllm",
            server_url=f"http://127.0.0.1:{port}/v1",
            server_model="m",
        )
        self.project = Project.objects.create(slug="preview", name="Preview", policy=self.policy)
        self.trainer = User.objects.create(username="trainer", password="!")
        people = User.objects.bulk_create(
            User(username=f"visitor-{index}", password="!", role=User.Role.VISITOR) for index in range(VISITORS)
        )
        self.chats = Dialogue.objects.bulk_create(
            Dialogue(project=self.project, author=person, kind=Dialogue.Kind.VISITOR) for person in people
        )
        self.own = Dialogue.objects.create(project=self.project, author=self.trainer, kind=Dialogue.Kind.CHAT)
        self.broker = redis.Redis.from_url(settings.REDIS_URL)
        self.num_answered = 0

    def ask(self, chat: Any) -> Any:
        from labeling.sampling.runs import request_completions

        said = [{"role": "user", "content": "Why is the sky blue?"}]
        return request_completions(
            self.project, purpose="chat", messages=said, num_completions=1, by=chat.author, dialogue=chat, position=1,
            streams=True,
        )  # fmt: skip

    def first_word(self) -> float:
        """Seconds from a trainer's request to the first text in its stream."""
        from records.names import stream_key

        began, run = time.perf_counter(), self.ask(self.own)
        if not self.broker.xread({stream_key(str(run.pk), 1): "0"}, block=int(1000 * PATIENCE), count=1):
            raise RuntimeError(f"no word came within {PATIENCE} s")
        took = time.perf_counter() - began
        _until(lambda: self._is_over(run.pk))
        return took

    @contextmanager
    def chatting(self) -> Iterator[None]:
        """All visitors chat, from when the first of them were answered; at the end all have been."""
        stopped = threading.Event()
        crowd = threading.Thread(target=self._chat, args=(stopped,))
        before = self.num_answered
        crowd.start()
        _until(lambda: self.num_answered >= before + 10)
        try:
            yield
        finally:
            stopped.set()
            crowd.join()

    def _chat(self, stopped: threading.Event) -> None:
        from django.db import connections

        asked = {self.ask(chat).pk: chat for chat in self.chats}
        while asked:
            time.sleep(0.2)
            for run in self._over(list(asked)):
                chat = asked.pop(run)
                self.num_answered += 1
                if not stopped.is_set():
                    asked[self.ask(chat).pk] = chat
        connections.close_all()

    def _over(self, runs: list[Any]) -> list[Any]:
        from labeling.models import SamplingRun
        from labeling.sampling.runs import UNDER_WAY

        return list(SamplingRun.objects.filter(pk__in=runs).exclude(state__in=UNDER_WAY).values_list("pk", flat=True))

    def _is_over(self, run: Any) -> bool:
        return bool(self._over([run]))


def _until(fact: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not fact():
        if time.monotonic() > deadline:
            raise RuntimeError(f"it did not come to that within {PATIENCE} s")
        time.sleep(0.02)


@contextmanager
def workers_beside(var: Path, port: int) -> Iterator[None]:
    """A web worker and a sample worker, as `manage.py run` starts them; their logs are in `var`."""
    from labeling import embedded

    urls = embedded.urls()
    shared = {**os.environ, "REDIS_URL": urls.redis, "PARLEY_STORE": str(var / "store")}
    sampler = {"DATABASE_URL": "", "PARLEY_BACKEND_HOSTS": f"127.0.0.1:{port}"}
    quiet = ["--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    celery = [sys.executable, "-m", "celery", "-A"]
    started = []
    for name, command, variables in (
        ("web", ["labeling.celery", "worker", "-n", "web@bench", "-Q", "web", "--concurrency", "2"], {}),
        ("sample", ["sampler.app", "worker", "-n", "sample@bench", "-Q", "sample", "--pool", "threads"], sampler),
    ):
        threads = ["--concurrency", "112"] if name == "sample" else []
        with (var / f"{name}.log").open("w") as log:
            whole = [*celery, *command, *threads, *quiet]
            started.append(subprocess.Popen(whole, cwd=CHECKOUT, env={**shared, **variables}, stdout=log, stderr=log))
    try:
        yield
    finally:
        for worker in started:
            worker.terminate()
        for worker in started:
            worker.wait(timeout=60)


@contextmanager
def stub_server() -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    server = get_context("spawn").Process(target=_serve, args=(port,), daemon=True)
    server.start()
    try:
        yield port
    finally:
        server.terminate()
        server.join()


def _serve(port: int) -> None:
    asyncio.run(_serve_until_ended(port))


async def _serve_until_ended(port: int) -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One streamed completion after another, on a connection that is kept."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            for word in _ANSWER[:WORDS]:
                await asyncio.sleep(EVERY)
                _send(writer, {"choices": [{"index": 0, "delta": {"content": f"{word} "}}]})
            _send(writer, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def _send(writer: asyncio.StreamWriter, event: dict[str, Any]) -> None:
    data = b"data: " + json.dumps(event).encode() + b"\n\n"
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
