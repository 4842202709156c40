"""Previews: a project's public door, the versions of its terms, and the samples that are pinned on it."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from labeling.models.completions import SamplingRun
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.registry import Policy


class Preview(models.Model):
    """A project's public door, with what it says and what one visitor may ask of it."""

    project = models.OneToOneField(Project, on_delete=models.PROTECT, related_name="preview")
    slug = models.SlugField(max_length=60, unique=True)  # of /t/<slug>/
    title = models.CharField(max_length=120)
    welcome = models.TextField(blank=True)  # Markdown, on the public page
    is_open = models.BooleanField(default=False)  # closed: its page says so, and visitors keep what is theirs
    is_listed = models.BooleanField(default=False)  # whether search engines may list it
    second_policy = models.ForeignKey(  # the other model of "Try two models"; None: only the project's answers
        Policy, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    # What one visitor may send.
    messages_per_ten_minutes = models.PositiveIntegerField(default=20, validators=(MinValueValidator(1),))
    messages_per_day = models.PositiveIntegerField(default=150, validators=(MinValueValidator(1),))
    runs_at_once = models.PositiveSmallIntegerField(default=2, validators=(MinValueValidator(1), MaxValueValidator(12)))
    longest_message = models.PositiveIntegerField(  # characters
        default=4000, validators=(MinValueValidator(100), MaxValueValidator(20_000))
    )
    tokens_per_day = models.PositiveBigIntegerField(default=2_000_000)  # that all visitors' answers may have together
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.title

    @property
    def terms(self) -> "PreviewTerms | None":
        return self.terms_versions.order_by("-version").first()


class PreviewTerms(models.Model):
    """One version of what a visitor agrees to. Never changed, so that a consent can name it."""

    preview = models.ForeignKey(Preview, on_delete=models.CASCADE, related_name="terms_versions")
    version = models.PositiveIntegerField()
    text = models.TextField()
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("preview", "-version")
        verbose_name_plural = "preview terms"
        constraints = (models.UniqueConstraint(fields=("preview", "version"), name="preview_terms_version_unique"),)

    def __str__(self) -> str:
        return f"{self.preview} terms v{self.version}"


class PreviewSample(models.Model):
    """A pinned prompt with the answers of two policies: sampled with fixed seeds, then frozen for good."""

    MOST_CHOSEN_FROM = 8

    preview = models.ForeignKey(Preview, on_delete=models.CASCADE, related_name="samples")
    messages = models.JSONField()
    chosen_from = models.PositiveSmallIntegerField(  # answers of each policy, of which a person chose one
        default=1, validators=(MinValueValidator(1), MaxValueValidator(MOST_CHOSEN_FROM))
    )
    frozen_at = models.DateTimeField(null=True, blank=True)  # from then on it stands on the public page
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("created_at",)

    def __str__(self) -> str:
        return str(self.messages[-1]["content"])[:60]


class SampleAnswer(models.Model):
    """One policy's side of a sample: its run, and once it is frozen the answer with how it was sampled."""

    sample = models.ForeignKey(PreviewSample, on_delete=models.CASCADE, related_name="answers")
    side = models.PositiveSmallIntegerField()  # 0 left, 1 right
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="+")
    run = models.ForeignKey(SamplingRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    content = models.TextField(blank=True)
    sampling = models.JSONField(null=True, blank=True)  # records.SamplingParams of this very answer
    finish_reason = models.CharField(max_length=16, blank=True)

    class Meta:
        ordering = ("sample", "side")
        constraints = (
            models.UniqueConstraint(fields=("sample", "side"), name="sample_answer_once_per_side"),
            models.CheckConstraint(condition=Q(side__lte=1), name="sample_answer_left_or_right"),
        )

    def __str__(self) -> str:
        return self.content[:60]
