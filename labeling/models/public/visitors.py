"""Visitors' links and consents, what they used of a preview's limits, and their erasures.

A visitor is a User whose role says so; their dialogues are of the kind VISITOR.
"""

import uuid

from django.db import models
from django.db.models import Q

from labeling.models.completions import SamplingRun
from labeling.models.dialogues import Dialogue, Prompt
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.public.previews import Preview


class DoorLink(models.Model):
    """A link that was sent by e-mail: who opens it has read that mailbox. It works once, for twenty minutes.

    The row is forgotten within a day, used or not: of a sign-up that was never confirmed nothing is left.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    preview = models.ForeignKey(Preview, on_delete=models.CASCADE, related_name="+")
    email = models.EmailField(blank=True)  # in lower case; emptied when the link is used
    # What was ticked beside the address; None where the link was asked for by the address alone.
    terms_version = models.PositiveIntegerField(null=True, blank=True)
    training = models.BooleanField(default=False)
    address_hash = models.CharField(max_length=64)  # of the network it was asked from, salted anew every day
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = (models.Index(fields=("address_hash",), name="door_link_address"),)

    def __str__(self) -> str:
        return f"link {self.id}"


class ConsentQuerySet(models.QuerySet["Consent"]):
    def in_force(self) -> "ConsentQuerySet":
        """The newest of each visitor and preview, unless it was withdrawn."""
        return self.filter(withdrawn_at=None)


class Consent(models.Model):
    """What a visitor agreed to in one preview. A change is a new row, and the row before it is withdrawn."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="consents")
    preview = models.ForeignKey(Preview, on_delete=models.PROTECT, related_name="consents")
    terms_version = models.PositiveIntegerField()
    training = models.BooleanField(default=False)  # whether models may learn from what they say and choose
    adult = models.BooleanField()
    at = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    objects = ConsentQuerySet.as_manager()

    class Meta:
        ordering = ("-at",)
        constraints = (
            models.UniqueConstraint(
                fields=("user", "preview"), condition=Q(withdrawn_at=None), name="consent_one_in_force"
            ),
            models.CheckConstraint(condition=Q(adult=True), name="consent_of_adults"),
        )

    def __str__(self) -> str:
        return f"consent of {self.user_id}"


class VisitorUse(models.Model):
    """One request of a visitor for answers, counted against the limits. It holds no text, and outlives the run."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    preview = models.ForeignKey(Preview, on_delete=models.CASCADE, related_name="+")
    run = models.ForeignKey(SamplingRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    is_message = models.BooleanField(default=True)  # False for the second answer to the same message
    num_tokens = models.PositiveIntegerField()  # the most it may have, until the run is over: then what it had
    blocked_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = (
            models.Index(fields=("user", "at"), name="visitor_use_of_person"),
            models.Index(fields=("preview", "at"), name="visitor_use_of_preview"),
            models.Index(fields=("at",), condition=Q(settled_at=None), name="visitor_use_unsettled"),
        )

    def __str__(self) -> str:
        return f"{self.num_tokens} tokens"


class VisitorPrompt(models.Model):
    """That a prompt of the pool is a visitor's turn, taken in under their consent, and of which dialogue."""

    prompt = models.OneToOneField(Prompt, on_delete=models.CASCADE, related_name="visitors")
    dialogue = models.ForeignKey(Dialogue, on_delete=models.PROTECT, related_name="prompts_made")
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"prompt {self.prompt_id} of a visitor"


class Erasure(models.Model):
    """Words that a visitor had deleted for good: which records of which frozen exports held them, by their ids."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="erasures")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    is_whole = models.BooleanField()  # the account with it; else single dialogues
    num_dialogues = models.PositiveIntegerField(default=0)
    # The keys of records that exports may hold, by kind of export (labeling.exports.lookup.key_of).
    record_keys = models.JSONField(default=dict)
    stream_keys = models.JSONField(default=list)  # of the broker; a worker may write once more before it hears
    finished_at = models.DateTimeField(null=True, blank=True)  # when nothing of it can come back any more
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-at",)

    def __str__(self) -> str:
        return f"erasure of {self.num_dialogues} dialogues"
