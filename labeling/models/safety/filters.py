"""Content filters, the rules by which they act, and what they saw of each text."""

import uuid
from typing import Self

from django.db import models
from django.db.models import Q

from labeling.models.completions import Completion, SamplingRun
from labeling.models.dialogues import Message
from labeling.models.projects import Project
from labeling.models.safety.categories import category_name

BUNDLED_FILTER = "bundled"  # the name of the filter that comes with Parley


class FilterQuerySet(models.QuerySet["Filter"]):
    def in_force(self) -> "Filter":
        """The filter by which the platform acts: the bundled one until another was put in force."""
        return self.filter(state=Filter.State.IN_FORCE).first() or self.bundled()

    def bundled(self) -> "Filter":
        """The row of the filter that comes with Parley, made when it is first asked for."""
        return self.get_or_create(name=BUNDLED_FILTER, defaults={"state": Filter.State.IN_FORCE})[0]


class Filter(models.Model):
    """A content filter: files of the model store, the one that is bundled (no path), or a server that judges texts."""

    class Backend(models.TextChoices):  # records.FilterBackend
        LOCAL = "local", "A filter of the model store"
        OPENAI_MODERATION = "openai_moderation", "OpenAI's moderation endpoint"
        CHAT_GUARD = "chat_guard", "A guard model on an OpenAI-compatible server"

    class State(models.TextChoices):
        CANDIDATE = "candidate", "Candidate"  # trained or added; sees nothing yet
        SHADOW = "shadow", "In shadow"  # sees what the one in force saw, after the fact, and never acts
        IN_FORCE = "in_force", "In force"
        RETIRED = "retired", "Retired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.SlugField(max_length=100, unique=True)
    backend = models.CharField(max_length=24, choices=Backend.choices, default=Backend.LOCAL)
    state = models.CharField(max_length=16, choices=State.choices, default=State.CANDIDATE)
    store_path = models.CharField(max_length=300, blank=True)  # relative to the model store; empty: the bundled one
    manifest_sha256 = models.CharField(max_length=64, blank=True)
    server_url = models.CharField(max_length=300, blank=True)
    server_model = models.CharField(max_length=300, blank=True)
    # What its manifest says of each category: {"S": {"warn_at", "block_at"}}; empty for the bundled one and servers.
    thresholds = models.JSONField(default=dict, blank=True)
    metrics = models.JSONField(default=dict, blank=True)
    export = models.ForeignKey(
        "labeling.Export", null=True, blank=True, on_delete=models.PROTECT, related_name="trained_filters"
    )
    training_job = models.OneToOneField(
        "labeling.TrainingJob", null=True, blank=True, on_delete=models.PROTECT, related_name="filter_made"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    shadow_since = models.DateTimeField(null=True, blank=True)
    shadow_asked_at = models.DateTimeField(null=True, blank=True)  # when its last batch was sent; None: it came back
    in_force_since = models.DateTimeField(null=True, blank=True)

    objects = FilterQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(fields=("state",), condition=Q(state="in_force"), name="filter_one_in_force"),
            models.UniqueConstraint(fields=("state",), condition=Q(state="shadow"), name="filter_one_in_shadow"),
            models.CheckConstraint(
                condition=Q(backend="local") | ~(Q(server_url="") | Q(server_model="")), name="filter_server_is_named"
            ),
        )

    def __str__(self) -> str:
        return self.name


class FilterRulesQuerySet(models.QuerySet["FilterRules"]):
    def in_force(self, project: Project) -> "FilterRules | None":
        """A project's newest version; None if it never made rules: the filter's own thresholds then hold."""
        return self.filter(project=project).order_by("-version").first()


