"""Reference rankings of practice and gold comparisons, and the rankings that people make in practice.

A practice comparison is shown to newcomers, with its explanation right afterwards; a gold comparison looks
like any other in the queue and measures agreement. Neither is exported or counted as work.
"""

import uuid

from django.db import models

from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.rankings import Comparison


class ReferenceQuerySet(models.QuerySet["Reference"]):
    def of(self, project: Project) -> "ReferenceQuerySet":
        """A project's practice and gold items, retired ones included, newest first."""
        rows = self.filter(comparison__project=project).select_related("comparison", "made_by")
        return rows.order_by("-created_at")


class Reference(models.Model):
    """The reference ranking of a practice or gold comparison; `tiers` and `unacceptable_from` as in Ranking."""

    comparison = models.OneToOneField(Comparison, on_delete=models.CASCADE, related_name="reference", primary_key=True)
    tiers = models.JSONField()
    unacceptable_from = models.PositiveSmallIntegerField(null=True, blank=True)
    lesson = models.CharField(max_length=120, blank=True)  # what it teaches, in a few words
    explanation = models.TextField(blank=True)  # Markdown
    remarks = models.JSONField(default=dict, blank=True)  # completion id → a sentence on it, Markdown
    made_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ReferenceQuerySet.as_manager()

    def __str__(self) -> str:
        return self.lesson or f"reference of {self.comparison_id}"

    @property
    def question(self) -> str:
        return self.comparison.question

    @property
    def is_retired(self) -> bool:
        return self.comparison.state == Comparison.State.WITHDRAWN


class PracticeRanking(models.Model):
    """One trainer's order over a practice comparison, once per time they practised. Kept apart from Ranking."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="practice_rankings")
    trainer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="practice_rankings")
    submission_key = models.UUIDField(unique=True)  # the same submission twice is one
    tiers = models.JSONField()
    unacceptable_from = models.PositiveSmallIntegerField(null=True, blank=True)
    shown_order = models.JSONField()
    seconds = models.FloatField(default=0.0)
    ranked_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = (models.Index(fields=("trainer", "comparison", "-ranked_at"), name="practice_by_trainer"),)

    def __str__(self) -> str:
        return f"practice of {self.trainer} on {self.comparison_id}"
