"""How many completions a server samples for this worker at once.

People come first, a preview's visitors behind them; overnight work never starves.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from language.lanes import Lane


class ConcurrencyLimit:
    """Places at one server. For one event loop."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._waiting: dict[Lane, deque[asyncio.Future[None]]] = {lane: deque() for lane in Lane}
        self._inside = dict.fromkeys(Lane, 0)

    @asynccontextmanager
    async def place(self, *, urgent: bool, is_visitors: bool = False) -> AsyncIterator[None]:
        """Hold a place, once there is one."""
        lane = Lane.of(urgent=urgent, is_visitors=is_visitors)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[lane].append(turn)
        self._admit()
        try:
            await turn
            yield
        finally:
            if not turn.cancelled():
                self._inside[lane] -= 1
            elif turn in self._waiting[lane]:
                self._waiting[lane].remove(turn)
            self._admit()

    def _admit(self) -> None:
        while sum(self._inside.values()) < self._places and any(self._waiting.values()):
            lane = self._next()
            turn = self._waiting[lane].popleft()
            if not turn.cancelled():
                self._inside[lane] += 1
                turn.set_result(None)

    def _next(self) -> Lane:
        """The first lane in which somebody waits, unless all that is inside is people's and overnight work waits."""
        inside_by_day = self._inside[Lane.PEOPLE] + self._inside[Lane.VISITORS]
        if self._waiting[Lane.OVERNIGHT] and not self._inside[Lane.OVERNIGHT] and inside_by_day:
            return Lane.OVERNIGHT
        return next(lane for lane in Lane if self._waiting[lane])
