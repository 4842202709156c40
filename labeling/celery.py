"""The platform's Celery app: what runs beside the database, and the beat that wakes the sweeper.

What it shares with the apps of the model side is in records.worker.
"""

import os

from celery import Celery, bootsteps, signals
from kombu.utils.json import loads
from redis import Redis

from labeling import embedded
from labeling.jobs.heartbeat import describe
from records.names import SWEEP
from records.worker import prepare

SWEEP_SECONDS = 10.0

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labeling.settings")

app = Celery("labeling")
app.set_default()  # a thread that made no app of its own sends by the default one, and pages are such threads
prepare(
    app,
    describe,
    redis_url=embedded.urls().redis,
    signals=signals,
    step=bootsteps.StartStopStep,
    loads=loads,
    redis_from_url=Redis.from_url,
)
app.conf.beat_schedule = {
    # Expires before the next: after an hour without a worker one sweep is wanted, not 360.
    "sweep": {"task": SWEEP, "schedule": SWEEP_SECONDS, "options": {"expires": SWEEP_SECONDS}},
}
app.autodiscover_tasks(["labeling"])


@signals.celeryd_init.connect
@signals.beat_init.connect
def _ensure_engines(**_: object) -> None:
    embedded.ensure()
