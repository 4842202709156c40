"""What lies in a queue and is no task: dropped with one line in the log, so that it ends no worker.

Celery trusts its queues. What is not a message of its protocol raises within the worker's loop and ends the
process, and after that the next one. So a message is looked at as it leaves the queue, before Celery sees it.
Imports no Celery and no Redis: what is needed of them is handed in.
"""

import base64
import logging
from collections.abc import Callable, Container
from datetime import datetime
from typing import Any

logger = logging.getLogger(__name__)

_TEXT, _WHOLE = str | None, int | None
_NAMED = 200  # characters of an id or a tag; Celery's have 36

# Headers and properties by which Celery steers before a task begins, where it would trip over another kind.
_HEADERS = {
    "retries": _WHOLE, "shadow": _TEXT, "group": _TEXT, "root_id": _TEXT,
    "parent_id": _TEXT, "argsrepr": _TEXT, "kwargsrepr": _TEXT, "origin": _TEXT, "stamped_headers": list | None,
    "stamps": dict | None,
}  # fmt: skip
_PROPERTIES = {"correlation_id": _TEXT, "reply_to": _TEXT, "priority": _WHOLE, "delivery_mode": _WHOLE}


class _Malformed(ValueError):
    """Why a message is no task. The text never holds any of the message: that may be people's text."""


def dropping_step(step: Any, loads: Callable[[bytes], Any]) -> Any:
    """A step for `app.steps["consumer"]` by which a worker drops what is no task of its app and goes on.

    `step` is celery.bootsteps.StartStopStep, `loads` what Celery reads messages with: kombu.utils.json.loads.
    """

    class DropMalformed(step):
        requires = ("celery.worker.consumer.tasks:Tasks",)  # which opens the channel; messages are taken later

        def start(self, consumer: Any) -> None:
            client, tasks = consumer.task_consumer.channel.client, consumer.app.tasks
            read = client.response_callbacks["BRPOP"]

            def popped(response: Any, **options: Any) -> Any:
                found = read(response, **options)
                return found if found is None or _is_task(*found, tasks=tasks, loads=loads) else None

            client.set_response_callback("BRPOP", popped)

    return DropMalformed


def complaint(message: bytes, *, tasks: Container[str], loads: Callable[[bytes], Any]) -> str | None:
    """Why this message is none that a worker with these tasks can carry out; None where it can."""
    try:
        envelope = _read(message, loads, "it")
        _require(isinstance(envelope, dict), "it is no JSON object")
        _check_properties(_object(envelope, "properties"))
        _check_headers(_object(envelope, "headers"), tasks)
        _require(envelope.get("content-type") == "application/json", "its content type is not application/json")
        _require(envelope.get("content-encoding") == "utf-8", "its content encoding is not utf-8")
        _check_body(envelope.get("body"), loads)
    except _Malformed as malformed:
        return str(malformed)
    return None


def _is_task(queue: bytes, message: bytes, *, tasks: Container[str], loads: Callable[[bytes], Any]) -> bool:
    wrong = complaint(message, tasks=tasks, loads=loads)
    if wrong is None:
        return True
    logger.error(
        "queue %s: dropped a message of %d bytes: %s. Find what wrote it: only Parley, in one version, may write "
        "to this broker. If it was work of Parley's own, the sweep sends it again.",
        queue.decode("utf-8", "replace"),
        len(message),
        wrong,
    )
    return False


def _check_properties(properties: dict[str, Any]) -> None:
    _require(_is_name(properties.get("delivery_tag")), "it has no delivery tag")
    _require(properties.get("body_encoding") == "base64", "its body encoding is not base64")
    delivery = _object(properties, "delivery_info")
    for name in ("exchange", "routing_key"):
        _require(isinstance(delivery.get(name), str), f"its delivery_info has no {name}")
    _check_kinds(properties, _PROPERTIES)


def _check_headers(headers: dict[str, Any], tasks: Container[str]) -> None:
    task = headers.get("task")
    _require(isinstance(task, str), "its headers name no task")
    _require(task in tasks, "it asks for a task that this worker does not have")
    _require(_is_name(headers.get("id")), "its headers have no id")
    _require(not headers.get("compression"), "it is compressed")
    _check_kinds(headers, _HEADERS)
    for name in ("eta", "expires"):
        _require(_is_time(headers.get(name)), f"its {name} is no time")
    limits = headers.get("timelimit") or [None, None]
    pair = isinstance(limits, list) and len(limits) == 2
    _require(pair and all(isinstance(limit, int | float | None) for limit in limits), "its timelimit is no pair")


def _check_body(body: Any, loads: Callable[[bytes], Any]) -> None:
    """[positional arguments, keyword arguments, what follows], in base64."""
    _require(isinstance(body, str), "it has no body")
    try:
        raw = base64.b64decode(body)
    except ValueError as error:
        raise _Malformed("its body is not base64") from error
    parts = _read(raw, loads, "its body")
    _require(isinstance(parts, list) and len(parts) == 3, "its body is not [args, kwargs, embed]")
    args, kwargs, embed = parts
    _require(isinstance(args, list), "its args are no list")
    _require(isinstance(kwargs, dict), "its kwargs are no object")
    _require(isinstance(embed, dict), "its embed is no object")
    for name in ("callbacks", "errbacks", "chain"):
        tasks = embed.get(name) or []
        _require(isinstance(tasks, list) and all(isinstance(task, dict) for task in tasks), f"its {name} are no list")
    _require(embed.get("chord") is None, "it belongs to a chord, of which Parley has none")


def _read(raw: bytes, loads: Callable[[bytes], Any], what: str) -> Any:
    try:
        return loads(raw)
    except Exception:  # noqa: BLE001 (whatever this raises, Celery's loop would raise next)
        raise _Malformed(f"{what} is not JSON in UTF-8") from None  # the error quotes what it could not read


def _object(values: dict[str, Any], name: str) -> dict[str, Any]:
    found = values.get(name)
    if not isinstance(found, dict):
        raise _Malformed(f"it has no {name}")
    return found


def _check_kinds(values: dict[str, Any], kinds: dict[str, Any]) -> None:
    for name, kind in kinds.items():
        _require(isinstance(values.get(name), kind), f"its {name} is of the wrong kind")


def _is_time(value: Any) -> bool:
    try:
        return value is None or bool(datetime.fromisoformat(value))
    except (ValueError, TypeError):
        return False


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable() and 0 < len(value) <= _NAMED


def _require(holds: object, wrong: str) -> None:
    if not holds:
        raise _Malformed(wrong)
