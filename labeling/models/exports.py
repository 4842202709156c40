"""Exports: immutable sets of records, and the work of making them."""

from django.db import models
from django.db.models import Q

from labeling.models.leased import LeasedRow
from labeling.models.projects import Project


class Export(LeasedRow):
    class Kind(models.TextChoices):
        DEMONSTRATIONS = "demonstrations", "Demonstrations"
        RANKINGS = "rankings", "Rankings"
        PROMPTS = "prompts", "Prompts"
        THUMBS = "thumbs", "Thumbs"
        LABELS = "labels", "Labels"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"  # asked for, nobody works on it
        RUNNING = "running", "Running"  # a worker holds the lease
        DONE = "done", "Done"  # published; its bytes never change again
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="exports")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    format = models.CharField(max_length=40, default="records")
    filters = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    store_path = models.CharField(max_length=300, blank=True)
    manifest_sha256 = models.CharField(max_length=64, blank=True)
    num_records = models.PositiveIntegerField(default=0)
    num_bytes = models.PositiveBigIntegerField(default=0)
    counts = models.JSONField(default=dict, blank=True)
    # The export that this one was built again from, with its filters, because records of it were withdrawn.
    rebuilt_from = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="rebuilds", db_index=False
    )

    class Meta(LeasedRow.Meta):
        indexes = (
            models.Index(fields=("project", "-created_at", "-id"), name="export_newest"),
            models.Index(fields=("lease_until",), condition=Q(state__in=("waiting", "running")), name="export_leases"),
            models.Index(fields=("rebuilt_from",), condition=~Q(rebuilt_from=None), name="export_rebuilds"),
        )

    def __str__(self) -> str:
        return f"export of {self.kind} {self.id}"
