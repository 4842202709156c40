"""Two hundred trainers at work on one web process, with a million comparisons: how long a click takes, what goes wrong.

Each claims, keeps a draft every five seconds, submits after a time of thinking, opens the next board, and now and
then asks for suggestions and reads them as they come. Each knows beforehand when they will act, and what they wait is
counted from then on (an open loop): an answer that comes late makes nobody think longer.
"""

import asyncio
import json
import os
import platform as machine
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psutil

from benchmarks.figures import Figure
from benchmarks.http_pool import Answer, Jar, Pool
from benchmarks.platform import platform, sign_in, web_process
from benchmarks.preview_delay import stub_server, workers_beside
from benchmarks.queue import filled_project

COMPARISONS = int(os.environ.get("PARLEY_BENCH_COMPARISONS", "1000000"))
TRAINERS = int(os.environ.get("PARLEY_BENCH_TRAINERS", "200"))
SECONDS = float(os.environ.get("PARLEY_BENCH_SECONDS", "200"))  # of measurement
WARM_UP = 45.0  # in which they come to work, one after another
# A comparison of four completions is read and ranked in minutes; people who take half a minute are a hard case.
THINKING = (20.0, 40.0)  # seconds from a board to its submission, any as likely
DRAFT_EVERY = 5.0
SUGGESTIONS_EVERY = 120.0
_IDS = re.compile(r'<article class="completion"[^>]* data-id="([^"]+)"')
_KEY = re.compile(r'name="key" value="([^"]+)"')
_STREAM = re.compile(r'data-stream="([^"]+)"')


def figures() -> Iterator[Figure]:
    """load.claim_submit_p99_ms, load.errors."""
    with platform() as var, stub_server() as stub, workers_beside(var, stub):
        trainers = _trainers(stub)
        with web_process("labeling.settings") as (port, pid):
            crowd = _Crowd(Pool(port), trainers)
            used = _Processors(web=[psutil.Process(pid)], client=[psutil.Process()], database=_servers(var))
            asyncio.run(crowd.work(used))
    yield crowd.claim_submit(used)
    yield crowd.errors()


@dataclass
class _Trainer:
    jar: Jar
    slug: str
    dialogue: str  # the path of the one that they write, and ask suggestions for
    chance: random.Random


class _WentWrong(Exception):
    """What was answered instead of what was expected; its text is the kind that it is counted as."""


