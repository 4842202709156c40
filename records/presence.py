"""Which workers are alive: each writes what it is to a key of the broker, again and again, and the key expires
soon after the last time. No clocks are compared, and no worker needs to be asked. Imports no Redis: the
client is handed in.
"""

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from records.lines import RecordError, decode, encode
from records.names import WORKERS_KEY, worker_key
from records.types import Worker

BEAT_SECONDS = 2.0
SILENT_SECONDS = 30  # after which a worker counts as gone

logger = logging.getLogger(__name__)


class Client(Protocol):
    """A Redis client, as far as it is needed here."""

    def pipeline(self, transaction: bool = ...) -> Any: ...  # noqa: FBT001 (redis-py's signature)
    def smembers(self, name: str) -> Any: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Living:
    """A worker that is alive, and how many seconds ago it last said so."""

    worker: Worker
    silent_seconds: float


class Presence:
    """One worker's sign of life, written by a thread from `begin` to `end`."""

    def __init__(self, client: Client, name: str, describe: Callable[[], Worker]) -> None:
        self._client, self._name, self._describe = client, name, describe
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_saying, name="presence", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Say nothing more, and be gone at once."""
        self._over.set()
        self._thread.join(timeout=BEAT_SECONDS)
        self._try(self._leave)

    def _keep_saying(self) -> None:
        while not self._over.is_set():
            self._try(self._say)
            self._over.wait(BEAT_SECONDS)

    def _say(self) -> None:
        value = json.dumps(encode(self._describe()))
        pipeline = self._client.pipeline(transaction=False)
        pipeline.set(worker_key(self._name), value, ex=SILENT_SECONDS)
        pipeline.sadd(WORKERS_KEY, self._name)
        pipeline.execute()

    def _leave(self) -> None:
        pipeline = self._client.pipeline(transaction=False)
        pipeline.delete(worker_key(self._name))
        pipeline.srem(WORKERS_KEY, self._name)
        pipeline.execute()

    def _try(self, act: Callable[[], None]) -> None:
        """A sign that is not written, with the broker away, say, is made up for by the next."""
        try:
            act()
        except Exception as error:  # noqa: BLE001 (nothing that goes wrong here may end a worker)
            logger.warning("presence of %s: %s", self._name, error)


def living(client: Client) -> list[Living]:
    """The workers that are alive, by name. Names of those that are gone are forgotten on the way."""
    names = sorted(name.decode() if isinstance(name, bytes) else name for name in client.smembers(WORKERS_KEY))
    pipeline = client.pipeline(transaction=False)
    for name in names:
        pipeline.get(worker_key(name))
        pipeline.pttl(worker_key(name))
    answers = pipeline.execute() if names else []
    gone = [name for name, value in zip(names, answers[::2], strict=True) if value is None]
    if gone:
        client.pipeline(transaction=False).srem(WORKERS_KEY, *gone).execute()
    return [
        Living(worker=worker, silent_seconds=max(0.0, SILENT_SECONDS - left / 1000))
        for value, left in zip(answers[::2], answers[1::2], strict=True)
        if value is not None and (worker := _read(value)) is not None
    ]


def _read(value: str | bytes) -> Worker | None:
    """None for what a worker of another version wrote."""
    try:
        return decode(Worker, json.loads(value))
    except (RecordError, ValueError):
        return None
