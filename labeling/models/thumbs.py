"""Thumbs: verdicts on one completion alone, as files and programs outside bring them (records.Thumb)."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from labeling.models.dialogues import Prompt
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.rankings import Comparison
from labeling.models.registry import Policy


class ThumbQuerySet(models.QuerySet["Thumb"]):
    def that_count(self) -> "ThumbQuerySet":
        """Without retracted thumbs, which are neither exported nor compared."""
        return self.filter(retracted_at=None)

    def to_compare(self) -> "ThumbQuerySet":
        """Thumbs down whose prompt shall be compared and is not yet, oldest first."""
        waiting = self.that_count().filter(wants_comparison=True, comparison=None)
        return waiting.exclude(prompt__retired_at__isnull=False).order_by("created_at", "id")


class Thumb(models.Model):
    """One thumb. The answer is kept as text: it was given outside, where no comparison asked for it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="thumbs")
    messages = models.JSONField()  # the prompt: [{"role", "content"}], the last one the user's
    content = models.TextField()  # the completion that was judged
    content_sha256 = models.CharField(max_length=64)  # of all that the thumb says; the same one twice is one
    policy = models.ForeignKey(Policy, null=True, blank=True, on_delete=models.PROTECT, related_name="thumbs")
    outside_policy = models.CharField(max_length=100, blank=True)
    sampling = models.JSONField(null=True, blank=True)  # records.SamplingParams
    up = models.BooleanField()
    reason = models.TextField(blank=True)
    outside_trainer = models.CharField(max_length=80, blank=True)  # who gave it, by the name in the file or the request
    outside_id = models.CharField(max_length=200, blank=True)  # whoever sent it calls it so
    topic = models.CharField(max_length=60, blank=True)
    source = models.CharField(max_length=200, blank=True)
    given_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    retracted_at = models.DateTimeField(null=True, blank=True)
    # Whether its prompt shall be compared, as the project's setting stood when it came; then where in the pool the
    # prompt is, and the comparison that was made of it.
    wants_comparison = models.BooleanField(default=False)
    prompt = models.ForeignKey(Prompt, null=True, blank=True, on_delete=models.SET_NULL, related_name="thumbs")
    comparison = models.ForeignKey(Comparison, null=True, blank=True, on_delete=models.SET_NULL, related_name="thumbs")

    objects = ThumbQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("project", "outside_id"), condition=~Q(outside_id=""), name="thumb_once_per_outside_id"
            ),
            models.UniqueConstraint(
                fields=("project", "content_sha256"), condition=Q(outside_id=""), name="thumb_once_per_content"
            ),
        )
        indexes = (
            models.Index(fields=("project", "-created_at", "-id"), name="thumb_newest"),
            models.Index(
                fields=("project", "created_at", "id"),
                condition=Q(wants_comparison=True, comparison=None, retracted_at=None),
                name="thumb_to_compare",
            ),
        )

    def __str__(self) -> str:
        return f"thumb {'up' if self.up else 'down'}: {self.content[:60]}"

    @property
    def question(self) -> str:
        """The last message of the prompt."""
        return str(self.messages[-1]["content"])

    @property
    def policy_name(self) -> str:
        return self.policy.name if self.policy else self.outside_policy