class _Crowd:
    def __init__(self, pool: Pool, trainers: list[_Trainer]) -> None:
        self.pool, self.trainers = pool, trainers
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.wrong: Counter[str] = Counter()
        self.num_asked = 0
        self.measured_from = 0.0

    async def work(self, used: "_Processors") -> None:
        opened = time.monotonic()
        self.measured_from, ends = opened + WARM_UP, opened + WARM_UP + SECONDS
        at_work = [asyncio.create_task(self._rank(one, opened, ends)) for one in self.trainers]
        at_work += [asyncio.create_task(self._write(one, opened, ends)) for one in self.trainers]
        await asyncio.sleep(WARM_UP)
        used.begin()
        await asyncio.gather(*at_work)
        used.end()
        self.pool.close()

    async def _rank(self, who: _Trainer, opened: float, ends: float) -> None:
        due = opened + who.chance.uniform(0, 0.9 * WARM_UP)
        board = await self._claim(who, due)
        while due < ends:
            if not board:
                due += DRAFT_EVERY
                board = await self._claim(who, due)
                continue
            values = await self._board(who, board)
            begun, due = due, due + who.chance.uniform(*THINKING)
            version, drafted = 0, begun + DRAFT_EVERY
            while drafted < min(due, ends):
                version = await self._draft(who, board, values, version, drafted)
                drafted += DRAFT_EVERY
            if due >= ends:
                return
            board = await self._submit(who, board, values, due) or await self._claim(who, due)

    async def _write(self, who: _Trainer, opened: float, ends: float) -> None:
        due = opened + who.chance.uniform(0, SUGGESTIONS_EVERY)
        while due < ends:
            with _Counted(self.wrong):
                path, body = f"{who.dialogue}suggestions/ask/", b"again=yes"
                answer = await self._ask(who, "suggestions", path, body, due, "application/x-www-form-urlencoded")
                found = _STREAM.search(answer.body.decode())
                if answer.status != 200 or not found:
                    raise _WentWrong(f"suggestions: {answer.status} without a stream")
                await self._ask(who, "whole suggestions", found[1], None, time.monotonic())
            due += SUGGESTIONS_EVERY

    async def _claim(self, who: _Trainer, due: float) -> str:
        with _Counted(self.wrong):
            answer = await self._ask(who, "claim", f"/p/{who.slug}/rank/", b"{}", due)
            if answer.status == 302 and answer.location.count("/") > 4:  # a lease's address; the way in has none
                return answer.location
            raise _WentWrong(f"claim: {answer.status}")
        return ""

    async def _board(self, who: _Trainer, board: str) -> dict[str, Any]:
        with _Counted(self.wrong):
            answer = await self._ask(who, "board", board, None, time.monotonic())
            page = answer.body.decode()
            key, ids = _KEY.search(page), _IDS.findall(page)
            if answer.status == 200 and key and ids:
                shelves = {identifier: who.chance.randint(1, len(ids)) for identifier in ids}
                return {"key": key[1], "shelves": shelves, "line": None, "seconds": 20}
            raise _WentWrong(f"board: {answer.status}")
        return {}

    async def _draft(self, who: _Trainer, board: str, values: dict[str, Any], version: int, due: float) -> int:
        drawn = {"shelves": values.get("shelves"), "line": None}
        sent = {"draft": {"board": drawn, "note": "As I see it."}, "version": version, "seconds": 5}
        with _Counted(self.wrong):
            answer = await self._ask(who, "draft", f"{board}draft/", json.dumps(sent).encode(), due)
            if answer.status == 200:
                return int(json.loads(answer.body)["version"])
            raise _WentWrong(f"draft: {answer.status}")
        return version

    async def _submit(self, who: _Trainer, board: str, values: dict[str, Any], due: float) -> str:
        """Submit; returns the next board, which the same answer claims."""
        with _Counted(self.wrong):
            answer = await self._ask(who, "submit", board, json.dumps(values).encode(), due)
            told = json.loads(answer.body) if answer.status == 200 else {}
            if "ranking" in told and told["next"].count("/") > 4:
                return str(told["next"])
            raise _WentWrong(f"submit: {answer.status}")
        return ""

    async def _ask(
        self, who: _Trainer, kind: str, path: str, body: bytes | None, due: float, written: str = "application/json"
    ) -> Answer:
        """Ask when it is due; what is kept is the time from then to the end of the answer."""
        await asyncio.sleep(due - time.monotonic())
        if due >= self.measured_from:
            self.num_asked += 1
        method = "GET" if body is None else "POST"
        try:
            answer = await self.pool.request(who.jar, method, path, body or b"", written)
        except (OSError, EOFError) as error:
            raise _WentWrong(f"{kind}: {type(error).__name__}") from error
        if due >= self.measured_from:
            self.seconds[kind].append(time.monotonic() - due)
        return answer

    def claim_submit(self, used: "_Processors") -> Figure:
        waits = sorted(self.seconds["claim"] + self.seconds["submit"])
        if not waits:
            raise RuntimeError(f"nothing was claimed or submitted in {SECONDS} s; what went wrong: {dict(self.wrong)}")
        return Figure(
            name="load.claim_submit_p99_ms",
            value=1000 * _quantile(waits, 0.99),
            unit="ms",
            low=1000 * _quantile(waits, 0.5),
            high=1000 * waits[-1],
            detail={
                "low and high": "the median and the longest",
                "trainers": len(self.trainers),
                "comparisons": COMPARISONS,
                "submissions": len(self.seconds["submit"]),
                "thinking": f"{THINKING[0]:.0f} to {THINKING[1]:.0f} s from a board to its submission, uniform",
                "draft every, suggestions every, measured for (s)": [DRAFT_EVERY, SUGGESTIONS_EVERY, SECONDS],
                "requests a second": round(self.num_asked / SECONDS, 1),
                "ms (median, p95, p99, longest)": {
                    kind: [round(1000 * _quantile(sorted(took), share)) for share in (0.5, 0.95, 0.99, 1.0)]
                    for kind, took in sorted(self.seconds.items())
                    if took
                },
                "share of one core": used.shares(),
                "client": "asyncio on raw sockets, on the same cores; connections kept and shared, as by a proxy",
                "connections": self.pool.num_opened,
                "machine": f"{os.cpu_count()} {machine.machine()}",
            },
        )

    def errors(self) -> Figure:
        num = float(sum(self.wrong.values()))
        detail = {"kinds": dict(self.wrong), "requests": self.num_asked, "counted": "in the warm-up too"}
        return Figure(name="load.errors", value=num, unit="answers", low=num, high=num, detail=detail)


