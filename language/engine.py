"""One model, one thread, one running batch that the requests of all other threads join and leave.

Continuous batching: a request begins at the next token, whoever is under way, and what ends makes room
at once. Those who wait come before overnight work; overnight work never starves, since one request of
it is always under way. Callers sit on a Ticket; nothing they do can hold up the batch.
"""

import atexit
import logging
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from language.decoding import Row, RunningBatch
from language.generation import MOST_ROWS, ROWS, Sampled
from language.lanes import Lane
from language.prefixes import Prefixes
from records import SamplingParams

logger = logging.getLogger(__name__)


class EngineError(RuntimeError):
    """The engine broke while it sampled this request; the cause is chained."""


class EngineClosed(EngineError):
    """The engine takes no more requests."""


@dataclass(eq=False)
class Ticket:
    """One request under way, held by the thread that made it."""

    prompt_ids: Sequence[int]
    rows: list[Row]
    lane: Lane
    listens: bool
    cancelled: bool = False
    retried: bool = False  # alone, after memory ran out and kept prefixes were given back
    error: BaseException | None = None
    _stopped: set[int] = field(default_factory=set)  # completions that are to end by themselves
    _told: list[int] = field(init=False)
    # Its own, so that a token wakes only those who listen to it, out of perhaps a hundred who wait.
    _changed: threading.Condition = field(default_factory=threading.Condition, repr=False)

    def __post_init__(self) -> None:
        self._told = [0] * len(self.rows)

    @property
    def ended(self) -> bool:
        """Whether every completion has ended, or the engine has broken."""
        return self.error is not None or all(row.finish_reason is not None for row in self.rows)

    def cancel(self) -> None:
        """Ask for an end after the token that is being sampled."""
        self.cancelled = True

    def stop(self, index: int) -> None:
        """Ask for an end of one completion; the others go on."""
        self._stopped.add(index)

    def to_end(self) -> list[Row]:
        """What was asked to end and has not."""
        asked = [row for index, row in enumerate(self.rows) if self.cancelled or index in self._stopped]
        return [row for row in asked if row.finish_reason is None]

    def wait(self, seconds: float | None = None) -> list[tuple[int, list[int]]]:
        """Wait for new tokens: (completion, ids) since the last call. Empty when the request has ended, or nothing came
        for so many seconds."""
        assert self.listens, "a ticket that does not listen is told of its end only"
        with self._changed:
            self._changed.wait_for(lambda: self._has_news() or self.ended, seconds)
            return list(self._news())

    def result(self) -> list[Sampled]:
        """The completions, when all have ended. Raises EngineError where the engine broke."""
        with self._changed:
            self._changed.wait_for(lambda: self.ended)
        if self.error is not None:
            raise EngineError(f"sampling broke off: {self.error}") from self.error
        return [Sampled(row.token_ids, row.logprobs, row.finish_reason or "cancelled") for row in self.rows]

    def tell(self) -> None:
        """Wake whoever waits, where there is something for them."""
        if self.listens or self.ended:
            with self._changed:
                self._changed.notify_all()

    def _has_news(self) -> bool:
        return any(len(row.token_ids) > told for row, told in zip(self.rows, self._told, strict=True))

    def _news(self) -> Iterator[tuple[int, list[int]]]:
        for index, row in enumerate(self.rows):
            if len(row.token_ids) > self._told[index]:
                yield index, row.token_ids[self._told[index] :]
                self._told[index] = len(row.token_ids)


_engines: "weakref.WeakSet[Engine]" = weakref.WeakSet()


@atexit.register
def _halt_all() -> None:
    """A thread that is still inside torch when the interpreter ends would abort the process."""
    for engine in list(_engines):
        engine.halt()


