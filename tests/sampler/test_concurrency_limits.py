"""Places at a server: people first, overnight work not starved, no place lost."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from sampler.backends.concurrency_limits import ConcurrencyLimit


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, timeout=10))


class Line:
    """Callers at a gate, who stay until they are sent out; `entered` is the order in which they came in."""

    def __init__(self, places: int) -> None:
        self.gate, self.entered = ConcurrencyLimit(places), list[str]()
        self._out: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, name: str, *, urgent: bool, is_visitors: bool = False) -> None:
        self._out[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._stay(name, urgent=urgent, is_visitors=is_visitors))
        await settle()

    async def leave(self, name: str) -> None:
        self._out[name].set()
        await self._tasks[name]
        await settle()

    async def give_up(self, name: str) -> None:
        self._tasks[name].cancel()
        await settle()

    async def _stay(self, name: str, *, urgent: bool, is_visitors: bool) -> None:
        async with self.gate.place(urgent=urgent, is_visitors=is_visitors):
            self.entered.append(name)
            await self._out[name].wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_people_come_before_overnight_work() -> None:
    async def scene() -> None:
        line = Line(2)
        for name in ("night 1", "night 2", "night 3"):
            await line.come(name, urgent=False)
        await line.come("person", urgent=True)
        assert line.entered == ["night 1", "night 2"]
        await line.leave("night 1")
        assert line.entered[2:] == ["person"]

    run(scene())


def test_overnight_work_is_not_starved_by_people() -> None:
    async def scene() -> None:
        line = Line(1)
        await line.come("person 1", urgent=True)
        await line.come("night", urgent=False)
        await line.come("person 2", urgent=True)
        await line.leave("person 1")
        assert line.entered[1:] == ["person 2"]  # nobody else was inside: people first
        line = Line(2)
        for name in ("person 1", "person 2"):
            await line.come(name, urgent=True)
        await line.come("night", urgent=False)
        await line.come("person 3", urgent=True)
        await line.leave("person 1")
        assert line.entered[2:] == ["night"]

    run(scene())


def test_visitors_come_behind_people_and_before_overnight_work() -> None:
    async def scene() -> None:
        line = Line(1)
        await line.come("night 1", urgent=False)
        await line.come("night 2", urgent=False)
        await line.come("visitor", urgent=True, is_visitors=True)
        await line.come("person", urgent=True)
        for name in ("night 1", "person", "visitor"):
            await line.leave(name)
        assert line.entered == ["night 1", "person", "visitor", "night 2"]

    run(scene())


def test_who_gives_up_leaves_no_place_behind() -> None:
    async def scene() -> None:
        line = Line(1)
        await line.come("first", urgent=True)
        await line.come("second", urgent=True)
        await line.come("third", urgent=True)
        await line.give_up("second")
        await line.give_up("first")
        assert line.entered == ["first", "third"]
        await line.leave("third")
        await line.come("fourth", urgent=False)
        assert line.entered[2:] == ["fourth"]

    run(scene())
