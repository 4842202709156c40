"""The Django app. When it is ready, it registers the system checks, and the Celery app that every process sends by."""

from django.apps import AppConfig


class LabelingConfig(AppConfig):
    name = "labeling"
    label = "labeling"
    verbose_name = "Parley"

    def ready(self) -> None:
        from labeling import celery, checks  # noqa: F401 (importing registers them)
        from labeling.accounts import presence
        from labeling.challenges.erasure import erase_entries_of
        from labeling.preview.erasure import ERASERS_ABOVE

        presence.connect()
        ERASERS_ABOVE.append(erase_entries_of)
