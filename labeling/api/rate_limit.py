"""The rate limit of tokens: requests per minute, counted in Valkey. Without the broker nothing is limited."""

import logging
import math
import time
from functools import cache

import redis
from django.conf import settings

from labeling.models import ApiToken

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 60


def seconds_to_wait(token: ApiToken) -> int:
    """Count one request; 0 within the limit, else the seconds until the next minute starts."""
    window, gone = divmod(time.time(), WINDOW_SECONDS)
    key = f"parley:api:{token.id}:{window:.0f}"
    try:
        with _valkey().pipeline() as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, 2 * WINDOW_SECONDS)
            num = int(pipeline.execute()[0])
    except redis.RedisError as error:
        logger.warning("The broker is away, so requests of tokens are not counted: %s", error)
        return 0
    return math.ceil(WINDOW_SECONDS - gone) if num > settings.API_REQUESTS_PER_MINUTE else 0


@cache
def _valkey() -> redis.Redis:
    """One connection pool for the process; otherwise every request would open a connection."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)
