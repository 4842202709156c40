"""Comparisons, the leases on them, and the rankings that come back.

`Comparison.open_slots` counts the places that are neither leased nor ranked:
rankings_wanted − open leases − rankings that are not retracted. A check constraint keeps it from falling below zero,
so a comparison that wants N rankings never gets more. Practice and gold comparisons have no places: their open_slots
stays 0, and any number of people may rank them.
"""

import random
import uuid
from datetime import UTC, datetime

from django.db import models
from django.db.models import Exists, F, OuterRef, Q

from labeling.models.dialogues import Dialogue, Message, Prompt
from labeling.models.people import User
from labeling.models.projects import GuidelineVersion, Project, Round

EARLIEST_RANKING = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_RANKING = datetime(2200, 1, 1, tzinfo=UTC)  # no bound on clocks, which labeling.imports.dates has
LONGEST_SECONDS = 365 * 24 * 3600  # that a ranking may have taken; more is a clock gone wrong


def new_queue_key() -> float:
    """A random position in the queue, so that comparisons are handed out in random order."""
    return random.random()


class ComparisonQuerySet(models.QuerySet["Comparison"]):
    def practice_set(self) -> "ComparisonQuerySet":
        """The practice comparisons in use, each with its reference, oldest first."""
        practice = self.filter(use=Comparison.Use.PRACTICE, state=Comparison.State.OPEN, reference__isnull=False)
        return practice.select_related("reference").order_by("created_at", "id")

    def unpractised_by(self, trainer: User) -> "ComparisonQuerySet":
        """Practice comparisons that this person has never ranked."""
        practice = self.filter(use=Comparison.Use.PRACTICE, state=Comparison.State.OPEN)
        return practice.exclude(practice_rankings__trainer=trainer)

    def rankable_by(self, trainer: User) -> "ComparisonQuerySet":
        """Work that wants rankings and was not in this person's hands before; what slipped out of them comes again."""
        seen = Lease.objects.filter(comparison=OuterRef("pk"), trainer=trainer).exclude(state=Lease.State.EXPIRED)
        wanted = self.filter(state=Comparison.State.OPEN, open_slots__gt=0, use=Comparison.Use.WORK)
        own_text = Q(project__forbids_own_text=True, dialogue__author=trainer)
        return wanted.filter(~Exists(seen), project__archived_at=None).exclude(own_text)

    def reference_candidates(self) -> "ComparisonQuerySet":
        """Comparisons that may be given a reference ranking: work whose completions are all there."""
        return self.filter(use=Comparison.Use.WORK, state__in=Comparison.COMPLETE)


