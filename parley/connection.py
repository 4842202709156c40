"""Requests to a platform that is busy, restarts or drops the line: asked again until they are answered.

Every write carries an idempotency key, so that one whose answer was lost is not done twice.
"""

import random
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

TRIES = 6
FIRST_PAUSE = 0.5  # seconds; twice as long each time
LONGEST_PAUSE = 60.0
PASSING = frozenset({429, 500, 502, 503, 504})


class ParleyError(Exception):
    """What the platform answered instead: `status`, `where`, `what`, `what_to_do`, and `others` of the same kind."""

    def __init__(self, status: int, where: str, what: str, what_to_do: str = "", others: Any = ()) -> None:
        super().__init__(f"{where}: {what} {what_to_do}".strip())
        self.status, self.where, self.what, self.what_to_do, self.others = status, where, what, what_to_do, list(others)


class Connection:
    """One platform, one token. Safe to use from several threads."""

    def __init__(self, url: str, token: str, *, seconds: float, first_pause: float = FIRST_PAUSE) -> None:
        self._pause = first_pause
        # Redirects are not followed: the token would go wherever they lead.
        self._http = httpx2.Client(
            base_url=f"{url.rstrip('/')}/api/v1/", headers={"Authorization": f"Bearer {token}"}, timeout=seconds
        )

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **query: Any) -> Any:
        given = {name: value for name, value in query.items() if value is not None}
        return self._answer(lambda: self._http.get(path, params=given))

    def post(self, path: str, body: Any = None) -> Any:
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        return self._answer(lambda: self._http.post(path, json=body or {}, headers=headers))

    @contextmanager
    def stream(self, path: str, *, start: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        """A file from the byte `start`, and where its content really begins. Not asked again: the caller knows how."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self._http.stream("GET", path, headers=headers) as response:
            if response.status_code not in (200, 206):
                response.read()
                raise _error(response)
            yield (start if response.status_code == 206 else 0), response.iter_bytes()

    def _answer(self, ask: Any) -> Any:
        for attempt in range(1, TRIES + 1):
            try:
                response = ask()
            except httpx2.TransportError as error:
                if attempt == TRIES:
                    raise ParleyError(0, str(self._http.base_url), f"does not answer: {error}") from error
                self.wait(attempt)
                continue
            if response.is_success:
                return response.json() if response.content else None
            if attempt == TRIES or not _passes(response):
                raise _error(response)
            self.wait(attempt, response.headers.get("Retry-After", ""))
        raise AssertionError("unreachable")

    def wait(self, attempt: int, asked: str = "") -> None:
        """As long as the platform asks, else longer each time; a little apart from others that wait as well."""
        pause = float(asked) if asked.isdigit() else self._pause * 2 ** (attempt - 1)
        time.sleep(min(pause, LONGEST_PAUSE) * random.uniform(1, 1.25))


def _passes(response: httpx2.Response) -> bool:
    """Whether the same request may be answered otherwise in a moment."""
    return response.status_code in PASSING or (response.status_code == 409 and "Retry-After" in response.headers)


def _error(response: httpx2.Response) -> ParleyError:
    try:
        body = response.json()
        return ParleyError(response.status_code, body["where"], body["what"], body["what_to_do"], body["others"])
    except (ValueError, KeyError, TypeError):
        what = f"answered {response.status_code} {response.reason_phrase}, which is nothing that Parley says."
        return ParleyError(response.status_code, str(response.url), what, "Check the address of the platform.")