class Engine:
    """A batching engine around `model`, which nobody else may train or move meanwhile."""

    def __init__(self, model: nn.Module, *, most_rows: int = MOST_ROWS, prefixes: Prefixes | None = None) -> None:
        self._changed = threading.Condition()
        self._prefixes = prefixes
        self._batch = RunningBatch(model, prefixes=prefixes)
        self._most_rows = most_rows
        self._waiting: dict[Lane, deque[Ticket]] = {lane: deque() for lane in Lane}
        self._running: list[Ticket] = []
        self._closed = self._halted = False
        _engines.add(self)
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def submit(
        self,
        prompt_ids: Sequence[int],
        *,
        num_completions: int,
        params: SamplingParams,
        end_token_id: int,
        urgent: bool = True,
        is_visitors: bool = False,
        listens: bool = False,
    ) -> Ticket:
        """Ask for completions as language.generation.sample gives them; `listens` to hear of each token.

        Raises ValueError as that does, and EngineClosed.
        """
        rows = self._batch.rows_for(prompt_ids, params, num_completions=num_completions, end_token_id=end_token_id)
        ticket = Ticket(prompt_ids, rows, Lane.of(urgent=urgent, is_visitors=is_visitors), listens)
        with self._changed:
            if self._closed:
                raise EngineClosed("the engine is closed")
            self._waiting[ticket.lane].append(ticket)
            self._changed.notify_all()
        return ticket

    @property
    def idle(self) -> bool:
        """Whether nothing is under way or waiting."""
        return not (self._running or any(self._waiting.values()))

    def close(self) -> None:
        """Take no more requests; the thread ends when those at hand are done."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def halt(self) -> None:
        """Stop after the token that is being sampled, whatever is under way, and wait for that."""
        with self._changed:
            self._closed = self._halted = True
            self._changed.notify_all()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or not self.idle)
                if self.idle or self._halted:
                    return
            try:
                newcomer = self._next()
                if newcomer is not None:
                    # Overnight work has seeds to be sampled by again; a reused prefix would move last bits.
                    self._batch.join([(newcomer.prompt_ids, newcomer.rows)], reuse=newcomer.lane != Lane.OVERNIGHT)
                    self._tell()
                self._batch.step()
            except Exception as error:  # noqa: BLE001 - handed to those who wait for it
                if not (_is_out_of_memory(error) and self._make_room()):
                    self._break_off(error)
            self._tell()

    def _next(self) -> Ticket | None:
        """The next request to join: whoever waits first, then visitors, then overnight work, where there is room.

        People need no room of rows: they would else wait for a whole completion to end.
        """
        with self._changed:
            self._drop_cancelled()
            return self._pick()

    def _pick(self) -> Ticket | None:
        people, visitors, overnight = (self._waiting[lane] for lane in Lane)
        running = {ticket.lane for ticket in self._running}
        is_starving = bool(overnight) and Lane.OVERNIGHT not in running
        if people and not (is_starving and Lane.PEOPLE in running):
            ticket = people.popleft()
        elif visitors and not (is_starving and running) and (not running or self._has_room_for(visitors[0])):
            ticket = visitors.popleft()
        elif overnight and (is_starving or self._has_room_for(overnight[0])):
            ticket = overnight.popleft()
        else:
            return None
        self._running.append(ticket)
        return ticket

    def _has_room_for(self, ticket: Ticket) -> bool:
        return len(self._batch.rows) + len(ticket.rows) <= self._most_rows

    def _drop_cancelled(self) -> None:
        for ticket in (*self._running, *(ticket for queue in self._waiting.values() for ticket in queue)):
            if rows := ticket.to_end():
                self._batch.cancel(rows)
        for queue in self._waiting.values():
            for ticket in [ticket for ticket in queue if ticket.ended]:
                queue.remove(ticket)
                ticket.tell()

    def _tell(self) -> None:
        """Tell those who listen of their tokens, and all of their end."""
        with self._changed:
            told, self._running = self._running, [ticket for ticket in self._running if not ticket.ended]
        for ticket in told:
            ticket.tell()

    def _make_room(self) -> bool:
        """After running out of memory: give kept prefixes back and put the younger half of the requests back in line.

        A request that is alone is put back itself, once, where there were prefixes to give back. False where nothing
        is left to try.
        """
        freed = self._prefixes is not None and self._prefixes.cache.clear() > 0
        kept = len(self._running) // 2
        if not kept and not (freed and self._running and not self._running[0].retried):
            return False
        with self._changed:
            self._running, back = self._running[:kept], self._running[kept:]
            self._batch.release([row for ticket in back for row in ticket.rows])
            if kept:
                self._most_rows = max(1, len(self._batch.rows))
                logger.warning(
                    "out of memory: %d completions at once from now on; %s=%d begins so",
                    self._most_rows,
                    ROWS,
                    self._most_rows,
                )
            for ticket in reversed(back):
                ticket.retried = not kept
                self._waiting[ticket.lane].appendleft(ticket)
        return True

    def _break_off(self, error: Exception) -> None:
        """Give up what was under way, which may be half computed; what waits begins afresh."""
        with self._changed:
            for ticket in self._running:
                ticket.error = error
            self._batch = RunningBatch(self._batch.model, prefixes=self._prefixes)


def _is_out_of_memory(error: Exception) -> bool:
    # The CPU's allocator has no exception of its own.
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
