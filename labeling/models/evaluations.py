"""Evaluations of policies by people, and promotions with what was known when they were made."""

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from labeling.models.people import User
from labeling.models.projects import Project, Round
from labeling.models.registry import Policy


class Evaluation(models.Model):
    """Candidates against one policy on held-out prompts, judged blind by trainers in their ordinary queue.

    Its comparisons (Comparison.Use.EVALUATION) hold one answer of a candidate and one of the baseline each, sampled
    once and kept. The numbers of the test's design are kept with it: a later release may choose others.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"  # its pairs are sampled and handed out
        DECIDED = "decided", "Decided"  # the test has a verdict on every candidate
        STOPPED = "stopped", "Stopped"  # an engineer ended it before

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="evaluations")
    baseline = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=16, choices=State.choices, default=State.OPEN)
    # The chance that a trainer's next comparison is one of these, while there are others.
    share = models.FloatField(default=0.5, validators=(MinValueValidator(0.01), MaxValueValidator(1.0)))
    seed = models.PositiveBigIntegerField()  # of the answers and of the order in which pairs are handed out
    num_prompts = models.PositiveIntegerField()
    verdicts_per_pair = models.PositiveSmallIntegerField(default=1)
    error = models.FloatField()  # labeling.statistics.sequential.Design, for all candidates together
    first_look = models.PositiveIntegerField()
    look_every = models.PositiveIntegerField()
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("project",), condition=Q(state="open"), name="evaluation_one_open_per_project"
            ),
        )

    def __str__(self) -> str:
        return f"evaluation against {self.baseline}"

    @property
    def is_open(self) -> bool:
        return self.state == self.State.OPEN


class Candidate(models.Model):
    """A policy that an evaluation sets against its baseline, and what people decided on it."""

    class Verdict(models.TextChoices):
        OPEN = "open", "Not decided"
        BETTER = "better", "Better"
        WORSE = "worse", "Worse"
        TOO_CLOSE = "too close", "Too close to tell"

    evaluation = models.ForeignKey(Evaluation, on_delete=models.CASCADE, related_name="candidates")
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="candidacies")
    verdict = models.CharField(max_length=16, choices=Verdict.choices, default=Verdict.OPEN)
    looks = models.JSONField(default=list)  # [{"num_verdicts", "z", "bound"}] up to the one that decided
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("evaluation", "id")
        constraints = (models.UniqueConstraint(fields=("evaluation", "policy"), name="candidate_once_per_evaluation"),)

    def __str__(self) -> str:
        return f"{self.policy}: {self.get_verdict_display()}"


class Promotion(models.Model):
    """A policy made a project's, by whom, and on which verdict; the reason where people had not called it better."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="promotions")
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="promotions")
    before = models.ForeignKey(Policy, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    opened = models.OneToOneField(Round, null=True, blank=True, on_delete=models.SET_NULL, related_name="promotion")
    is_return = models.BooleanField(default=False)  # to a policy that had been promoted here before
    # What people had said of it against `before`; empty where they had not been asked.
    verdict = models.CharField(max_length=16, choices=Candidate.Verdict.choices, blank=True)
    # The figures that were shown: {"value", "low", "high", "n", "judged_by"}.
    win_rate = models.JSONField(null=True, blank=True)
    evaluation = models.ForeignKey(
        Evaluation, null=True, blank=True, on_delete=models.SET_NULL, related_name="promotions"
    )
    reason = models.TextField(blank=True)
    by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-at",)
        constraints = (
            models.CheckConstraint(
                condition=Q(verdict="better") | ~Q(reason="") | Q(before=None),
                name="promotion_without_peoples_word_has_reason",
            ),
        )

    def __str__(self) -> str:
        return f"{self.policy} in {self.project}"

    @property
    def has_peoples_word(self) -> bool:
        """Whether those who judged had called it better than what it took the place of."""
        return self.verdict == Candidate.Verdict.BETTER

    @property
    def is_by_simulated_trainers(self) -> bool:
        """Whether programs judged in people's place, some or all of the pairs."""
        return str((self.win_rate or {}).get("judged_by", "people")) != "people"
