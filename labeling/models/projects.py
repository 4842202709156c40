"""Projects with their settings, their guideline versions and their rounds."""

import uuid
from datetime import timedelta

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext as _

from labeling.models.people import User

SHARE = (MinValueValidator(0.0), MaxValueValidator(1.0))


class ProjectQuerySet(models.QuerySet["Project"]):
    def visible_to(self, user: User) -> "ProjectQuerySet":
        """Projects that this person may open: all for an admin, else those they are a member of."""
        if user.is_admin:
            return self
        return self.filter(memberships__user=user)

    def current(self) -> "ProjectQuerySet":
        return self.filter(archived_at=None)


class Project(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    members = models.ManyToManyField(User, through="labeling.Membership", related_name="projects")

    # Comparisons: K completions, each ranked by `rankings_wanted` trainers.
    num_completions = models.PositiveSmallIntegerField(
        default=4, validators=(MinValueValidator(2), MaxValueValidator(9))
    )
    rankings_wanted = models.PositiveSmallIntegerField(
        default=1, validators=(MinValueValidator(1), MaxValueValidator(50))
    )
    comparisons_ready = models.PositiveIntegerField(default=20)  # how many to keep sampled ahead of the trainers
    keeps_original = models.BooleanField(default=False)  # whether a comparison's message is one of the K
    asks_ratings = models.BooleanField(default=False)  # whether an order needs an overall rating of each completion
    asks_strengths = models.BooleanField(default=False, db_default=False)  # and how much better each tier is
    forbids_own_text = models.BooleanField(default=True)
    joins_written = models.BooleanField(default=True)  # whether texts written while ranking are ranked too
    # Whether the prompt of an answer that got a thumb down is compared (labeling.sampling.thumbs_down).
    compares_thumbs_down = models.BooleanField(default=False, db_default=False)
    practice_required = models.BooleanField(default=False)  # whether newcomers must practise before they rank
    gold_every = models.PositiveSmallIntegerField(default=0)  # one in this many comparisons is a gold item; 0: none
    lease_minutes = models.PositiveSmallIntegerField(default=30, validators=(MinValueValidator(1),))
    grace_minutes = models.PositiveSmallIntegerField(default=10)  # how long a submission of a dialogue can be undone
    # Blind review: whether reviewers learn who wrote a dialogue only after they have decided on it.
    hides_authors = models.BooleanField(default=False, db_default=False)
    minutes_to_change = models.PositiveSmallIntegerField(default=30, db_default=30)  # a submitted ranking; 0: never
    # Comparisons on which trainers agree less than so, in percent, go to adjudication; None: only those sent by hand.
    adjudicates_below = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=(MinValueValidator(1), MaxValueValidator(100))
    )

    # Sampling.
    policy = models.ForeignKey("labeling.Policy", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    temperature = models.FloatField(default=1.0, validators=(MinValueValidator(0.0), MaxValueValidator(5.0)))
    top_p = models.FloatField(default=1.0, validators=(MinValueValidator(0.01), MaxValueValidator(1.0)))
    max_new_tokens = models.PositiveIntegerField(
        default=256, validators=(MinValueValidator(1), MaxValueValidator(4096))
    )
    num_suggestions = models.PositiveSmallIntegerField(
        default=3, validators=(MinValueValidator(0), MaxValueValidator(6))
    )
    control_share = models.FloatField(default=0.0, validators=SHARE)  # share of dialogues without suggestions
    # Suggestions should help, comparisons should show the policy as it is: they are sampled with different settings.
    suggestion_temperature = models.FloatField(default=0.7, validators=(MinValueValidator(0.0), MaxValueValidator(5.0)))
    suggestion_top_p = models.FloatField(default=1.0, validators=(MinValueValidator(0.01), MaxValueValidator(1.0)))
    suggestion_max_new_tokens = models.PositiveIntegerField(
        default=256, validators=(MinValueValidator(1), MaxValueValidator(4096))
    )

    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(num_completions__gte=2, num_completions__lte=9), name="project_num_completions_2_to_9"
            ),
            models.CheckConstraint(condition=Q(rankings_wanted__gte=1), name="project_rankings_wanted_positive"),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def why_no_new_work(self) -> str:
        """Why no new work is handed out or started here, as a sentence for people; empty if it is."""
        if self.archived_at is None:
            return ""
        return _("This project is archived: nothing new is begun in it. What you have in hand can be finished.")

    @property
    def guidelines(self) -> "GuidelineVersion | None":
        return self.guideline_versions.order_by("-version").first()

    @property
    def lease_span(self) -> timedelta:
        return timedelta(minutes=self.lease_minutes)

    @property
    def grace_span(self) -> timedelta:
        return timedelta(minutes=self.grace_minutes)

    @property
    def span_to_change(self) -> timedelta:
        return timedelta(minutes=self.minutes_to_change)

    @property
    def current_round(self) -> "Round | None":
        return self.rounds.order_by("-number").first()


class GuidelineVersion(models.Model):
    """One version of the instructions. Every dialogue and ranking names the version that it was made under."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="guideline_versions")
    version = models.PositiveIntegerField()
    text = models.TextField()
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("project", "-version")
        constraints = (models.UniqueConstraint(fields=("project", "version"), name="guideline_version_unique"),)

    def __str__(self) -> str:
        return f"{self.project} guidelines v{self.version}"


class Round(models.Model):
    """One trip through the loop: the policy whose completions are ranked. Comparisons and training jobs name theirs."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="rounds")
    number = models.PositiveIntegerField()
    policy = models.ForeignKey("labeling.Policy", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    seed = models.PositiveBigIntegerField(default=0)  # of the random choice of messages for comparisons
    started_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("project", "number")
        constraints = (
            models.UniqueConstraint(fields=("project", "number"), name="round_number_unique"),
            models.UniqueConstraint(
                fields=("project",), condition=Q(closed_at=None), name="round_one_open_per_project"
            ),
            models.CheckConstraint(
                condition=Q(closed_at=None) | Q(closed_at__gte=F("started_at")), name="round_closes_after_start"
            ),
        )

    def __str__(self) -> str:
        return f"{self.project} round {self.number}"


class JudgingFigures(models.Model):
    """How well a project's people judge, as a worker measured it last: it takes seconds, which no page may.

    `figures` is written and read by labeling.quality.judging alone.
    """

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="judging_figures")
    looked_at = models.DateTimeField()  # whether there is anything new; a look counts all rankings, so it is rare
    measured_at = models.DateTimeField(null=True, blank=True)  # None: there was nothing to measure yet
    state = models.CharField(max_length=64, blank=True)  # of the rankings that were measured; another is measured anew
    figures = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "judging figures"

    def __str__(self) -> str:
        return f"how well the people of {self.project} judge"
