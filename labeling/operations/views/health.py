"""Liveness and readiness, for supervisors and load balancers. Public, so no details are given."""

import shutil

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from labeling.web import access

_LEAST_FREE = 0.05  # share of the disk that holds the model store


@access.public
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """The process answers. Checks neither database nor broker, so that a slow one restarts no web server."""
    return JsonResponse({"status": "ok"})


@access.public
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """503 if pages cannot be served. "degraded" if only the broker is away: people can still write and rank."""
    facts = {"database": _database_is_current(), "disk": _disk_has_room(), "broker": _broker_answers()}
    can_serve = facts["database"] and facts["disk"]
    status = "ok" if all(facts.values()) else "degraded" if can_serve else "unavailable"
    return JsonResponse({"status": status, **facts}, status=200 if can_serve else 503)


def _database_is_current() -> bool:
    try:
        executor = MigrationExecutor(connection)
        return not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return False


def _disk_has_room() -> bool:
    store = settings.PARLEY_STORE
    usage = shutil.disk_usage(store if store.exists() else settings.PARLEY_VAR)
    return usage.free > _LEAST_FREE * usage.total


def _broker_answers() -> bool:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
