"""Texts that were drawn to be labelled, and what people said of each: the truth that a filter is held against."""

import uuid
from collections import Counter
from typing import Self

from django.db import models
from django.db.models import Q

from labeling.models.people import User
from labeling.models.projects import GuidelineVersion, Project
from labeling.models.safety.categories import CATEGORIES
from labeling.models.safety.filters import Screening

PARENTS = {"S3": "S", "H2": "H", "V2": "V"}  # whatever is in the first is in the second
YES, NO, UNSURE = ANSWERS = ("yes", "no", "unsure")
_VOTES = {YES: 1, NO: -1}


class DrawnTextQuerySet(models.QuerySet["DrawnText"]):
    def by_lot(self) -> Self:
        """Texts whose probability of being drawn is known; of others nothing can be said about all texts."""
        return self.filter(inclusion__isnull=False)

    def unsettled(self) -> Self:
        return self.filter(num_labels__lt=models.F("labels_wanted"))

    def to_train_on(self) -> Self:
        """Settled texts, without those that an appeal alone brought in: who appeals chooses what is learnt."""
        return self.filter(num_labels__gte=models.F("labels_wanted")).exclude(came_by=DrawnText.CameBy.APPEAL)


class DrawnText(models.Model):
    """One screened text that people are to label, and how it came to be drawn. It goes with its screening."""

    class CameBy(models.TextChoices):  # the more random first: a text that is drawn again keeps the first of its ways
        RANDOM = "random", "Drawn from all"
        NEAR = "near", "Near a threshold"
        DISAGREEMENT = "disagreement", "Two filters disagree"
        REPORT = "report", "A person pointed at it"
        APPEAL = "appeal", "Appealed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="drawn_texts")
    screening = models.OneToOneField(Screening, on_delete=models.CASCADE, related_name="drawn")
    text_sha256 = models.CharField(max_length=64)  # of the whole text, what was withheld included
    came_by = models.CharField(max_length=16, choices=CameBy.choices)
    # The probability with which it was drawn from its frame, by any of the lots; None where no lot drew it.
    inclusion = models.FloatField(null=True, blank=True)
    frame_until = models.DateTimeField(null=True, blank=True)  # texts screened up to then, after the frame before
    labels_wanted = models.PositiveSmallIntegerField(default=2)
    num_labels = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DrawnTextQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(inclusion=None) | (Q(inclusion__gt=0) & Q(inclusion__lte=1)), name="drawn_text_inclusion"
            ),
            models.CheckConstraint(
                condition=Q(inclusion__isnull=False) | ~Q(came_by__in=("random", "near")),
                name="drawn_text_by_lot_has_inclusion",
            ),
        )
        indexes = (
            models.Index(fields=("project", "came_by"), name="drawn_text_by_way"),
            models.Index(fields=("project", "-frame_until"), name="drawn_text_newest_frame"),
        )

    def __str__(self) -> str:
        return f"text drawn: {self.get_came_by_display()}"

    def consensus(self) -> dict[str, bool]:
        """What most say, by category; one that nobody judged, or on which as many say yes as no, is unknown."""
        votes: Counter[str] = Counter()
        for label in self.labels.all():
            votes.update({name: _VOTES[answer] for name, answer in label.answers.items() if answer in _VOTES})
        return {name: votes[name] > 0 for name in CATEGORIES if votes[name]}


class Label(models.Model):
    """One person's judgement of one drawn text: yes, no or unsure for each category that they judged."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="labels")
    drawn = models.ForeignKey(DrawnText, on_delete=models.CASCADE, related_name="labels")
    answers = models.JSONField()  # {category: "yes" | "no" | "unsure"}
    by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    by_decision = models.BooleanField(default=False)  # left by deciding an appeal, of one category alone
    guideline_version = models.ForeignKey(
        GuidelineVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("created_at", "id")
        constraints = (models.UniqueConstraint(fields=("drawn", "by"), name="label_once_a_person"),)
        indexes = (models.Index(fields=("project", "-created_at", "-id"), name="label_newest"),)

    def __str__(self) -> str:
        return ", ".join(name for name, answer in self.answers.items() if answer == YES) or "none"
