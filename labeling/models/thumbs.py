"""Thumbs: verdicts on one completion alone (records.Thumb), as people give them in chats and programs bring them."""

import uuid

from django.db import models
from django.db.models import Q, Value
from django.utils import timezone

from labeling.models.dialogues import Dialogue, Message, Prompt
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.rankings import Comparison
from labeling.models.registry import Policy


class ThumbQuerySet(models.QuerySet["Thumb"]):
    def that_count(self) -> "ThumbQuerySet":
        """Without retracted thumbs, which are neither exported nor compared."""
        return self.filter(retracted_at=None)

    def to_learn_from(self) -> "ThumbQuerySet":
        """Those that count and whose giver lets models learn from them."""
        return self.that_count().filter(may_train=True)

    def to_compare(self) -> "ThumbQuerySet":
        """Thumbs down whose prompt shall be compared and is not yet, oldest first."""
        waiting = self.that_count().filter(wants_comparison=True, comparison=None)
        return waiting.exclude(prompt__retired_at__isnull=False).order_by("created_at", "id")


class Thumb(models.Model):
    """One thumb. The answer is kept as text: no comparison asked for it, and in a chat it may be sampled anew.

    Of those that a person gave on one message of a chat, one counts: a change after it was exported is a new row, and
    the old one is retracted, so that the exports that hold it are marked.
    """

    class Reason(models.TextChoices):
        NOT_TRUE = "not true", "Not true"
        NOT_HELPFUL = "not helpful", "Not helpful"
        HARMFUL = "harmful", "Harmful"
        OFF_THE_QUESTION = "did not follow the question", "Did not follow the question"
        TOO_LONG = "too long", "Too long"
        STYLE = "style", "Style"
        OTHER = "other", "Something else"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="thumbs")
    messages = models.JSONField()  # the prompt: [{"role", "content"}], the last one the user's
    content = models.TextField()  # the completion that was judged
    content_sha256 = models.CharField(max_length=64)  # of all that the thumb says; the same one twice is one
    policy = models.ForeignKey(Policy, null=True, blank=True, on_delete=models.PROTECT, related_name="thumbs")
    outside_policy = models.CharField(max_length=100, blank=True)
    sampling = models.JSONField(null=True, blank=True)  # records.SamplingParams
    up = models.BooleanField()
    reason = models.TextField(blank=True)  # of one given here, `reasons` as one line
    reasons = models.JSONField(default=list, blank=True, db_default=Value([], models.JSONField()))  # [Reason]
    # Who gave it: by the name in the file or the request, or in a chat by their pseudonym; `created_by` is that person.
    outside_trainer = models.CharField(max_length=80, blank=True)
    trainer_kind = models.CharField(max_length=16, default="imported", db_default="imported")  # records.TrainerKind
    may_train = models.BooleanField(default=True, db_default=True)  # False: it is exported nowhere
    message = models.ForeignKey(  # of a chat, that it was given on
        Message, null=True, blank=True, on_delete=models.SET_NULL, related_name="thumbs", db_index=False
    )
    better = models.ForeignKey(  # the demonstration that its giver wrote in place of the answer
        Dialogue, null=True, blank=True, on_delete=models.SET_NULL, related_name="thumbs", db_index=False
    )
    outside_id = models.CharField(max_length=200, blank=True)  # whoever sent it calls it so
    topic = models.CharField(max_length=60, blank=True)
    source = models.CharField(max_length=200, blank=True)
    given_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
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
            models.UniqueConstraint(
                fields=("message", "created_by"),
                condition=Q(message__isnull=False, retracted_at=None),
                name="thumb_once_per_message",
            ),
        )
        indexes = (
            models.Index(fields=("project", "-created_at", "-id"), name="thumb_newest"),
            models.Index(fields=("message",), condition=~Q(message=None), name="thumb_of_message"),
            models.Index(fields=("better",), condition=~Q(better=None), name="thumb_of_better"),
            models.Index(fields=("created_by",), name="thumb_by_person"),
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
    def is_replaced(self) -> bool:
        """Whether its giver has given another on the same message, which counts: this one cannot count again."""
        if self.message_id is None or self.created_by_id is None:
            return False
        others = Thumb.objects.that_count().filter(message=self.message_id, created_by=self.created_by_id)
        return others.exclude(id=self.id).exists()

    @property
    def policy_name(self) -> str:
        return self.policy.name if self.policy else self.outside_policy
