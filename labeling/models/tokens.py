"""API tokens, and the stored answers to writes under an idempotency key."""

import uuid

from django.db import models
from django.db.models import Value
from django.utils import timezone

from labeling.models.people import User
from labeling.models.projects import Project


class ApiToken(models.Model):
    """A token by which a program acts as its owner, with at most the owner's rights. Only its hash is stored."""

    class Scope(models.TextChoices):
        READ = "read", "Read"  # lists, single rows and files of exports
        WRITE = "write", "Write"  # prompts, dialogues, exports
        RANK = "rank", "Rank"  # take comparisons and rank them
        PROMOTE = "promote", "Promote"  # promote policies
        PEOPLE = "people", "People"  # accounts and their roles; apart, since they outlive the token

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=20)  # its first characters, by which people tell tokens apart
    sha256 = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)  # to the minute
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()


class ApiAnswer(models.Model):
    """The answer to a write under an idempotency key, given again if the same write is sent again."""

    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="answers")
    key = models.CharField(max_length=200)
    request_sha256 = models.CharField(max_length=64)  # of method, path and body
    status = models.PositiveSmallIntegerField(null=True, blank=True)  # None while it is being done
    body = models.TextField(blank=True)
    # The owner's role and projects when it was done: {"role", "projects"}. Who has lost one of them is not told again.
    rights = models.JSONField(default=dict, blank=True, db_default=Value({}, models.JSONField()))
    begun_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("token", "key"), name="api_answer_once_per_key"),)

    def __str__(self) -> str:
        return f"{self.key}: {self.status}"
