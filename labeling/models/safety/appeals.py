"""Appeals: a person's word that the filter warned or blocked wrongly, decided once by another person."""

import uuid
from typing import Self

from django.db import models
from django.db.models import Q

from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.safety.filters import Screening


class AppealQuerySet(models.QuerySet["Appeal"]):
    def waiting(self) -> Self:
        """Open appeals, the oldest first."""
        return self.filter(state=Appeal.State.OPEN).order_by("created_at", "id")

    def excused_categories(self, project: Project, text_sha256: str) -> set[str]:
        """The categories by which exactly this text is not to be blocked again where somebody says it in the project.

        A block of it was overturned. Any other text, and any other project, is judged as ever.
        """
        overturned = self.filter(
            project=project,
            state=Appeal.State.OVERTURNED,
            screening__side=Screening.Side.SAID,
            screening__text_sha256=text_sha256,
        )
        return set(overturned.exclude(screening__category="").values_list("screening__category", flat=True))


class Appeal(models.Model):
    class State(models.TextChoices):
        OPEN = "open", "Open"
        UPHELD = "upheld", "Upheld"  # the filter was right
        OVERTURNED = "overturned", "Overturned"  # it was wrong; the text is shown again

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="appeals")
    screening = models.OneToOneField(Screening, on_delete=models.CASCADE, related_name="appeal")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="appeals")
    why = models.TextField(blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.OPEN)
    decided_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    reply = models.TextField(blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AppealQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(state="open") | (~Q(reply="") & Q(decided_at__isnull=False)),
                name="appeal_decided_with_reply",
            ),
        )
        indexes = (
            models.Index(fields=("project", "-created_at", "-id"), name="appeal_newest"),
            models.Index(fields=("project", "created_at", "id"), condition=Q(state="open"), name="appeal_queue"),
        )

    def __str__(self) -> str:
        return f"appeal: {self.get_state_display()}"