class _Counted:
    """Count what goes wrong in the body, and go on after it."""

    def __init__(self, wrong: Counter[str]) -> None:
        self.wrong = wrong

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: Any, error: BaseException | None, _trace: Any) -> bool:
        if isinstance(error, _WentWrong):
            self.wrong[str(error)] += 1
        return isinstance(error, _WentWrong)


@dataclass
class _Processors:
    """How much of one core each side used while it was measured."""

    web: list[psutil.Process]
    client: list[psutil.Process]
    database: list[psutil.Process]
    began: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)

    def begin(self) -> None:
        self.began = self._now()

    def end(self) -> None:
        self.ended = self._now()

    def shares(self) -> dict[str, float]:
        took = self.ended["clock"] - self.began["clock"]
        return {side: round((self.ended[side] - self.began[side]) / took, 2) for side in self.began if side != "clock"}

    def _now(self) -> dict[str, float]:
        sides = {"web": self.web, "client": self.client, "database": self.database}
        used = {name: sum(_seconds_of(one) for one in side) for name, side in sides.items()}
        return {"clock": time.monotonic(), "both cores, by all": sum(psutil.cpu_times()[:3]), **used}


def _seconds_of(process: psutil.Process) -> float:
    """CPU seconds of a process and its children, the ended ones too."""
    family = [process, *process.children(recursive=True)] if process.pid != os.getpid() else [process]
    own = sum(sum(one.cpu_times()[:2]) for one in family)
    return float(own + (sum(process.cpu_times()[2:4]) if len(family) > 1 else 0.0))


def _servers(var: Any) -> list[psutil.Process]:
    from labeling.embedded.paths import Places

    pid = int((Places(var).database.resolve() / "postmaster.pid").read_text().splitlines()[0])
    return [psutil.Process(pid)]


def _quantile(values: list[float], share: float) -> float:
    """The smallest of the sorted values that at least `share` of them do not exceed."""
    return values[max(0, -int(-share * len(values) // 1) - 1)]


def _trainers(stub: int) -> list[_Trainer]:
    """A project with a million comparisons, and its trainers, each signed in and with a dialogue begun."""
    from labeling.models import Dialogue, Membership, Message, Policy, User

    project = filled_project("load", COMPARISONS)
    project.policy = Policy.objects.create(
        name="stub", backend="openai", server_kind="vllm", server_url=f"http://127.0.0.1:{stub}/v1", server_model="m"
    )
    project.comparisons_ready = 0
    project.save(update_fields=["policy", "comparisons_ready"])
    people = User.objects.bulk_create(User(username=f"load-{number}", password="!") for number in range(TRAINERS))
    Membership.objects.bulk_create(Membership(project=project, user=one) for one in people)
    trainers = []
    for number, person in enumerate(people):
        dialogue = Dialogue.objects.create(project=project, author=person, kind=Dialogue.Kind.DEMONSTRATION)
        Message.objects.create(
            dialogue=dialogue, position=0, role="user", content="Why is the sky blue?", authorship="typed"
        )
        browser = sign_in(person, 0)
        cookies = dict(one.split("=", 1) for one in browser.cookies.split("; "))
        path = f"/p/{project.slug}/write/{dialogue.pk}/"
        trainers.append(_Trainer(Jar(cookies, browser.token), project.slug, path, random.Random(number)))
    return trainers
