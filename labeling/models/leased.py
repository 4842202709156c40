"""Work that a worker does beside the database: whose it is (a lease and a fencing token), how far, how it ended."""

import uuid
from typing import Any, ClassVar

from django.db import models

from labeling.models.people import User


class LeasedRow(models.Model):
    """What such rows have in common; each has states of its own. Who takes and renews the lease is not known here."""

    ALIVE: ClassVar[tuple[str, ...]] = ("waiting", "running")  # states in which somebody works on it, or will
    MAX_ATTEMPTS: ClassVar[int] = 3

    state: Any  # a field of each kind of row
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    attempt = models.PositiveIntegerField(default=0)  # the fencing token
    lease_until = models.DateTimeField(null=True, blank=True)
    fraction = models.FloatField(default=0.0)
    error = models.TextField(blank=True)
    requested_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ("-created_at",)

    @property
    def is_alive(self) -> bool:
        """Whether somebody works on it, or will."""
        return self.state in self.ALIVE
