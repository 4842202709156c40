"""Feedback contests: a challenge with its rules, what is entered, who judges it, their marks, and what was published.

The state of a challenge is its dates and the moment of its decision; no column could disagree with them. An entrant is
a person of any role; a juror is a person named for one challenge, and no role.
"""

import uuid
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from labeling.models.audit import Report
from labeling.models.people import User
from labeling.models.projects import Project

HIGHEST_MARK = 4
NOVELTY = "novelty"  # the criterion by which equal means are ordered


def default_criteria() -> list[dict[str, Any]]:
    """Those of the ChatGPT feedback contest of 2022, in thirds."""
    return [
        {"key": "risk", "name": "Real-world risk", "weight": 1},
        {"key": NOVELTY, "name": "Novelty", "weight": 1},
        {"key": "form", "name": "Use of the free form", "weight": 1},
    ]


class Challenge(models.Model):
    """Open from `opens_at` on and before `closes_at`; nothing is sent, changed or withdrawn from that moment on."""

    class State(models.TextChoices):
        PLANNED = "planned", _("Opens soon")
        OPEN = "open", _("Open")
        MARKING = "marking", _("Being judged")
        OBJECTIONS = "objections", _("Results, open to objections")
        SETTLED = "settled", _("Settled")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="challenges")
    slug = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120)
    opens_at = models.DateTimeField()
    closes_at = models.DateTimeField()
    objections_until = models.DateTimeField(null=True, blank=True)  # set when the results are published
    criteria = models.JSONField(default=default_criteria)  # key, name and weight of each
    prizes = models.TextField(blank=True)
    num_prizes = models.PositiveSmallIntegerField(default=20)
    most_entries = models.PositiveSmallIntegerField(default=5)  # that one person may have in it
    seed = models.BigIntegerField()  # of every lot; a hash of the names of the project and the challenge
    drawn_at = models.DateTimeField(null=True, blank=True)  # when jurors were first drawn
    furthered_at = models.DateTimeField(null=True, blank=True)  # when further ones were, once and for all
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    words = models.TextField(blank=True)  # of the jury, with the results
    agreement = models.JSONField(default=dict, blank=True)  # alpha with its interval, as it was published
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-closes_at", "id")
        constraints = (
            models.CheckConstraint(condition=Q(closes_at__gt=F("opens_at")), name="challenge_closes_after_it_opens"),
        )

    def __str__(self) -> str:
        return self.title

    def state_at(self, at: datetime) -> "Challenge.State":
        if self.decided_at is not None:
            late = self.objections_until is not None and at >= self.objections_until
            return self.State.SETTLED if late else self.State.OBJECTIONS
        if at < self.opens_at:
            return self.State.PLANNED
        return self.State.OPEN if at < self.closes_at else self.State.MARKING

    @property
    def state(self) -> "Challenge.State":
        return self.state_at(timezone.now())

    @property
    def is_decided(self) -> bool:
        return self.decided_at is not None

    @property
    def rules(self) -> "ChallengeRules | None":
        return self.rules_versions.order_by("-version").first()

    @property
    def weights(self) -> dict[str, float]:
        return {one["key"]: one["weight"] for one in self.criteria}


class ChallengeRules(models.Model):
    """One version of the rules; never changed. An entry names the one that its author accepted."""

    challenge = models.ForeignKey(Challenge, on_delete=models.CASCADE, related_name="rules_versions")
    version = models.PositiveIntegerField()
    text = models.TextField()
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("challenge", "version"), name="challenge_rules_version"),)
        verbose_name_plural = "challenge rules"

    def __str__(self) -> str:
        return f"rules {self.version} of {self.challenge_id}"


class EntryQuerySet(models.QuerySet["Entry"]):
    def sent(self) -> "EntryQuerySet":
        return self.filter(state=Entry.State.SENT)

    def judged(self) -> "EntryQuerySet":
        """Those that jurors mark: sent, and nobody's duplicate."""
        return self.sent().filter(duplicate_of=None)


