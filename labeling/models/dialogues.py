"""Prompts, and dialogues with their messages and the authorship of each."""

import uuid

from django.db import models
from django.db.models import F, Q
from pgvector.django import HalfVectorField

from labeling.models.people import User
from labeling.models.projects import GuidelineVersion, Project
from labeling.models.registry import Policy


class PromptQuerySet(models.QuerySet["Prompt"]):
    def in_use(self) -> "PromptQuerySet":
        """Without retired prompts, which are neither offered to writers, nor sampled, nor exported."""
        return self.filter(retired_at=None)


class Prompt(models.Model):
    """An opening from the pool: messages that end with a user's, to be answered or continued."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="prompts")
    messages = models.JSONField()  # [{"role", "content"}], the last one the user's
    topic = models.CharField(max_length=60, blank=True)
    source = models.CharField(max_length=200, blank=True)
    content_sha256 = models.CharField(max_length=64)
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    has_vector = models.BooleanField(default=False, db_default=False)  # whether it has a PromptVector
    vector_asked_at = models.DateTimeField(null=True, blank=True)  # last requested; again if none arrives
    retired_at = models.DateTimeField(null=True, blank=True)
    retired_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    objects = PromptQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("project", "content_sha256"), name="prompt_content_unique"),)
        indexes = (
            models.Index(fields=("project", "topic", "id"), name="prompt_topic"),
            models.Index(fields=("project", "-created_at", "-id"), name="prompt_newest"),
            models.Index(fields=("project", "created_at"), condition=Q(has_vector=False), name="prompt_without_vector"),
            models.Index(
                fields=("project", "-retired_at"), condition=Q(retired_at__isnull=False), name="prompt_retired"
            ),
        )

    def __str__(self) -> str:
        return str(self.messages[-1]["content"])[:60]


class PromptVector(models.Model):
    """A prompt's embedding (all-MiniLM-L6-v2), and the nearest prompt of the project that was embedded before it."""

    WIDTH = 384  # dimensions of the model's vectors

    prompt = models.OneToOneField(Prompt, primary_key=True, on_delete=models.CASCADE, related_name="vector")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    vector = HalfVectorField(dimensions=WIDTH)
    resembles = models.ForeignKey(Prompt, null=True, blank=True, on_delete=models.SET_NULL, related_name="resembled_by")
    similarity = models.FloatField(null=True, blank=True)  # cosine
    kept_at = models.DateTimeField(null=True, blank=True)  # when somebody looked at the two and decided to keep both
    kept_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        indexes = (
            models.Index(
                fields=("project", "-similarity"),
                condition=Q(resembles__isnull=False, kept_at=None),
                name="prompt_vector_similar",
            ),
        )

    def __str__(self) -> str:
        return f"vector of {self.prompt_id}"


class PassedPrompt(models.Model):
    """A prompt that a trainer passed over with "not my topic".

    It is not offered to them again, and prompts of its topic are offered later.
    """

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="passes")
    trainer = models.ForeignKey(User, on_delete=models.CASCADE, related_name="passed_prompts")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("trainer", "prompt"), name="prompt_passed_once"),)

    def __str__(self) -> str:
        return f"{self.trainer} passed {self.prompt}"


class DialogueQuerySet(models.QuerySet["Dialogue"]):
    def awaiting_review_by(self, reader: User) -> "DialogueQuerySet":
        """Submitted dialogues that this person may review: others' dialogues, for an admin also their own."""
        waiting = self.filter(state=Dialogue.State.SUBMITTED, project__archived_at=None)
        return waiting if reader.is_admin else waiting.exclude(author=reader)

    def oldest_first(self) -> "DialogueQuerySet":
        """In the order of the review queue: by the time of submission."""
        return self.order_by(F("submitted_at").asc(nulls_last=True), "pk")

    def naming_author_to(self, reader: User) -> "DialogueQuerySet":
        """Without those whose author is kept from this person (`hides_author_from`)."""
        if not reader.can_review:
            return self
        decided = Q(reviewed_by=reader, state__in=Dialogue.DECIDED)
        return self.filter(Q(project__hides_authors=False) | Q(author=reader) | decided)


