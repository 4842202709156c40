"""The train worker's Celery app. Holds no database password: it sees the broker and the model store."""

from celery import Celery, bootsteps, signals
from kombu.utils.json import loads
from redis import Redis

from records.worker import prepare
from training import warm_stop
from training.presence import describe

# No fixups: Celery's for Django would load labeling where DJANGO_SETTINGS_MODULE is set, as by `manage.py run`.
app = Celery("training", include=["training.tasks"], fixups=[])
signals.worker_shutting_down.connect(warm_stop.ask)
prepare(app, describe, signals=signals, step=bootsteps.StartStopStep, loads=loads, redis_from_url=Redis.from_url)
