"""The platform's Celery app: what runs beside the database, and the beat that wakes the sweeper.

How the broker is spoken to is shared with the model side: records.broker.
"""

import os

from celery import Celery
from celery.signals import beat_init, celeryd_init

from labeling import engines
from records.broker import celery_settings
from records.names import SWEEP

SWEEP_SECONDS = 10.0

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labeling.settings")

app = Celery("labeling")
app.conf.update(celery_settings(engines.urls().redis))
app.conf.beat_schedule = {
    # Expires before the next: after an hour without a worker one sweep is wanted, not 360.
    "sweep": {"task": SWEEP, "schedule": SWEEP_SECONDS, "options": {"expires": SWEEP_SECONDS}},
}
app.autodiscover_tasks(["labeling"])


@celeryd_init.connect
@beat_init.connect
def _ensure_engines(**_: object) -> None:
    engines.ensure()