class FilterRules(models.Model):
    """What a project does with each category, as one version: never changed, so that a screening can name it."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="filter_rules")
    version = models.PositiveIntegerField()
    is_on = models.BooleanField(default=True)  # whether texts of this project are screened at all
    rules = models.JSONField(default=list)  # [records.FilterRule]
    note = models.CharField(max_length=300, blank=True)  # why they were changed
    created_by = models.ForeignKey("labeling.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = FilterRulesQuerySet.as_manager()

    class Meta:
        ordering = ("project", "-version")
        verbose_name_plural = "filter rules"
        constraints = (models.UniqueConstraint(fields=("project", "version"), name="filter_rules_version_unique"),)

    def __str__(self) -> str:
        return f"{self.project} filter rules v{self.version}"


class ScreeningQuerySet(models.QuerySet["Screening"]):
    def that_acted(self) -> Self:
        """Screenings by which a text was warned of or blocked; none in shadow, and none that an appeal overturned."""
        return self.filter(acted=True).exclude(appeal__state="overturned")


class Screening(models.Model):
    """One text as one filter saw it, under one version of the rules. It goes with the text that it is about."""

    class Side(models.TextChoices):  # records.Side
        SAID = "said", "Said"
        ANSWERED = "answered", "Answered"

    class Verdict(models.TextChoices):  # records.Verdict
        PASS = "pass", "Pass"
        WARN = "warn", "Warning"
        BLOCK = "block", "Blocked"
        NOT_JUDGED = "not judged", "Not judged"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="screenings")
    filter = models.ForeignKey(Filter, on_delete=models.PROTECT, related_name="screenings")
    rules_version = models.PositiveIntegerField(default=0)  # of FilterRules; 0: the filter's own thresholds
    run = models.ForeignKey(SamplingRun, null=True, blank=True, on_delete=models.CASCADE, related_name="screenings")
    attempt = models.PositiveIntegerField(default=0)
    message = models.ForeignKey(Message, null=True, blank=True, on_delete=models.CASCADE, related_name="screenings")
    completion = models.ForeignKey(
        Completion, null=True, blank=True, on_delete=models.CASCADE, related_name="screenings"
    )
    side = models.CharField(max_length=16, choices=Side.choices)
    end = models.PositiveIntegerField(null=True, blank=True)  # the text was seen up to this character
    text_sha256 = models.CharField(max_length=64)
    probabilities = models.JSONField(default=dict)
    verdict = models.CharField(max_length=16, choices=Verdict.choices)
    category = models.CharField(max_length=32, blank=True)  # the one that decided
    acted = models.BooleanField(default=False)  # False where it passed, and in shadow
    in_shadow = models.BooleanField(default=False)
    reason = models.CharField(max_length=200, blank=True)  # why it was not judged
    milliseconds = models.FloatField(default=0.0)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ScreeningQuerySet.as_manager()

    class Meta:
        indexes = (
            models.Index(fields=("project", "-created_at", "-id"), name="screening_newest"),
            models.Index(
                fields=("project", "-created_at", "-id"), condition=Q(acted=True), name="screening_that_acted"
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_verdict_display()} {self.category}".strip()

    @property
    def shown_text(self) -> str:
        """The text as people were shown it: never what was withheld."""
        if self.message is not None:
            return self.message.content
        return self.completion.content if self.completion is not None else ""

    @property
    def category_name(self) -> str:
        return category_name(self.category)

    @property
    def whole_text(self) -> str:
        """What this is about, with what was withheld of it: only for those who may read that (`Withheld`)."""
        if self.side == self.Side.SAID:
            if self.message is not None:
                return self.message.content
            return str(self.run.messages[-1]["content"]) if self.run is not None else ""
        shown = self.completion.content if self.completion is not None else ""
        return shown + (self.withheld.content if hasattr(self, "withheld") else "")

    @property
    def speakers(self) -> set[uuid.UUID]:
        """Whose text it is: who wrote the dialogue, or asked for what was sampled."""
        dialogue = self.message.dialogue if self.message is not None else None
        run = self.run or (self.completion.run if self.completion is not None else None)
        found = {dialogue.author_id if dialogue else None, run.requested_by_id if run else None}
        if run is not None and run.dialogue is not None:
            found.add(run.dialogue.author_id)
        return {one for one in found if one is not None}


class Withheld(models.Model):
    """The text of a completion from where it was blocked. It is never in `Completion.content`, which pages, streams,
    the API and exports read: only who decides an appeal on it, labels it, or triages a report of it may open it."""

    screening = models.OneToOneField(Screening, on_delete=models.CASCADE, related_name="withheld")
    content = models.TextField()

    def __str__(self) -> str:
        return f"withheld by {self.screening_id}"
