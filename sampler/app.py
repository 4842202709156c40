"""The sampler's Celery app. Started with: celery -A sampler.app worker -Q sample --pool threads --concurrency 80

A task only waits while the engine samples, so threads are cheap; there must be more of them than overnight
requests under way (PARLEY_SAMPLING_WINDOW on the web side), or people would queue behind these.
"""

import sys
from typing import Any

from celery import Celery, bootsteps
from celery.signals import worker_init, worker_ready, worker_shutdown
from celery.worker.control import inspect_command
from kombu.utils.json import loads

from records.broker import celery_settings
from records.malformed import dropping_step
from records.presence import Presence

# No fixups: Celery's for Django would load labeling where DJANGO_SETTINGS_MODULE is set, as by `manage.py run`.
app = Celery("sampler", include=["sampler.tasks"], fixups=[])
app.conf.update(celery_settings())
app.steps["consumer"].add(dropping_step(bootsteps.StartStopStep, loads))


@worker_init.connect
def check_configuration(**_: object) -> None:
    """Refuse to start on settings that make no sense, rather than fail every request."""
    from sampler.configuration import ConfigurationError, configuration  # brings torch, which senders do without

    try:
        configuration()
    except ConfigurationError as error:
        sys.exit(f"sampler: {error}")


_presence: list[Presence] = []  # of this process, once it is a worker


@worker_ready.connect
def say_that_it_lives(sender: Any, **_: object) -> None:
    from sampler.sampling import presence

    _presence.append(presence(sender.hostname))
    _presence[-1].begin()


@worker_shutdown.connect
def say_that_it_goes(**_: object) -> None:
    while _presence:
        _presence.pop().end()


@inspect_command()
def serving(_: object, **__: object) -> dict[str, Any]:
    """What this worker serves: its device, the policies at hand, the servers that it may call.

    Asked by `celery -A sampler.app inspect serving`.
    """
    from sampler.sampling import serving

    return serving()
