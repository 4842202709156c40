"""The platform's Celery app: what runs beside the database, and the beat that wakes the sweeper.

How the broker is spoken to is shared with the model side: records.broker.
"""

import os
from typing import Any

from celery import Celery, bootsteps
from celery.signals import beat_init, celeryd_init, worker_ready, worker_shutdown
from kombu.utils.json import loads

from labeling import embedded
from records.broker import celery_settings
from records.malformed import dropping_step
from records.names import SWEEP
from records.presence import Presence

SWEEP_SECONDS = 10.0

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labeling.settings")

app = Celery("labeling")
app.set_default()  # a thread that made no app of its own sends by the default one, and pages are such threads
app.conf.update(celery_settings(embedded.urls().redis))
app.steps["consumer"].add(dropping_step(bootsteps.StartStopStep, loads))
app.conf.beat_schedule = {
    # Expires before the next: after an hour without a worker one sweep is wanted, not 360.
    "sweep": {"task": SWEEP, "schedule": SWEEP_SECONDS, "options": {"expires": SWEEP_SECONDS}},
}
app.autodiscover_tasks(["labeling"])


@celeryd_init.connect
@beat_init.connect
def _ensure_engines(**_: object) -> None:
    embedded.ensure()


_presence: list[Presence] = []  # of this process, once it is a worker


@worker_ready.connect
def _say_that_it_lives(sender: Any, **_: object) -> None:
    from labeling.jobs.heartbeat import presence  # brings Celery's workers, which senders do without

    _presence.append(presence(sender.hostname, embedded.urls().redis))
    _presence[-1].begin()


@worker_shutdown.connect
def _say_that_it_goes(**_: object) -> None:
    while _presence:
        _presence.pop().end()
