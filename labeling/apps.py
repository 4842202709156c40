"""The Django app: its name, and the system checks it brings."""

from django.apps import AppConfig


class LabelingConfig(AppConfig):
    name = "labeling"
    label = "labeling"
    verbose_name = "Parley"

    def ready(self) -> None:
        from labeling import checks  # noqa: F401 (registers them)
