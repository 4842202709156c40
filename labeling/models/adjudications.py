"""Adjudications: a reviewer's order over a comparison whose rankings differ, with the reason why they do.

An adjudication is no ranking: it takes no place in its comparison and never counts into people's agreement. It is given
blind, so who has seen the others' orders (`SeenOrders`), or has ranked the comparison, is not given it.
"""

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from labeling.models.people import User
from labeling.models.projects import GuidelineVersion, Project
from labeling.models.rankings import Comparison, Lease


class AdjudicationQuerySet(models.QuerySet["Adjudication"]):
    def of(self, project: Project) -> "AdjudicationQuerySet":
        return self.filter(comparison__project=project)

    def in_force(self) -> "AdjudicationQuerySet":
        """Those that are exported: decided, not withdrawn, and of a comparison that was not taken out."""
        counting = self.filter(state=Adjudication.State.DONE, comparison__use=Comparison.Use.WORK)
        return counting.exclude(comparison__state=Comparison.State.WITHDRAWN)

    def that_want_a_revision(self, project: Project) -> "AdjudicationQuerySet":
        """Those that found the guidelines unclear since the newest version was published."""
        newest = project.guidelines
        asking = self.of(project).in_force().filter(wants_revision=True).select_related("comparison", "reviewer")
        return (asking.filter(decided_at__gt=newest.created_at) if newest else asking).order_by("-decided_at")

    def that_may_be_taken(self) -> "AdjudicationQuerySet":
        """Those that wait, and that no reviewer holds now."""
        waiting = self.filter(state=Adjudication.State.WAITING, comparison__state__in=Comparison.COMPLETE)
        return waiting.filter(Q(reviewer=None) | Q(expires_at=None) | Q(expires_at__lte=Now()))


class Adjudication(models.Model):
    """`tiers` and `unacceptable_from` mean what they mean in Ranking; there is no abstention."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"  # for a reviewer, or in the hands of one until expires_at
        ORDERED = "ordered", "Ordered"  # the order is given, blind; the reason is still to come
        DONE = "done", "Done"  # decided; it counts
        WITHDRAWN = "withdrawn", "Withdrawn"  # taken back by who gave it, or called off by an admin

    class Reason(models.TextChoices):
        MISTAKE = "mistake", _("a mistake")
        TASTE = "taste", _("taste")
        GUIDELINE = "unclear guideline", _("unclear guideline")
        PROMPT = "unclear prompt", _("unclear prompt")
        BOTH_FINE = "both fine", _("both fine")

    LIVE = (State.WAITING, State.ORDERED, State.DONE)  # of these a comparison has one at most
    GIVEN = (State.ORDERED, State.DONE)  # states in which there is an order

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="adjudications")
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    sent_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    below = models.PositiveSmallIntegerField(null=True, blank=True)  # the project's rule that sent it, percent
    sent_at = models.DateTimeField(auto_now_add=True)
    # Who holds it, or gave it; None while nobody does, and where it was imported.
    reviewer = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="adjudications", db_index=False
    )
    expires_at = models.DateTimeField(null=True, blank=True)  # until then nobody else is given it
    passed = models.JSONField(default=list, blank=True)  # ids of the reviewers who gave it back; not theirs any more
    shown_order = models.JSONField(default=list)  # completion ids in the order that the reviewer sees, drawn once
    draft = models.JSONField(default=dict, blank=True)  # the autosaved board
    draft_version = models.PositiveIntegerField(default=0)
    submission_key = models.UUIDField(unique=True, null=True, blank=True)  # the same order sent twice is one
    tiers = models.JSONField(default=list)
    unacceptable_from = models.PositiveSmallIntegerField(null=True, blank=True)
    guideline_version = models.ForeignKey(
        GuidelineVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    seconds = models.FloatField(null=True, blank=True)
    layout = models.CharField(max_length=16, blank=True)
    ordered_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=20, choices=Reason.choices, blank=True)  # why the rankings differ
    words = models.TextField(blank=True)  # of the reviewer, as typed
    wants_revision = models.BooleanField(default=False)  # the guidelines are to say it more clearly
    decided_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    source = models.CharField(max_length=200, blank=True)  # of an imported one, as is the next
    outside_reviewer = models.CharField(max_length=80, blank=True)

    objects = AdjudicationQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("comparison",),
                condition=Q(state__in=("waiting", "ordered", "done")),
                name="adjudication_one_live_per_comparison",
            ),
            models.CheckConstraint(
                condition=~Q(state="done") | (~Q(reason="") & Q(decided_at__isnull=False)),
                name="adjudication_done_has_reason",
            ),
        )
        indexes = (
            models.Index(fields=("sent_at", "id"), condition=Q(state="waiting"), name="adjudication_queue"),
            models.Index(fields=("reviewer", "comparison"), name="adjudication_by_reviewer"),
        )

    def __str__(self) -> str:
        return f"adjudication {self.id}"

    @property
    def project_id(self) -> uuid.UUID:
        """Whose audit events name it."""
        return self.comparison.project_id


class ReturnedRanking(models.Model):
    """A ranking that an adjudication gave back to its trainer, who may change it whatever the time, once."""

    adjudication = models.ForeignKey(Adjudication, on_delete=models.CASCADE, related_name="returned")
    lease = models.ForeignKey(Lease, on_delete=models.CASCADE, related_name="returned")  # that the ranking came from
    words = models.TextField(blank=True)  # for the trainer, as typed
    returned_at = models.DateTimeField(auto_now_add=True)
    answered_at = models.DateTimeField(null=True, blank=True)  # when the trainer changed it, or submitted it again

    class Meta:
        constraints = (models.UniqueConstraint(fields=("adjudication", "lease"), name="returned_once"),)

    def __str__(self) -> str:
        return f"{self.lease_id} returned"


class SeenOrders(models.Model):
    """A person who has seen how others ranked a comparison: they are not given it any more, neither to rank it."""

    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="+")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    seen_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("comparison", "person"), name="seen_orders_once"),)
        verbose_name_plural = "seen orders"

    def __str__(self) -> str:
        return f"{self.person_id} saw {self.comparison_id}"
