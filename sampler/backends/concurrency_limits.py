"""How many completions a server samples for this worker at once. People come first; overnight work never starves."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class ConcurrencyLimit:
    """Places at one server. For one event loop."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._waiting: dict[bool, deque[asyncio.Future[None]]] = {True: deque(), False: deque()}
        self._inside = {True: 0, False: 0}

    @asynccontextmanager
    async def place(self, *, urgent: bool) -> AsyncIterator[None]:
        """Hold a place, once there is one."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[urgent].append(turn)
        self._admit()
        try:
            await turn
            yield
        finally:
            if not turn.cancelled():
                self._inside[urgent] -= 1
            elif turn in self._waiting[urgent]:
                self._waiting[urgent].remove(turn)
            self._admit()

    def _admit(self) -> None:
        while sum(self._inside.values()) < self._places and any(self._waiting.values()):
            urgent = self._next()
            turn = self._waiting[urgent].popleft()
            if not turn.cancelled():
                self._inside[urgent] += 1
                turn.set_result(None)

    def _next(self) -> bool:
        """Whether the next is a person: always, unless all that is inside is people's and overnight work waits."""
        starving = self._waiting[False] and not self._inside[False] and self._inside[True]
        return bool(self._waiting[True]) and not starving
