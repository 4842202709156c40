"""Parley's own PostgreSQL and Valkey, used where the environment names no others; knows no Django, tables or tasks.

`ensure()` finds the servers that run and starts those that do not. Every process that uses them holds a shared
lock until it exits, and the last one stops them.
"""

from dataclasses import dataclass
from pathlib import Path

from labeling import environment
from labeling.embedded import lifetime, postgresql, valkey
from labeling.embedded.paths import EngineError, Places

__all__ = ["EngineError", "Urls", "ensure", "start", "stop", "urls"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Urls:
    """Where the servers listen, in the form of DATABASE_URL and REDIS_URL."""

    database: str
    redis: str


def urls(var: Path | None = None) -> Urls:
    """The URLs to use: the environment's, or those of our own servers. Starts nothing."""
    places = Places((var or environment.var_directory()).resolve())
    return Urls(
        database=environment.text("DATABASE_URL", default=postgresql.url(places)),
        redis=environment.text("REDIS_URL", default=valkey.url(places)),
    )


def ensure() -> Urls:
    """Start or find the servers that the environment does not name. Raises EngineError."""
    wanted = [
        engine
        for variable, engine in (("DATABASE_URL", postgresql), ("REDIS_URL", valkey))
        if not environment.text(variable)
    ]
    if wanted:
        places = Places(environment.var_directory())
        with lifetime.joining(places):
            for engine in wanted:
                engine.ensure(places)
    return urls()


def start(var: Path) -> Urls:
    """Start or find both servers of `var`, whatever the environment names. Raises EngineError."""
    places = Places(var.resolve())
    with lifetime.joining(places):
        postgresql.ensure(places)
        valkey.ensure(places)
    return Urls(database=postgresql.url(places), redis=valkey.url(places))


def stop(var: Path | None = None) -> bool:
    """Give up this process's lock, and stop the servers unless another process uses them.

    Returns whether they were stopped.
    """
    return lifetime.leave(Places((var or environment.var_directory()).resolve()))
