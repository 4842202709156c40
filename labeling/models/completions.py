"""Requests for completions, and the completions. A SamplingRun is work with a lease and a fencing token."""

import uuid

from django.db import models
from django.db.models import Q

from labeling.models.dialogues import Dialogue, Message
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.registry import Policy


class SamplingRun(models.Model):
    """One request for n completions of one prompt. The row is the truth; the Celery message is only a hint."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"  # not sent yet: the window of sent runs is full, or an attempt was lost
        SENT = "sent", "Sent"  # a message is in the queue; the lease runs
        RUNNING = "running", "Running"  # a worker has reported that it began
        DONE = "done", "Done"  # its completions are rows
        FAILED = "failed", "Failed"  # attempts used up, or an error that another attempt would repeat
        CANCELLED = "cancelled", "Cancelled"  # a person stopped it
        BLOCKED = "blocked", "Blocked"  # the content filter blocked what was said; nothing was sampled

    class Purpose(models.TextChoices):
        SUGGESTION = "suggestion", "Suggestion"  # someone is waiting
        CHAT = "chat", "Chat"  # someone is watching
        COMPARISON = "comparison", "Comparison"  # overnight
        EVALUATION = "evaluation", "Evaluation"  # overnight
        PROBE = "probe", "Probe"  # overnight

    MAX_ATTEMPTS = 3  # attempts that a worker began; a lost message does not count

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="sampling_runs")
    purpose = models.CharField(max_length=16, choices=Purpose.choices)
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    attempt = models.PositiveIntegerField(default=0)  # the fencing token: a result of another attempt is dropped
    num_failures = models.PositiveSmallIntegerField(default=0)  # attempts that began and failed
    lease_until = models.DateTimeField(null=True, blank=True)
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="sampling_runs")
    messages = models.JSONField()  # the prompt, copied when the run was requested
    as_role = models.CharField(max_length=16, choices=Message.Role.choices, default=Message.Role.ASSISTANT)
    num_completions = models.PositiveSmallIntegerField()
    sampling = models.JSONField()  # records.SamplingParams
    streams = models.BooleanField(default=False)  # whether text is also written to a Redis stream
    requested_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    dialogue = models.ForeignKey(
        Dialogue, null=True, blank=True, on_delete=models.CASCADE, related_name="sampling_runs"
    )
    position = models.PositiveIntegerField(null=True, blank=True)  # of the completion, as a message of the dialogue
    replaces = models.ForeignKey(  # the message that its completion replaces, where an answer is regenerated
        Message, null=True, blank=True, on_delete=models.SET_NULL, related_name="regenerations", db_index=False
    )
    comparison = models.ForeignKey(
        "labeling.Comparison", null=True, blank=True, on_delete=models.CASCADE, related_name="sampling_runs"
    )
    # Of the project's filter rules: the version by which the newest attempt is screened; None before the first.
    rules_version = models.PositiveIntegerField(null=True, blank=True)
    error = models.TextField(blank=True)
    seconds = models.FloatField(null=True, blank=True)
    device = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = (
            models.Index(
                fields=("lease_until",), condition=Q(state__in=("sent", "running")), name="sampling_run_leases"
            ),
            models.Index(fields=("created_at", "id"), condition=Q(state="waiting"), name="sampling_run_waiting"),
            models.Index(
                fields=("project", "-finished_at"),
                condition=Q(purpose="comparison", state="done"),
                name="sampling_run_finished",
            ),
            models.Index(fields=("replaces",), condition=~Q(replaces=None), name="sampling_run_replaces"),
        )

    def __str__(self) -> str:
        return f"{self.purpose} run {self.id}"

    @property
    def is_visitors(self) -> bool:
        """Whether a preview's visitor waits for it: then it goes behind those who work here."""
        return self.requested_by is not None and self.requested_by.is_visitor


class Completion(models.Model):
    """One candidate answer. It belongs to at most one comparison; a suggestion belongs to none."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(SamplingRun, null=True, blank=True, on_delete=models.CASCADE, related_name="completions")
    comparison = models.ForeignKey(
        "labeling.Comparison", null=True, blank=True, on_delete=models.CASCADE, related_name="completions"
    )
    index = models.PositiveSmallIntegerField(default=0)  # within its run or its comparison
    content = models.TextField()
    policy = models.ForeignKey(Policy, null=True, blank=True, on_delete=models.PROTECT, related_name="completions")
    outside_policy = models.CharField(max_length=100, blank=True)  # the name of a model that is not in our registry
    author = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    message = models.ForeignKey(Message, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    copied_from = models.ForeignKey(  # the same text in an earlier comparison of the family
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="copies", db_index=False
    )
    sampling = models.JSONField(null=True, blank=True)
    finish_reason = models.CharField(max_length=16, blank=True)
    num_tokens = models.PositiveIntegerField(null=True, blank=True)
    logprob = models.FloatField(null=True, blank=True)  # of the whole completion, nats
    # The index of an earlier completion of the run with nearly the same meaning. Never shown to those who rank.
    resembles = models.PositiveSmallIntegerField(null=True, blank=True)
    similarity = models.FloatField(null=True, blank=True)  # to that one: a cosine, 1 for the same text
    taken_at = models.DateTimeField(null=True, blank=True)  # when it became a message of a dialogue
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("comparison", "run", "index")
        constraints = (
            models.UniqueConstraint(fields=("run", "index"), condition=~Q(run=None), name="completion_once_per_run"),
        )
        indexes = (models.Index(fields=("copied_from",), condition=~Q(copied_from=None), name="completion_copies"),)

    def __str__(self) -> str:
        return self.content[:60]
