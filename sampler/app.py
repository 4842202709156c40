"""The sampler's Celery app. Started with: celery -A sampler.app worker -Q sample --pool threads --concurrency 112

A task only waits while the engine samples, so threads are cheap; there must be more of them than overnight
requests under way (PARLEY_SAMPLING_WINDOW on the web side), or people would queue behind these.
"""

import sys
import threading
from typing import Any

from celery import Celery, bootsteps, signals
from celery.worker.control import inspect_command
from kombu.utils.json import loads
from redis import Redis

from records import Worker
from records.worker import prepare


def describe(name: str, started_at: str) -> Worker:
    """What the worker of this name, which is this process, is and is at."""
    from sampler.sampling import answerer  # brings torch, which senders do without

    return answerer(app).describe(name, started_at)


# No fixups: Celery's for Django would load labeling where DJANGO_SETTINGS_MODULE is set, as by `manage.py run`.
app = Celery("sampler", include=["sampler.tasks"], fixups=[])
prepare(app, describe, signals=signals, step=bootsteps.StartStopStep, loads=loads, redis_from_url=Redis.from_url)


@signals.worker_init.connect
def check_configuration(**_: object) -> None:
    """Refuse to start on settings that make no sense, rather than fail every request."""
    from sampler.configuration import ConfigurationError, configuration  # brings torch, which senders do without

    try:
        configuration()
    except ConfigurationError as error:
        sys.exit(f"sampler: {error}")


@signals.worker_ready.connect
def load_filter(**_: object) -> None:
    """Load the content filter beside what comes first, so that no text waits for it."""
    from sampler.screening.loading import filters

    # No daemon: a thread that is inside torch when the interpreter ends would abort the process.
    threading.Thread(target=filters().load_ahead, name="filter").start()


@inspect_command()
def serving(_: object, **__: object) -> dict[str, Any]:
    """What this worker serves: its device, the policies at hand, the servers that it may call.

    Asked by `celery -A sampler.app inspect serving`.
    """
    from sampler.sampling import answerer

    return answerer(app).serving()