class Dialogue(models.Model):
    class Kind(models.TextChoices):
        DEMONSTRATION = "demonstration", "Demonstration"  # one trainer writes both sides
        CHAT = "chat", "Chat"  # the trainer is the user, a policy answers
        IMPORTED = "imported", "Imported"  # came from a file
        VISITOR = "visitor", "Visitor’s chat"  # of a preview: no page of the project shows it, nothing samples from it

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"  # being written; only its author sees it
        SUBMITTED = "submitted", "Submitted"  # waits for a reviewer
        ACCEPTED = "accepted", "Accepted"  # goes into exports
        RETURNED = "returned", "Returned"  # back to its author with a comment
        WITHDRAWN = "withdrawn", "Withdrawn"  # deleted by its author or an admin; never exported

    DECIDED = (State.ACCEPTED, State.RETURNED)  # states in which a reviewer has put it

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="dialogues")
    author = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="dialogues")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    state = models.CharField(max_length=16, choices=State.choices, default=State.DRAFT)
    version = models.PositiveIntegerField(default=0)  # raised by every saved change; autosave compares it
    prompt = models.ForeignKey(Prompt, null=True, blank=True, on_delete=models.SET_NULL, related_name="dialogues")
    branched_from = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="branches")
    branched_at = models.PositiveIntegerField(null=True, blank=True)  # position of the last message that was copied
    lease = models.ForeignKey(  # under which it was written while ranking (labeling.rankings.corrections)
        "labeling.Lease", null=True, blank=True, on_delete=models.SET_NULL, related_name="written"
    )
    guideline_version = models.ForeignKey(
        GuidelineVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    offers_suggestions = models.BooleanField(default=True)  # False in the control arm
    topic = models.CharField(max_length=60, blank=True)
    source = models.CharField(max_length=200, blank=True)
    content_sha256 = models.CharField(max_length=64, blank=True)  # of an imported dialogue, so that it is imported once
    composer = models.JSONField(default=dict, blank=True)  # text not yet a message: {"role", "content"}
    seconds = models.FloatField(default=0.0)  # time spent writing
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    reviewed_at = models.DateTimeField(null=True, blank=True)
    reviewed_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    review_comment = models.TextField(blank=True)
    # When it was last accepted no more, by an undone acceptance or a return. Exports made before may hold it.
    unaccepted_at = models.DateTimeField(null=True, blank=True)

    objects = DialogueQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("project", "content_sha256"),
                condition=~Q(content_sha256=""),
                name="dialogue_imported_once",
            ),
        )
        indexes = (
            models.Index(fields=("project", "state", "submitted_at"), name="dialogue_review_queue"),
            models.Index(fields=("author", "-updated_at"), name="dialogue_by_author"),
            models.Index(fields=("project", "-created_at", "-id"), name="dialogue_newest"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.id}"

    def hides_author_from(self, reader: User) -> bool:
        """Whether blind review keeps its author's name from this person: from reviewers until they have decided on it.

        An admin reviews too. Who may not review sees no others' dialogues, or accepted ones by pseudonym.
        """
        if not self.project.hides_authors or not reader.can_review or self.author_id == reader.pk:
            return False
        return not (self.reviewed_by_id == reader.pk and self.state in self.DECIDED)


class Message(models.Model):
    class Role(models.TextChoices):
        SYSTEM = "system", "system"
        USER = "user", "user"
        ASSISTANT = "assistant", "assistant"

    class Authorship(models.TextChoices):
        TYPED = "typed", "typed"  # written by a person without a suggestion
        TAKEN = "taken", "taken"  # a suggestion, unchanged
        EDITED = "edited", "edited"  # a suggestion, changed by a person
        POLICY = "policy", "policy"  # sampled from a policy, unchanged; comparisons are made from these only
        IMPORTED = "imported", "imported"  # from a file

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    dialogue = models.ForeignKey(Dialogue, on_delete=models.CASCADE, related_name="messages")
    position = models.PositiveIntegerField()
    role = models.CharField(max_length=16, choices=Role.choices)
    content = models.TextField()
    reasoning = models.TextField(blank=True, db_default="")  # before an imported answer; no part of it
    authorship = models.CharField(max_length=16, choices=Authorship.choices)
    policy = models.ForeignKey(Policy, null=True, blank=True, on_delete=models.PROTECT, related_name="messages")
    completion = models.ForeignKey(
        "labeling.Completion", null=True, blank=True, on_delete=models.SET_NULL, related_name="used_in"
    )
    edit_distance = models.PositiveIntegerField(null=True, blank=True)  # Levenshtein, characters, from the suggestion
    seconds = models.FloatField(default=0.0)
    needs_second_look = models.BooleanField(default=False)  # an earlier message was changed
    # The text before it was regenerated, until the author decides: "content" and the fields of its authorship.
    before = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("dialogue", "position")
        constraints = (
            models.UniqueConstraint(
                fields=("dialogue", "position"),
                name="message_position_unique",
                deferrable=models.Deferrable.DEFERRED,
            ),
        )
        indexes = (
            models.Index(
                fields=("dialogue", "position"),
                condition=Q(role="assistant", authorship="policy"),
                name="message_written_by_policy",
            ),
        )

    def __str__(self) -> str:
        return f"{self.role}: {self.content[:40]}"

    @property
    def plain(self) -> dict[str, str]:
        """Role and content, the form of a message in a sampling run's prompt."""
        return {"role": self.role, "content": self.content}
