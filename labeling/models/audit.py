"""The audit log, and people's reports on outputs.

An audit event is written in the transaction of the change that it records, and never altered.
"""

import uuid

from django.db import models
from django.db.models import Q, Value

from labeling.models.completions import Completion
from labeling.models.dialogues import Message
from labeling.models.people import User
from labeling.models.projects import Project


class AuditEvent(models.Model):
    """One change to one row. `by` is None if Parley itself made it."""

    at = models.DateTimeField(auto_now_add=True)
    by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    verb = models.CharField(max_length=60)
    subject_type = models.CharField(max_length=60)
    subject_id = models.CharField(max_length=60)
    detail = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ("-at", "-id")
        indexes = (models.Index(fields=("subject_type", "subject_id", "at"), name="audit_by_subject"),)

    def __str__(self) -> str:
        return f"{self.verb} {self.subject_type} {self.subject_id}"

    @classmethod
    def note(cls, verb: str, subject: models.Model, *, by: User | None, **detail: object) -> "AuditEvent":
        """Write one event in the caller's transaction."""
        project_id = subject.pk if isinstance(subject, Project) else getattr(subject, "project_id", None)
        return cls.objects.create(
            by=by,
            project_id=project_id,
            verb=verb,
            subject_type=subject._meta.model_name or "",
            subject_id=str(subject.pk),
            detail=detail,
        )


class Report(models.Model):
    """A person's report on an output, for people to read. It changes no ranking and no model."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        HANDLED = "handled", "Handled"

    class Kind(models.TextChoices):
        HARMFUL = "harmful", "Harmful"
        FALSE = "false", "False"
        BIASED = "biased", "Biased"
        REFUSED = "refused wrongly", "Refused wrongly"
        OTHER = "other", "Something else"
        BLOCKED = "blocked wrongly", "The filter blocked it wrongly"
        LET_THROUGH = "let through", "The filter let it through"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="reports")
    completion = models.ForeignKey(Completion, null=True, blank=True, on_delete=models.SET_NULL, related_name="reports")
    message = models.ForeignKey(Message, null=True, blank=True, on_delete=models.SET_NULL, related_name="reports")
    reporter = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    content = models.TextField()  # the output as it stood
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.OTHER, db_default="other")
    screening = models.ForeignKey(  # where it is about what the filter did
        "labeling.Screening", null=True, blank=True, on_delete=models.SET_NULL, related_name="reports", db_index=False
    )
    reason = models.CharField(max_length=60, blank=True)  # of reports made before they had kinds
    note = models.TextField(blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField(auto_now_add=True)
    # What it is triaged as part of, with reports of nearly the same text; `text_sha256` is of the text that is alike.
    case = models.ForeignKey("labeling.Case", null=True, blank=True, on_delete=models.SET_NULL, related_name="reports")
    text_sha256 = models.CharField(max_length=64, blank=True, db_default="")
    messages = models.JSONField(default=list, blank=True, db_default=Value([], models.JSONField()))  # what it answered
    num_shown = models.PositiveIntegerField(default=1, db_default=1)  # how often the output was shown to somebody
    may_train = models.BooleanField(default=True, db_default=True)  # False: nothing to learn from is made of it

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("reporter", "message"), condition=~Q(message=None), name="report_once_per_message"
            ),
        )
        indexes = (
            models.Index(fields=("screening",), condition=~Q(screening=None), name="report_of_screening"),
            models.Index(fields=("reporter", "-created_at", "-id"), name="report_by_reporter"),
            models.Index(fields=("project", "text_sha256"), condition=Q(state="open"), name="report_of_same_text"),
            models.Index(fields=("project", "-created_at", "-id"), name="report_newest"),
        )

    def __str__(self) -> str:
        return f"report: {self.kind}"
