"""A policy's answers to a sealed set, and what people say of each answer by itself."""

import uuid
from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from labeling.models.completions import SamplingRun
from labeling.models.limits.probe_sets import ProbeSetVersion, ProbeText
from labeling.models.people import User
from labeling.models.projects import GuidelineVersion, Project
from labeling.models.registry import Policy


class ProbeRun(models.Model):
    """One policy's answers to one version of a set, in one project. Asked for again, it is the same run."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="probe_runs")
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="probe_runs")
    set_version = models.ForeignKey(ProbeSetVersion, on_delete=models.PROTECT, related_name="runs")
    sampling = models.JSONField()  # records.SamplingParams but for the seed; runs that differ in it are not compared
    requested_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("project", "policy", "set_version"), name="probe_run_once"),)

    def __str__(self) -> str:
        return f"{self.policy_id} on {self.set_version_id}"


class ProbeAnswer(models.Model):
    """One answer to one text, whose words are those of its sampling run's completion.

    The id is drawn at random, so that the order of ids is an order by lot, in which old and new policies are mixed.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"  # to be sampled
        READY = "ready", "Ready"  # there is an answer, to be labelled where its set asks for labels
        SAME = "same", "Same"  # letter for letter as `same_as`, whose labels are its own
        FILTERED = "filtered", "Filtered"  # the content filter blocked it: neither a refusal nor an answer
        FAILED = "failed", "Failed"  # sampling failed for good, or a person stopped it

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(ProbeRun, on_delete=models.CASCADE, related_name="answers")
    text = models.ForeignKey(ProbeText, on_delete=models.PROTECT, related_name="answers")
    number = models.PositiveSmallIntegerField(default=0)  # of the seed, from 0
    sampling_run = models.OneToOneField(SamplingRun, on_delete=models.CASCADE, related_name="probe_answer")
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    content_sha256 = models.CharField(max_length=64, blank=True)
    same_as = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="copies")
    labels_wanted = models.PositiveSmallIntegerField(default=2)  # 0 where words are counted; 3 or 4 where people differ
    verdict = models.CharField(max_length=16, blank=True)  # what its labels come to; empty until they do

    class Meta:
        constraints = (models.UniqueConstraint(fields=("run", "text", "number"), name="probe_answer_once"),)
        indexes = (
            models.Index(fields=("text", "content_sha256"), condition=Q(state="ready"), name="probe_answer_alike"),
            models.Index(fields=("run", "state"), name="probe_answer_states"),
        )

    def __str__(self) -> str:
        return f"answer {self.number} to {self.text_id}"

    @property
    def project_id(self) -> uuid.UUID:
        """Whose audit events name it."""
        return self.run.project_id

    @property
    def content(self) -> str:
        """The answer's words; empty where nothing was sampled."""
        found = self.sampling_run.completions.first()
        return found.content if found else ""


class ProbeLabelQuerySet(models.QuerySet["ProbeLabel"]):
    def in_force(self) -> Self:
        """Given and not taken back."""
        return self.exclude(value="").filter(withdrawn_at=None)

    def claims(self) -> Self:
        """Places that somebody holds now, without having said anything yet."""
        return self.filter(value="", withdrawn_at=None, expires_at__gt=Now())


class ProbeLabel(models.Model):
    """What one person says of one answer, or the place that they hold to say it until `expires_at`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    answer = models.ForeignKey(ProbeAnswer, on_delete=models.CASCADE, related_name="labels")
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="probe_labels")
    value = models.CharField(max_length=16, blank=True)
    guideline_version = models.ForeignKey(
        GuidelineVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    expires_at = models.DateTimeField()
    claimed_at = models.DateTimeField(auto_now_add=True)
    labelled_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    objects = ProbeLabelQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("answer", "by"), name="probe_label_once_a_person"),)
        indexes = (models.Index(fields=("by", "-labelled_at"), name="probe_label_newest"),)

    def __str__(self) -> str:
        return self.value or "claimed"

    @property
    def project_id(self) -> uuid.UUID:
        """Whose audit events name it."""
        return self.answer.run.project_id
