"""Sampling by OpenAI-compatible servers: vLLM, text-generation-inference, llama.cpp, `transformers serve`, others.

Each completion is a streamed request of its own, since a request has one seed; servers that cache prefixes
compute the prompt once all the same. All conversations run on one event loop, so a hundred cost no threads.
"""

import asyncio
import logging
import random
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import httpx2

from records import Completion, SampleRequest
from records.types import ServerKind
from sampler.backends import SILENT_SECONDS, URGENT, BackendError, OnText
from sampler.backends.addresses import endpoint, host_of
from sampler.backends.answers import Answer
from sampler.backends.concurrency_limits import ConcurrencyLimit
from sampler.backends.conversations import ServerAway, converse
from sampler.backends.dialects import request_body
from sampler.configuration import Configuration
from sampler.runs import Run

_TRIES = {True: 3, False: 6}  # a person will not wait half a minute for a server that restarts
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0
MOST_CHARACTERS = 1000  # of a token: beyond any vocabulary's longest

News = tuple[int, str]
Result = TypeVar("Result")

logger = logging.getLogger(__name__)
logging.getLogger("httpx2").setLevel(logging.WARNING)  # it tells of every request


class ModelServers:
    """The servers that this worker may call. Safe to ask from many threads."""

    def __init__(self, configuration: Configuration) -> None:
        self.hosts = configuration.backend_hosts
        self._places = configuration.backend_requests
        self._limits: dict[str, ConcurrencyLimit] = {}
        self._loop = asyncio.new_event_loop()
        # Redirects are not followed, and no proxy is asked: a request goes where the list of hosts allows.
        self.client = httpx2.AsyncClient(
            trust_env=False,
            timeout=httpx2.Timeout(configuration.backend_seconds, connect=5.0, pool=None),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64),
        )
        threading.Thread(target=self._loop.run_forever, name="servers", daemon=True).start()

    def backend(self, request: SampleRequest) -> "ServedBackend":
        """Who answers this request."""
        return ServedBackend(self, request)

    def limit(self, host: str, kind: ServerKind) -> ConcurrencyLimit:
        """The places at one server."""
        # It keeps one seed for all that it samples: two at once would not have those on record.
        places = 1 if kind == "transformers" else self._places
        return self._limits.setdefault(host, ConcurrencyLimit(places))

    def begin(self, work: Coroutine[Any, Any, Result]) -> "Future[Result]":
        """Start a conversation on the event loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, callback: Callable[[], None]) -> None:
        """Have the event loop call something."""
        self._loop.call_soon_threadsafe(callback)


class ServedBackend:
    """One policy as a server serves it."""

    def __init__(self, servers: ModelServers, request: SampleRequest) -> None:
        assert request.server is not None
        self._servers, self._server = servers, request.server

    @property
    def device(self) -> str:
        """The kind of server and its address."""
        return f"{self._server.kind} {self._server.url}"[:120]

    def sample(self, request: SampleRequest, run: Run, *, on_text: OnText | None) -> tuple[Completion, ...]:
        """As Backend.sample; also raises ServerAway where a server broke off what somebody had begun to read."""
        if request.as_role != "assistant":
            raise BackendError(f"policy {request.policy} runs on a server, which can only answer, not write a question")
        asking = _Asking(self._servers, request, endpoint(self._server.url, hosts=self._servers.hosts))
        news: SimpleQueue[News | None] = SimpleQueue()
        work = self._servers.begin(asking.all(news.put if on_text else None))
        work.add_done_callback(lambda _: news.put(None))
        run.on_cancel(lambda: self._servers.call(asking.stop))
        while (word := _next(news)) is not None:
            if on_text is not None and on_text(*word):
                self._servers.call(partial(asking.stop_one, word[0]))
        work.result()
        return tuple(answer.to_completion(request, index) for index, answer in enumerate(asking.answers))


def _next(news: SimpleQueue[News | None]) -> News | None:
    """The next text, or an empty one where none came for a while; None at the end."""
    try:
        return news.get(timeout=SILENT_SECONDS)
    except Empty:
        return 0, ""


class _Asking:
    """One request under way: its completions, each asked for by itself. On the event loop, but for its making."""

    def __init__(self, servers: ModelServers, request: SampleRequest, url: httpx2.URL) -> None:
        self._servers, self._request, self._url = servers, request, url
        assert request.server is not None
        self._limit = servers.limit(host_of(url), request.server.kind)
        most = MOST_CHARACTERS * request.sampling.max_new_tokens
        seeds = (request.sampling.seed + index for index in range(request.num_completions))
        self.answers = [Answer(seed, most_characters=most) for seed in seeds]
        # Made here, so that a refusal comes before anything is sent.
        self._bodies = [request_body(request, seed=answer.seed) for answer in self.answers]
        self._work: asyncio.Task[None] | None = None
        self._conversations: list[asyncio.Task[None]] = []
        self._stopped = False

    def stop(self) -> None:
        """End every completion where it is."""
        self._stopped = True
        if self._work is not None:
            self._work.cancel()

    def stop_one(self, index: int) -> None:
        """End one completion where it is; the others go on."""
        if self._conversations:  # else none has begun
            self._conversations[index].cancel()

    async def all(self, say: Callable[[News], None] | None) -> None:
        """Fill all answers. Raises BackendError and ServerAway; the others are then given up."""
        self._work = asyncio.ensure_future(self._gather(say))
        if self._stopped:
            self._work.cancel()
        with suppress(asyncio.CancelledError):
            await self._work

    async def _gather(self, say: Callable[[News], None] | None) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for index, body in enumerate(self._bodies):
                    self._conversations.append(group.create_task(self._one(index, body, say)))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _one(self, index: int, body: dict[str, Any], say: Callable[[News], None] | None) -> None:
        """One completion, tried again while nobody has seen any of it."""
        urgent, answer = self._request.purpose in URGENT, self.answers[index]
        pause = _FIRST_PAUSE

        def tell(text: str) -> None:
            assert say is not None
            say((index, text))

        for tries_left in reversed(range(_TRIES[urgent])):
            try:
                async with self._limit.place(urgent=urgent, is_visitors=self._request.is_visitors):
                    await converse(self._servers.client, self._url, body, answer, tell if say else None)
                return
            except ServerAway as away:
                if answer.text and say is not None:
                    raise
                if not tries_left:
                    raise BackendError(str(away)) from away
                logger.info("asking %s again: %s", host_of(self._url), away)
                answer.restart()
                await asyncio.sleep(min(away.pause or pause * (0.5 + random.random()), _LONGEST_PAUSE))
                pause *= 2
