"""Withdrawals: a person's work taken out as a whole by an admin, which rows went with it, and whether it was undone.

What an author takes back alone leaves an audit event and no row here.
"""

import uuid
from datetime import datetime

from django.db import models
from django.db.models import Q

from labeling.models.people import User
from labeling.models.projects import Project


class WithdrawalQuerySet(models.QuerySet["Withdrawal"]):
    def in_force_for(self, person: User) -> "WithdrawalQuerySet":
        """Those of this person's work that nobody has undone."""
        return self.filter(person=person, undone_at=None)


class Withdrawal(models.Model):
    """What one person, or one name of outside, made in a project until `at`, taken out for a reason.

    It is done in batches, so that nobody waits for long. Whoever finds it unfinished goes on with it.
    """

    class Reason(models.TextChoices):
        FRAUD = "fraud", "Fraud"
        CONSENT = "consent", "Consent withdrawn"
        ERROR = "error", "Error"
        OTHER = "other", "Other"  # then there is a text

    class Kind(models.TextChoices):
        RANKINGS = "rankings", "Rankings"
        DIALOGUES = "dialogues", "Dialogues"  # without better answers; drafts and chats with them
        BETTER = "better", "Better answers"  # written while ranking
        THUMBS = "thumbs", "Thumbs"

    class State(models.TextChoices):
        RUNNING = "running", "Under way"  # rows are being taken out
        DONE = "done", "Done"
        UNDOING = "undoing", "Being undone"  # rows are being put back
        UNDONE = "undone", "Undone"

    UNDER_WAY = (State.RUNNING, State.UNDOING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)  # made by the form; sent twice, one
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="withdrawals")
    person = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    outside_person = models.CharField(max_length=80, blank=True)  # by the name in imported rows, where no account is
    kinds = models.JSONField()  # of Kind
    since = models.DateTimeField(null=True, blank=True)  # None: from the beginning
    reason = models.CharField(max_length=16, choices=Reason.choices)
    text = models.TextField(blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.RUNNING)
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)  # what is made later is not touched
    undone_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_reason = models.TextField(blank=True)

    objects = WithdrawalQuerySet.as_manager()

    class Meta:
        ordering = ("-at",)
        constraints = (
            models.CheckConstraint(
                condition=Q(person=None) ^ Q(outside_person=""), name="withdrawal_of_an_account_or_an_outside_name"
            ),
            models.CheckConstraint(condition=~Q(reason="other") | ~Q(text=""), name="withdrawal_other_has_text"),
        )
        indexes = (models.Index(fields=("project", "-at", "-id"), name="withdrawal_newest"),)

    def __str__(self) -> str:
        return f"withdrawal of {self.whose}"

    @property
    def whose(self) -> str:
        return str(self.person) if self.person else self.outside_person

    @property
    def is_under_way(self) -> bool:
        return self.state in self.UNDER_WAY

    def reaches(self, *, project_id: uuid.UUID | int, kind: str, made_at: datetime) -> bool:
        """Whether it takes out what was made then: its author cannot put it back while this is in force."""
        is_late_enough = self.since is None or made_at >= self.since
        return self.project_id == project_id and kind in self.kinds and is_late_enough and made_at <= self.at


class WithdrawnRow(models.Model):
    """One row that a withdrawal took out, with what is needed to put it back."""

    withdrawal = models.ForeignKey(Withdrawal, on_delete=models.CASCADE, related_name="rows")
    kind = models.CharField(max_length=16, choices=Withdrawal.Kind.choices)
    row_id = models.UUIDField()  # of a Ranking, Dialogue or Thumb
    before = models.JSONField(default=dict, blank=True)  # of a dialogue: {"state", "copies"}
    put_back_at = models.DateTimeField(null=True, blank=True)
    stays_out = models.CharField(max_length=200, blank=True)  # why undoing could not put it back; a short sentence

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("withdrawal", "kind", "row_id"), name="withdrawn_row_once_per_withdrawal"),
        )
        indexes = (models.Index(fields=("row_id",), condition=Q(put_back_at=None), name="withdrawn_row_in_force"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.row_id}"
