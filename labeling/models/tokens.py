"""Tokens for programs, and the answers that writes under an idempotency key were given."""

import uuid

from django.db import models
from django.utils import timezone

from labeling.models.people import User
from labeling.models.projects import Project


class ApiToken(models.Model):
    """A program's way in, as its owner and with at most the owner's rights. The token itself is not kept."""

    class Scope(models.TextChoices):
        READ = "read", "Read"  # lists, single rows and files of exports
        WRITE = "write", "Write"  # prompts, dialogues, exports
        RANK = "rank", "Rank"  # take comparisons and rank them
        PROMOTE = "promote", "Promote"  # let another policy answer

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=20)  # its first letters, by which people tell tokens apart
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
    """What a write under an idempotency key was answered, so that the same again is not done again."""

    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="answers")
    key = models.CharField(max_length=200)
    request_sha256 = models.CharField(max_length=64)  # of method, path and body
    status = models.PositiveSmallIntegerField(null=True, blank=True)  # None while it is being done
    body = models.TextField(blank=True)
    begun_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("token", "key"), name="api_answer_once_per_key"),)

    def __str__(self) -> str:
        return f"{self.key}: {self.status}"
