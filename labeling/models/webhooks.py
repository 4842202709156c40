"""Webhooks of a project, and their deliveries."""

import base64
import secrets
import uuid

from django.db import models
from django.db.models import Q

from labeling.models.people import User
from labeling.models.projects import Project


def new_secret() -> str:
    """The key that deliveries are signed with, as Standard Webhooks writes one: 32 bytes in base64.

    It is stored in the clear, since signing needs the key itself.
    """
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


class Webhook(models.Model):
    class Event(models.TextChoices):
        COMPARISON_COMPLETED = "comparison.completed", "A comparison has all its rankings"
        EXPORT_READY = "export.ready", "An export is done"
        ROUND_FINISHED = "round.finished", "A round has closed"
        SCREENING_BLOCKED = "screening.blocked", "The content filter blocked a text"
        REPORT_OPENED = "report.opened", "Somebody reported an output"
        APPEAL_OPENED = "appeal.opened", "A person appealed against the filter"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField(max_length=500)
    events = models.JSONField(default=list)
    secret = models.CharField(max_length=80, default=new_secret)
    old_secret = models.CharField(max_length=80, blank=True, db_default="")  # signs too, until then
    old_secret_until = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.url


class Delivery(models.Model):
    """One event for one webhook: work that is done once the address has answered with a status of 2xx."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"  # to be tried at due_at, for the first time or again
        DONE = "done", "Done"  # the address took it
        FAILED = "failed", "Failed"  # all attempts used up, or the webhook was closed

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=40, choices=Webhook.Event.choices)
    body = models.TextField()  # exactly as it is signed and sent
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    num_attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    attempt_ends_at = models.DateTimeField(null=True, blank=True)  # at the latest, while an attempt is under way
    status = models.PositiveSmallIntegerField(null=True, blank=True)  # HTTP, of the last answer; None: no answer
    error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ("-created_at", "-id")
        indexes = (
            models.Index(fields=("webhook", "-created_at", "-id"), name="delivery_log"),
            models.Index(fields=("due_at",), condition=Q(state="waiting"), name="delivery_due"),
            models.Index(fields=("finished_at",), condition=~Q(finished_at=None), name="delivery_over"),
            models.Index(fields=("webhook",), condition=~Q(attempt_ends_at=None), name="delivery_under_way"),
        )

    def __str__(self) -> str:
        return f"{self.event} to {self.webhook}"