class Comparison(models.Model):
    class State(models.TextChoices):
        SAMPLING = "sampling", "Sampling"  # its completions are being sampled
        OPEN = "open", "Open"  # wants rankings
        DONE = "done", "Done"  # has all the rankings it wants
        FAILED = "failed", "Failed"  # sampling failed; its run says why
        WITHDRAWN = "withdrawn", "Withdrawn"  # taken out; never exported

    class Use(models.TextChoices):
        WORK = "work", "Work"  # ranked for training; only these have places and are exported
        PRACTICE = "practice", "Practice"  # its order is known, and explained to newcomers
        GOLD = "gold", "Gold"  # its order is known; it looks like work and measures agreement
        # Two answers that a visitor chooses between: in no queue and no figure, exported only where asked for.
        PREVIEW = "preview", "Preview"
        EVALUATION = "evaluation", "Evaluation"  # one answer each of two policies; decides on them, trains nothing

    WITH_PLACES = (Use.WORK, Use.EVALUATION)  # uses of which only so many rankings are wanted
    COMPLETE = (State.OPEN, State.DONE)  # states in which all its completions are there

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="comparisons")
    round = models.ForeignKey(Round, null=True, blank=True, on_delete=models.PROTECT, related_name="comparisons")
    state = models.CharField(max_length=16, choices=State.choices, default=State.SAMPLING)
    messages = models.JSONField()  # the prompt as the trainer sees it
    prompt_sha256 = models.CharField(max_length=64)
    message = models.ForeignKey(Message, null=True, blank=True, on_delete=models.SET_NULL, related_name="comparisons")
    dialogue = models.ForeignKey(Dialogue, null=True, blank=True, on_delete=models.SET_NULL, related_name="comparisons")
    prompt = models.ForeignKey(Prompt, null=True, blank=True, on_delete=models.SET_NULL, related_name="comparisons")
    # The first of the comparisons that share completions, for each of them and for itself, once there are several
    # (labeling.rankings.comparison_copies). Nobody gets two of a family: they would know which text is new, or would
    # already have been told the order.
    family = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="relatives", db_index=False
    )
    evaluation = models.ForeignKey(
        "labeling.Evaluation",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="comparisons",
        db_index=False,
    )
    topic = models.CharField(max_length=60, blank=True)
    source = models.CharField(max_length=200, blank=True)
    rankings_wanted = models.PositiveSmallIntegerField(default=1)
    open_slots = models.SmallIntegerField(default=0)
    num_rankings = models.PositiveIntegerField(default=0)
    queue_key = models.FloatField(default=new_queue_key)  # order within the queue; smaller comes first
    use = models.CharField(max_length=16, choices=Use.choices, default=Use.WORK)
    # How far its rankings differ, from 0 to 1 (labeling.models.distances); None with fewer than two orders.
    distance = models.FloatField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ComparisonQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(open_slots__gte=0), name="comparison_open_slots_not_negative"),
            models.CheckConstraint(
                condition=Q(open_slots__lte=F("rankings_wanted")), name="comparison_open_slots_at_most_wanted"
            ),
            models.UniqueConstraint(
                fields=("round", "message"), condition=~Q(message=None), name="comparison_once_per_message_and_round"
            ),
            models.UniqueConstraint(
                fields=("round", "prompt"), condition=~Q(prompt=None), name="comparison_once_per_prompt_and_round"
            ),
        )
        indexes = (
            # The queue. It has a key of its own, because for an order by id the planner would not use this index.
            models.Index(
                fields=("project", "queue_key", "id"),
                condition=Q(state="open", open_slots__gt=0, use="work"),
                name="comparison_queue",
            ),
            models.Index(fields=("project", "use"), condition=~Q(use="work"), name="comparison_references"),
            models.Index(fields=("project", "state"), name="comparison_state"),
            models.Index(fields=("project", "-created_at", "-id"), condition=Q(use="work"), name="comparison_newest"),
            models.Index(
                fields=("project", "-distance", "-id"), condition=~Q(distance=None), name="comparison_most_disputed"
            ),
            models.Index(fields=("family",), condition=~Q(family=None), name="comparison_family"),
            models.Index(
                fields=("evaluation", "queue_key", "id"), condition=~Q(evaluation=None), name="comparison_of_evaluation"
            ),
        )

    def __str__(self) -> str:
        return f"comparison {self.id}"

    @property
    def has_places(self) -> bool:
        """Whether only `rankings_wanted` rankings of it are wanted."""
        return self.use in self.WITH_PLACES

    @property
    def question(self) -> str:
        """The last message of the prompt."""
        return str(self.messages[-1]["content"])


class Lease(models.Model):
    """A place in a comparison, held by one trainer until `expires_at`. A submission must name the lease's id."""

    class State(models.TextChoices):
        OPEN = "open", "Open"  # the place is held until expires_at
        SUBMITTED = "submitted", "Submitted"  # its ranking is stored
        EXPIRED = "expired", "Expired"  # the place was given back; the draft is kept
        SKIPPED = "skipped", "Skipped"  # the trainer passed it over; it is never offered to them again
        LATE = "late", "Late"  # submitted after expiry when no place was free: stored, not counted
        WITHDRAWN = "withdrawn", "Withdrawn"  # its ranking was withdrawn; it is never offered to them again

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="leases")
    trainer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="leases")
    state = models.CharField(max_length=16, choices=State.choices, default=State.OPEN)
    reason = models.CharField(max_length=120, blank=True)  # a short sentence: why this comparison was handed out
    shown_order = models.JSONField()  # completion ids in the order that this trainer sees, drawn once
    draft = models.JSONField(default=dict, blank=True)  # the autosaved board
    draft_version = models.PositiveIntegerField(default=0)
    draft_saved_at = models.DateTimeField(null=True, blank=True)
    skip_reason = models.CharField(max_length=120, blank=True)
    seconds = models.FloatField(default=0.0)  # time for which the page was visible
    opened_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)  # of a ranking, its first submission

    class Meta:
        constraints = (models.UniqueConstraint(fields=("comparison", "trainer"), name="lease_one_per_trainer"),)
        indexes = (
            models.Index(fields=("expires_at",), condition=Q(state="open"), name="lease_open_by_expiry"),
            models.Index(fields=("trainer", "expires_at"), condition=Q(state="open"), name="lease_open_by_trainer"),
        )

    def __str__(self) -> str:
        return f"lease of {self.trainer} on {self.comparison_id}"


