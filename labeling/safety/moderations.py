"""Texts of programs outside, judged by the filter in force in the shape of OpenAI's moderation endpoint.

The sample worker judges, and its answer, which holds no text, waits under a Redis key for the request that asked.
Nothing is stored: a program that loses the answer asks again.
"""

import json
import uuid
from collections.abc import Sequence
from typing import Any

import redis
from django.conf import settings
from django.utils.translation import gettext as _

from labeling.jobs import dispatch, screens
from labeling.jobs.workers import sample_worker_is_alive
from labeling.models import Filter
from labeling.safety.filters import thresholds_of
from records import Screening, ScreenRequest, ScreenResult, decode, encode

MOST_TEXTS = 32
LONGEST_TEXT = 20_000  # characters
WAIT_SECONDS = 20
KEPT_SECONDS = 60  # the answer, for a request that may be gone
_OURS = "moderation:"  # what the ids of such texts begin with
_OPENAI_NAMES = {
    "S": "sexual", "H": "hate", "V": "violence", "HR": "harassment", "SH": "self-harm",
    "S3": "sexual/minors", "H2": "hate/threatening", "V2": "violence/graphic",
}  # fmt: skip


class FilterAway(Exception):
    """No filter has answered; the text says why."""


def judge(texts: Sequence[str]) -> dict[str, Any]:
    """The verdicts on these texts by the filter's own thresholds. Raises FilterAway."""
    if not sample_worker_is_alive():
        raise FilterAway(_("No sample worker is alive, so no filter can judge."))
    found = Filter.objects.in_force()
    screen = screens.screen_by(found, project_id=None, version=screens.OWN_THRESHOLDS)
    assert screen is not None
    name = f"{_OURS}{uuid.uuid4()}"
    ids = tuple(f"{name}:{index}" for index in range(len(texts)))
    sides = ("answered",) * len(texts)
    request = ScreenRequest(ids=ids, texts=tuple(texts), sides=sides, screen=screen)  # type: ignore[arg-type]
    if not dispatch.send_screening(request, is_awaited=True):
        raise FilterAway(_("The broker is away, so no filter can judge."))
    result = _wait_for(name)
    if result.error is not None:
        raise FilterAway(result.error)
    thresholds = thresholds_of(found)
    return {
        "id": f"modr-{name.removeprefix(_OURS)}",
        "model": found.name,
        "results": [_judged(seen, thresholds) for seen in result.screenings],
    }


def is_ours(result: ScreenResult) -> bool:
    return bool(result.ids) and result.ids[0].startswith(_OURS)


def hand_over(result: ScreenResult) -> None:
    """Put what the worker said where the request waits for it."""
    key = result.ids[0].rpartition(":")[0]
    with _broker() as broker:
        broker.rpush(key, json.dumps(encode(result)))
        broker.expire(key, KEPT_SECONDS)


def _wait_for(name: str) -> ScreenResult:
    try:
        with _broker() as broker:
            answer: Any = broker.blpop([name], timeout=WAIT_SECONDS)
    except redis.RedisError as error:
        raise FilterAway(_("The broker is away, so no filter can judge.")) from error
    if answer is None:
        raise FilterAway(_("The filter has not answered within %(n)d seconds.") % {"n": WAIT_SECONDS})
    return decode(ScreenResult, json.loads(answer[1]), where="screenings")


def _judged(seen: Screening, thresholds: dict[str, dict[str, float | None]]) -> dict[str, Any]:
    """By category what OpenAI's endpoint says: flagged from the threshold of a warning on."""
    flags = {name: _is_over(score, thresholds.get(name, {})) for name, score in seen.probabilities.items()}
    if seen.category is not None and seen.verdict in ("warn", "block"):
        flags[seen.category] = True  # a server flags by thresholds of its own
    scores = dict.fromkeys(flags, 0.0) | dict(seen.probabilities)
    return {
        "flagged": any(flags.values()),
        "categories": {_OPENAI_NAMES.get(name, name): flag for name, flag in flags.items()},
        "category_scores": {_OPENAI_NAMES.get(name, name): score for name, score in scores.items()},
        "judged": seen.verdict != "not judged",
    }


def _is_over(score: float, bounds: dict[str, float | None]) -> bool:
    known = [bound for bound in bounds.values() if bound is not None]
    return bool(known) and score >= min(known)


def _broker() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=WAIT_SECONDS + 5, socket_connect_timeout=3)
