"""One streamed completion over HTTP, and what each way of failing means: try again, or have a person mend it."""

from collections.abc import Callable
from typing import Any

import httpx2

from sampler.backends import BackendError
from sampler.backends.addresses import HOSTS, host_of, key_for, key_name
from sampler.backends.answers import Answer, complaint

_AGAIN = (408, 425, 429)  # and all from 500 on


class ServerAway(RuntimeError):
    """A server did not answer, or not to the end, but may on another try; `pause` is the seconds it asks for."""

    def __init__(self, text: str, *, pause: float | None = None) -> None:
        super().__init__(text)
        self.pause = pause


async def converse(
    client: httpx2.AsyncClient,
    url: httpx2.URL,
    body: dict[str, Any],
    answer: Answer,
    say: Callable[[str], None] | None,
) -> None:
    """Fill `answer`, telling `say` of new text as it comes. Raises BackendError, and ServerAway to try again."""
    key, host = key_for(url), host_of(url)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        async with client.sse(url, method="POST", json=body, headers=headers) as events:
            await _require_ok(events.response, url, model=body["model"])
            async for event in events:
                delta = answer.take(event.data)
                if delta and say is not None:
                    say(delta)
    except httpx2.ConnectError as error:
        raise ServerAway(f"nobody answers at {host}; is the server running there? ({error})") from error
    except httpx2.TimeoutException as error:
        raise ServerAway(f"{host} was silent for too long ({type(error).__name__})") from error
    except httpx2.TransportError as error:
        raise ServerAway(f"the connection to {host} broke off ({error})") from error
    if answer.finish_reason is None:
        raise ServerAway(f"{host} broke off before a completion had ended")


async def _require_ok(response: httpx2.Response, url: httpx2.URL, *, model: str) -> None:
    status, host = response.status_code, host_of(url)
    if status == 200:
        return
    said = complaint((await response.aread()).decode("utf-8", "replace"))
    if status in _AGAIN or status >= 500:
        pause = response.headers.get("retry-after", "")
        raise ServerAway(
            f"{host} is busy or broken ({status}: {said})", pause=float(pause) if pause.isdigit() else None
        )
    if status in (401, 403):
        raise BackendError(f"{host} refuses this worker's key; set {key_name(url)} in its environment ({said})")
    if status == 404:
        raise BackendError(f"{host} has no model {model!r}, or no such interface at {url.path}: {said}")
    if response.is_redirect:
        raise BackendError(
            f"{host} sends elsewhere, which is not followed; register that address and list it in {HOSTS}"
        )
    raise BackendError(f"{host} refuses this request ({status}): {said}")
