"""What a trainer waits for in a day: the next comparison, the first text of a suggestion, the first text of a chat.

On the bundled model, with a web server, a web worker and a sample worker of their own, through the real pages; idle,
and while overnight sampling fills the sample worker. By the clock: what else the machine does is part of the figure.
"""

import http.client
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks.figures import Figure, summarise
from benchmarks.platform import CHECKOUT, Browser, platform, server, sign_in
from benchmarks.queue import filled_project

ASKED = int(os.environ.get("PARLEY_BENCH_ASKED", "20"))  # suggestions, and chats, in each state
CLAIMED = 3 * ASKED  # comparisons
OVERNIGHT = 60  # comparisons of four completions
WARM_UP = 2


def figures() -> Iterator[Figure]:
    """day.next_comparison, day.first_suggestion_text and day.first_chat_text, each _idle and _overnight; seconds."""
    with platform() as var, server("labeling.settings") as port:
        (var / "store").symlink_to((CHECKOUT / "var" / "store").resolve())
        with _workers(var):
            day = _Day(port)
            day.measure(WARM_UP)
            for name, waits in day.measure(ASKED).items():
                yield _figure(f"day.{name}_idle", waits)
            day.sample_overnight()
            for name, waits in day.measure(ASKED).items():
                yield _figure(f"day.{name}_overnight", waits, left_over=day.num_overnight_left())


def _figure(name: str, waits: list[float], **detail: Any) -> Figure:
    p95 = sorted(waits)[max(0, -(-len(waits) * 95 // 100) - 1)]
    return summarise(name, waits, unit="s (median)", p95=p95, n=len(waits), **detail)


@contextmanager
def _workers(var: Path) -> Iterator[None]:
    """The web worker and the sample worker of labeling/supervisord.conf. No beat: nothing is sampled unasked."""
    from django.conf import settings

    celery = [sys.executable, "-m", "celery"]
    quiet = ["--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    web = [
        *celery,
        "-A",
        "labeling.celery",
        "worker",
        "-n",
        "web@bench",
        "-Q",
        "web,exports,deliveries",
        "--concurrency",
        "2",
    ]
    sample = [*celery, "-A", "sampler.app", "worker", "-n", "sample@bench", "-Q", "sample", "--pool", "threads"]
    broker = {**os.environ, "REDIS_URL": settings.REDIS_URL}
    model_side = {**broker, "DATABASE_URL": "", "PARLEY_STORE": str(settings.PARLEY_STORE)}
    with (var / "workers.log").open("w") as log:
        processes = [
            subprocess.Popen([*web, *quiet], cwd=CHECKOUT, env=broker, stdout=log, stderr=log),
            subprocess.Popen(
                [*sample, "--concurrency", "80", *quiet], cwd=CHECKOUT, env=model_side, stdout=log, stderr=log
            ),
        ]
        try:
            yield
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()


class _Day:
    """One trainer in the first project, who ranks in another that is full of comparisons."""

    def __init__(self, port: int) -> None:
        from labeling.models import Membership, User
        from labeling.projects.first_project import ensure_starting_project

        self.project = ensure_starting_project()
        ranked = filled_project("ranked", 1000)
        trainer = User.objects.create(username=f"bench-{uuid.uuid4().hex[:8]}", password="!")
        Membership.objects.bulk_create(Membership(project=one, user=trainer) for one in (self.project, ranked))
        self.port, self.browser = port, sign_in(trainer, port)
        self.prompts = list(self.project.prompts.values_list("id", flat=True))

    def measure(self, num: int) -> dict[str, list[float]]:
        return {
            "next_comparison": [self._claim() for _ in range(CLAIMED if num == ASKED else num)],
            "first_suggestion_text": [self._suggestion(number) for number in range(num)],
            "first_chat_text": [self._chat(number) for number in range(num)],
        }

    def sample_overnight(self) -> None:
        from django.db import transaction

        from labeling.sampling import comparisons

        prompts = list(self.project.prompts.all()[:OVERNIGHT])
        with transaction.atomic():
            comparisons.compare_prompts(comparisons.lock_round(self.project), prompts, seed=1, by=None)
        time.sleep(5)  # until the worker has filled its rows

    def num_overnight_left(self) -> int:
        from labeling.models import SamplingRun
        from labeling.sampling.runs import UNDER_WAY

        return SamplingRun.objects.filter(purpose="comparison", state__in=UNDER_WAY).count()

    def _claim(self) -> float:
        began = time.perf_counter()
        board = self._post("/p/ranked/rank/", {})
        status, _ = self.browser.get(board)
        took = time.perf_counter() - began
        if status != 200:
            raise RuntimeError(f"{board} answered {status}")
        self._post(f"{board}skip/", {"reason": "Not my topic"})
        return took

    def _suggestion(self, number: int) -> float:
        prompt = self.prompts[number % len(self.prompts)]
        dialogue = self._post(f"/p/{self.project.slug}/write/start/", {"prompt": prompt})
        return self._first_text(dialogue, "suggestions/ask/", {"again": "yes"}, stop="suggestions/{}/stop/")

    def _chat(self, number: int) -> float:
        dialogue = self._post(f"/p/{self.project.slug}/chat/start/", {})
        said = {"content": f"Tell me {number + 2} things about the sea.", "num_drafts": "1", "seconds": "3"}
        return self._first_text(dialogue, "say/", said, stop="stop/{}/")

    def _first_text(self, dialogue: str, ask: str, values: dict[str, str], *, stop: str) -> float:
        from labeling.models import SamplingRun

        began = time.perf_counter()
        self._post(dialogue + ask, values)
        identifier = uuid.UUID(dialogue.rstrip("/").rsplit("/", 1)[1])
        run = SamplingRun.objects.filter(dialogue=identifier).latest("created_at")
        stream = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        stream.request("GET", f"/stream/{run.id}/", headers={"Cookie": self.browser.cookies})
        answer = stream.getresponse()
        line = b" "
        while line and not line.startswith(b"event: text"):
            line = answer.readline()
        took = time.perf_counter() - began
        stream.close()
        if not line:
            raise RuntimeError(f"no text came for {dialogue}")
        self._post(dialogue + stop.format(run.id), {})
        return took

    def _post(self, path: str, values: dict[str, Any]) -> str:
        """Send a form; returns where the answer leads."""
        return _post(self.browser, path, values)


def _post(browser: Browser, path: str, values: dict[str, Any]) -> str:
    headers = {"Cookie": browser.cookies, "X-CSRFToken": browser.token}
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    browser.connection.request("POST", path, urlencode(values), headers)
    answer = browser.connection.getresponse()
    body = answer.read()
    if answer.status >= 400:
        raise RuntimeError(f"{path} answered {answer.status}: {body[:300]!r}")
    return answer.getheader("Location") or ""
