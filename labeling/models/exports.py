"""Exports: immutable sets of records, and the work of making them."""

import uuid

from django.db import models
from django.db.models import Q

from labeling.models.people import User
from labeling.models.projects import Project


class Export(models.Model):
    class Kind(models.TextChoices):
        DEMONSTRATIONS = "demonstrations", "Demonstrations"
        RANKINGS = "rankings", "Rankings"
        PROMPTS = "prompts", "Prompts"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"  # asked for, nobody works on it
        RUNNING = "running", "Running"  # a worker holds the lease
        DONE = "done", "Done"  # published; its bytes never change again
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    MAX_ATTEMPTS = 3

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="exports")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    format = models.CharField(max_length=40, default="records")
    filters = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    attempt = models.PositiveIntegerField(default=0)  # the fencing token
    lease_until = models.DateTimeField(null=True, blank=True)
    fraction = models.FloatField(default=0.0)
    store_path = models.CharField(max_length=300, blank=True)
    manifest_sha256 = models.CharField(max_length=64, blank=True)
    num_records = models.PositiveIntegerField(default=0)
    num_bytes = models.PositiveBigIntegerField(default=0)
    counts = models.JSONField(default=dict, blank=True)
    error = models.TextField(blank=True)
    requested_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        indexes = (
            models.Index(fields=("project", "-created_at", "-id"), name="export_newest"),
            models.Index(fields=("lease_until",), condition=Q(state__in=("waiting", "running")), name="export_leases"),
        )

    def __str__(self) -> str:
        return f"export of {self.kind} {self.id}"

    @property
    def is_alive(self) -> bool:
        """Whether somebody works on it, or will."""
        return self.state in (self.State.WAITING, self.State.RUNNING)
