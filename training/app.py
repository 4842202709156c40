"""The train worker's Celery app. Holds no database password: it sees the broker and the model store."""

from celery import Celery

from records.broker import celery_settings

app = Celery("training", include=["training.tasks"])
app.conf.update(celery_settings())
