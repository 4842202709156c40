"""The train worker's Celery app. Holds no database password: it sees the broker and the model store."""

from typing import Any

from celery import Celery, bootsteps
from celery.signals import worker_ready, worker_shutdown
from kombu.utils.json import loads

from records.broker import celery_settings
from records.malformed import dropping_step
from records.presence import Presence

# No fixups: Celery's for Django would load labeling where DJANGO_SETTINGS_MODULE is set, as by `manage.py run`.
app = Celery("training", include=["training.tasks"], fixups=[])
app.conf.update(celery_settings())
app.steps["consumer"].add(dropping_step(bootsteps.StartStopStep, loads))

_presence: list[Presence] = []  # of this process, once it is a worker


@worker_ready.connect
def say_that_it_lives(sender: Any, **_: object) -> None:
    from training.presence import presence

    _presence.append(presence(sender.hostname))
    _presence[-1].begin()


@worker_shutdown.connect
def say_that_it_goes(**_: object) -> None:
    while _presence:
        _presence.pop().end()
