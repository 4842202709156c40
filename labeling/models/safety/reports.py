"""What reviewers make of people's reports: cases, which join reports of nearly the same text, and what came of them."""

import uuid

from django.db import models
from django.db.models import Q
from pgvector.django import HalfVectorField

from labeling.models.dialogues import Dialogue, Prompt, PromptVector
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.rankings import Comparison


class CaseQuerySet(models.QuerySet["Case"]):
    def open(self) -> "CaseQuerySet":
        return self.filter(state=Case.State.OPEN)


class Case(models.Model):
    """The reports of one text, or of nearly the same one, which are triaged together and decided on once.

    The figures and `priority` are kept with every change of its reports (labeling.safety.cases), so that a page of the
    queue reads them from an index however many reports there are.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        AGREED = "agreed", "Agreed"  # what its reporters say is so
        NOT_AGREED = "not agreed", "Not agreed"

    class Action(models.TextChoices):  # what is done about a case that was agreed with
        COMPARE = "compare", "Its prompt will be compared"
        DEMONSTRATE = "demonstrate", "A demonstration shows how to answer it"
        PROBE = "probe", "It is kept as a probe"
        FILTER = "filter", "The filter will learn of it"
        GUIDELINES = "guidelines", "The guidelines say more of it"
        NOTED = "noted", "It is noted, and nothing else for now"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="cases")
    state = models.CharField(max_length=16, choices=State.choices, default=State.OPEN)
    priority = models.FloatField(default=0.0)  # severity × reach × weight (labeling.statistics.triage)
    kinds = models.JSONField(default=dict)  # how many of its reports are of each kind
    num_reports = models.PositiveIntegerField(default=0)
    num_reporters = models.PositiveIntegerField(default=0)
    num_shown = models.PositiveIntegerField(default=1)  # how often the output that was shown most was shown
    weight = models.FloatField(default=1.0)  # the mean of its reporters'
    created_at = models.DateTimeField(auto_now_add=True)
    last_reported_at = models.DateTimeField(auto_now_add=True)
    has_vector = models.BooleanField(default=False)
    vector_asked_at = models.DateTimeField(null=True, blank=True)  # last requested; again if none arrives
    action = models.CharField(max_length=16, choices=Action.choices, blank=True)
    why = models.TextField(blank=True)  # the reason of the decision, which its reporters can read
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    objects = CaseQuerySet.as_manager()

    class Meta:
        indexes = (
            models.Index(fields=("project", "-priority", "-id"), condition=Q(state="open"), name="case_triage_queue"),
            models.Index(fields=("project", "-last_reported_at", "-id"), name="case_newest"),
            models.Index(
                fields=("project", "created_at"),
                condition=Q(state="open", has_vector=False),
                name="case_without_vector",
            ),
        )

    def __str__(self) -> str:
        return f"case of {self.num_reports} reports"


class CaseVector(models.Model):
    """The embedding of what a case is about, by which a later one of nearly the same text is joined with it."""

    case = models.OneToOneField(Case, primary_key=True, on_delete=models.CASCADE, related_name="vector")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    vector = HalfVectorField(dimensions=PromptVector.WIDTH)

    def __str__(self) -> str:
        return f"vector of {self.case_id}"


class Probe(models.Model):
    """A prompt kept to look at the limits of policies with, and why: what was answered, and what was wrong with it.

    No policy learns from it: it is in no pool and no export.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="probes")
    messages = models.JSONField()  # [{"role", "content"}], the last one the user's
    answer = models.TextField(blank=True)  # what a policy said, and somebody reported
    kind = models.CharField(max_length=20)  # audit.Report.Kind
    why = models.TextField(blank=True)
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = (models.Index(fields=("project", "-created_at", "-id"), name="probe_newest"),)

    def __str__(self) -> str:
        return str(self.messages[-1]["content"])[:60]


class FollowUp(models.Model):
    """What a reviewer made of a case: a prompt to compare, a demonstration to write, or a probe. One of each."""

    class Kind(models.TextChoices):
        PROMPT = "prompt", "A prompt to compare"
        DEMONSTRATION = "demonstration", "A demonstration to write"
        PROBE = "probe", "A probe, kept for later"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="follow_ups")
    report = models.ForeignKey(  # whose text it was made of
        "labeling.Report", null=True, blank=True, on_delete=models.SET_NULL, related_name="follow_ups"
    )
    kind = models.CharField(max_length=16, choices=Kind.choices)
    prompt = models.ForeignKey(Prompt, null=True, blank=True, on_delete=models.SET_NULL, related_name="follow_ups")
    comparison = models.ForeignKey(
        Comparison, null=True, blank=True, on_delete=models.SET_NULL, related_name="follow_ups"
    )
    dialogue = models.ForeignKey(Dialogue, null=True, blank=True, on_delete=models.SET_NULL, related_name="follow_ups")
    probe = models.ForeignKey(Probe, null=True, blank=True, on_delete=models.CASCADE, related_name="follow_ups")
    by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("case", "kind"), name="follow_up_once_per_kind"),)
        indexes = (
            models.Index(
                fields=("created_at", "id"), condition=Q(kind="prompt", comparison=None), name="follow_up_to_compare"
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.case_id}"
