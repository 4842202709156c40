"""Imports from the browser: a file that was brought, what Parley understood of it, and the work of taking it in."""

from django.db import models
from django.db.models import Q

from labeling.models.leased import LeasedRow
from labeling.models.projects import Project


class Import(LeasedRow):
    class Kind(models.TextChoices):
        DIALOGUES = "dialogues", "Dialogues"
        RANKINGS = "rankings", "Rankings"
        THUMBS = "thumbs", "Thumbs"

    class State(models.TextChoices):
        PREVIEWED = "previewed", "Previewed"  # waits for a person's word; nothing is imported yet
        WAITING = "waiting", "Waiting"  # confirmed, nobody works on it
        RUNNING = "running", "Running"  # a worker holds the lease
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        DISCARDED = "discarded", "Discarded"  # looked at and not wanted; the file is deleted

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="imports")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    format = models.CharField(max_length=40, blank=True)  # blank: none was recognised; a person says which it is
    columns = models.JSONField(default=dict, blank=True)  # what names in the file mean, as a person said
    into_prompts = models.BooleanField(default=False)  # of each dialogue only its opening, for the pool
    skips_bad_lines = models.BooleanField(default=False)  # else one bad line and nothing is imported
    file_name = models.CharField(max_length=200)  # as its owner called it; never a path
    store_path = models.CharField(max_length=300)  # relative to the model store
    num_bytes = models.PositiveBigIntegerField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.PREVIEWED)
    report = models.JSONField(default=dict, blank=True)  # labeling.imports.ImportReport

    class Meta(LeasedRow.Meta):
        indexes = (
            models.Index(fields=("project", "-created_at", "-id"), name="import_newest"),
            models.Index(fields=("lease_until",), condition=Q(state__in=("waiting", "running")), name="import_leases"),
        )

    def __str__(self) -> str:
        return f"import of {self.file_name}"
