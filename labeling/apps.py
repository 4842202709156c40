"""The Django app: its name, the system checks it brings, and its Celery app, by which every process sends."""

from django.apps import AppConfig


class LabelingConfig(AppConfig):
    name = "labeling"
    label = "labeling"
    verbose_name = "Parley"

    def ready(self) -> None:
        from labeling import celery, checks  # noqa: F401 (each registers itself)