class Ranking(models.Model):
    """One trainer's weak order. `tiers` holds completion ids best first; see records.Ranking for the meaning."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="rankings")
    trainer = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="rankings")
    # None if the ranking was imported or chosen in a chat, or if another version of it has taken its place.
    lease = models.OneToOneField(Lease, null=True, blank=True, on_delete=models.PROTECT, related_name="ranking")
    submission_key = models.UUIDField(unique=True)  # made by the browser; the same submission twice is one ranking
    tiers = models.JSONField(default=list)
    unacceptable_from = models.PositiveSmallIntegerField(null=True, blank=True)
    # Of each tier but the last how much better it is than the next, 1 to 3; empty where that was not said.
    strengths = models.JSONField(default=list, blank=True, db_default=[])
    abstained = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001 (None: did not abstain)
    # One completion was chosen; those in the last tier were not compared with each other (records.Ranking).
    is_choice = models.BooleanField(default=False, db_default=False)
    note = models.TextField(blank=True, default="", db_default="")  # of the whole, in the trainer's words
    shown_order = models.JSONField(default=list)
    guideline_version = models.ForeignKey(
        GuidelineVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    seconds = models.FloatField(null=True, blank=True)
    layout = models.CharField(max_length=16, blank=True)
    source = models.CharField(max_length=200, blank=True)  # of an imported ranking
    outside_trainer = models.CharField(max_length=80, blank=True)  # who ranked, by the name in the imported file
    outside_id = models.CharField(max_length=120, blank=True, db_default="")  # the file's own: a later one corrects it
    ranked_at = models.DateTimeField(auto_now_add=True)
    retracted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("comparison", "trainer"),
                condition=~Q(trainer=None) & Q(retracted_at=None),
                name="ranking_one_per_trainer",
            ),
            # Whatever brings a row in: with these, no page, export or API response can fail on its date.
            models.CheckConstraint(
                condition=Q(ranked_at__gte=EARLIEST_RANKING, ranked_at__lt=LATEST_RANKING),
                name="ranking_made_1970_to_2199",
            ),
            models.CheckConstraint(
                condition=Q(seconds=None) | Q(seconds__gte=0, seconds__lte=LONGEST_SECONDS),
                name="ranking_seconds_0_to_a_year",
            ),
        )
        indexes = (
            models.Index(fields=("trainer", "-ranked_at"), name="ranking_by_trainer"),
            models.Index(fields=("-ranked_at", "-id"), condition=~Q(note=""), name="ranking_with_note"),
        )

    def __str__(self) -> str:
        return f"ranking {self.id}"


class Rating(models.Model):
    """A judgement of one completion alone, made before ranking (InstructGPT, table 3)."""

    ranking = models.ForeignKey(Ranking, on_delete=models.CASCADE, related_name="ratings")
    completion = models.ForeignKey("labeling.Completion", on_delete=models.CASCADE, related_name="ratings")
    overall = models.PositiveSmallIntegerField(null=True, blank=True)
    flags = models.JSONField(default=dict, blank=True)
    note = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("ranking", "completion"), name="rating_once_per_completion"),
            models.CheckConstraint(
                condition=Q(overall=None) | Q(overall__gte=1, overall__lte=7), name="rating_overall_1_to_7"
            ),
        )

    def __str__(self) -> str:
        return f"{self.overall}/7"