class Entry(models.Model):
    """What one person sends in: reports of their own, and their words on them."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        SENT = "sent", _("Sent")
        WITHDRAWN = "withdrawn", _("Withdrawn")
        DISQUALIFIED = "disqualified", _("Disqualified")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    challenge = models.ForeignKey(Challenge, on_delete=models.CASCADE, related_name="entries")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="entries")
    reports = models.ManyToManyField(Report, related_name="entries", blank=True)
    title = models.CharField(max_length=120, blank=True)
    text = models.TextField(blank=True)
    rules = models.ForeignKey(ChallengeRules, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    is_adult = models.BooleanField(default=False)  # as its author declared
    shows_name = models.BooleanField(default=False)  # with the results, if it wins or is credited
    state = models.CharField(max_length=16, choices=State.choices, default=State.DRAFT)
    reason = models.TextField(blank=True)  # why it was disqualified
    duplicate_of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="duplicates"
    )
    duplicate_why = models.TextField(blank=True)
    released_at = models.DateTimeField(null=True, blank=True)  # from then on anyone may read its words
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)  # when the words in force were sent

    objects = EntryQuerySet.as_manager()

    class Meta:
        ordering = ("created_at", "id")
        verbose_name_plural = "entries"
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=("draft", "withdrawn"))
                | Q(sent_at__isnull=False, is_adult=True, rules__isnull=False),
                name="entry_sent_by_an_adult_under_rules",
            ),
        )

    def __str__(self) -> str:
        return self.title or f"entry {self.id}"

    @property
    def project_id(self) -> uuid.UUID:
        """Whose audit events name it."""
        return self.challenge.project_id


class Juror(models.Model):
    challenge = models.ForeignKey(Challenge, on_delete=models.CASCADE, related_name="jurors")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="juries")
    added_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField(auto_now_add=True)
    excused_at = models.DateTimeField(null=True, blank=True)  # from then on they are given nothing; their marks stay

    class Meta:
        constraints = (models.UniqueConstraint(fields=("challenge", "user"), name="juror_once"),)

    def __str__(self) -> str:
        return f"{self.user_id} judges {self.challenge_id}"


class DrawnJuror(models.Model):
    """A juror drawn by lot for an entry."""

    class Cause(models.TextChoices):
        FIRST = "first", _("first")
        FURTHER = "further", _("further")  # marks spread, or the entry is near the last prize

    entry = models.ForeignKey(Entry, on_delete=models.CASCADE, related_name="drawn")
    juror = models.ForeignKey(Juror, on_delete=models.CASCADE, related_name="drawn")
    cause = models.CharField(max_length=16, choices=Cause.choices, default=Cause.FIRST)
    drawn_at = models.DateTimeField(auto_now_add=True)
    marked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("entry", "juror"), name="juror_drawn_once"),)

    def __str__(self) -> str:
        return f"{self.juror_id} for {self.entry_id}"


class Mark(models.Model):
    """What a juror gives an entry by one criterion, with the reason."""

    entry = models.ForeignKey(Entry, on_delete=models.CASCADE, related_name="marks")
    juror = models.ForeignKey(Juror, on_delete=models.CASCADE, related_name="marks")
    criterion = models.CharField(max_length=20)  # its key
    value = models.PositiveSmallIntegerField()
    why = models.TextField()
    given_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("entry", "juror", "criterion"), name="mark_once"),
            models.CheckConstraint(condition=Q(value__lte=HIGHEST_MARK), name="mark_at_most_four"),
        )

    def __str__(self) -> str:
        return f"{self.criterion}: {self.value}"


class Conflict(models.Model):
    """Why a juror may not judge an entry."""

    class CameBy(models.TextChoices):
        DECLARED = "declared", _("declared")
        DETECTED = "detected", _("detected")

    entry = models.ForeignKey(Entry, on_delete=models.CASCADE, related_name="conflicts")
    juror = models.ForeignKey(Juror, on_delete=models.CASCADE, related_name="conflicts")
    came_by = models.CharField(max_length=16, choices=CameBy.choices)
    why = models.TextField()
    noted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("entry", "juror"), name="conflict_once"),)

    def __str__(self) -> str:
        return f"{self.juror_id} not for {self.entry_id}"


class Result(models.Model):
    """The place of one entry, frozen when it was published. It outlives the entry, which its author may have erased."""

    challenge = models.ForeignKey(Challenge, on_delete=models.CASCADE, related_name="results")
    entry = models.OneToOneField(Entry, null=True, on_delete=models.SET_NULL, related_name="result")
    place = models.PositiveIntegerField()
    is_winner = models.BooleanField()
    mean = models.FloatField()  # of the scaled totals
    points = models.FloatField()  # the mean of the unscaled ones, 0 to 4
    novelty = models.FloatField()  # the mean of the scaled marks for novelty
    num_jurors = models.PositiveSmallIntegerField()
    by_lot = models.BooleanField(default=False)  # mean and novelty were equal to a neighbour's
    words = models.TextField(blank=True)  # of the jury on this entry: why it wins

    class Meta:
        ordering = ("place",)
        constraints = (models.UniqueConstraint(fields=("challenge", "place"), name="result_place"),)

    def __str__(self) -> str:
        return f"place {self.place}"


class Objection(models.Model):
    """An entrant's objection to published results, with the answer to it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    challenge = models.ForeignKey(Challenge, on_delete=models.CASCADE, related_name="objections")
    entry = models.ForeignKey(Entry, null=True, blank=True, on_delete=models.CASCADE, related_name="objections")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    reply = models.TextField(blank=True)
    decided_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("created_at", "id")

    def __str__(self) -> str:
        return f"objection {self.id}"

    @property
    def project_id(self) -> uuid.UUID:
        """Whose audit events name it."""
        return self.challenge.project_id
