"""Reviewers' comments on single messages of a dialogue."""

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from labeling.models.dialogues import Dialogue, Message
from labeling.models.people import User
from labeling.models.projects import Project


class CommentQuerySet(models.QuerySet["Comment"]):
    def unanswered(self) -> "CommentQuerySet":
        return self.filter(answered_at=None)

    def sent(self) -> "CommentQuerySet":
        """Those that the dialogue's author can read."""
        return self.exclude(sent_at=None)

    def mark_sent(self) -> int:
        return self.filter(sent_at=None).update(sent_at=Now())

    def mark_answered(self, answer: "Comment.Answer") -> int:
        """Mark those that are not answered yet; returns how many."""
        return self.unanswered().update(answered_at=Now(), answer=answer)


class Comment(models.Model):
    """What a reviewer says of one message. The dialogue's author reads it once the dialogue is returned or accepted."""

    LONGEST = 4000  # characters

    class Answer(models.TextChoices):
        CHANGED = "changed", "message changed"  # the author edited the message
        SAID = "said", "author says so"  # the author marked it without an edit
        REMOVED = "removed", "message removed"  # the author deleted the message

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="comments")
    dialogue = models.ForeignKey(Dialogue, on_delete=models.CASCADE, related_name="comments")
    # None once the message was deleted: what was said of it stays.
    message = models.ForeignKey(Message, null=True, blank=True, on_delete=models.SET_NULL, related_name="comments")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)  # when the dialogue was returned or accepted with it
    answered_at = models.DateTimeField(null=True, blank=True)
    answer = models.CharField(max_length=16, choices=Answer.choices, blank=True)

    objects = CommentQuerySet.as_manager()

    class Meta:
        ordering = ("created_at", "id")
        constraints = (
            models.CheckConstraint(
                condition=Q(answered_at=None, answer="") | Q(answered_at__isnull=False) & ~Q(answer=""),
                name="comment_answered_in_some_way",
            ),
        )
        indexes = (
            models.Index(fields=("dialogue", "created_at"), name="comment_of_dialogue"),
            models.Index(fields=("project", "-created_at", "-id"), name="comment_newest"),
        )

    def __str__(self) -> str:
        return self.text[:60]
