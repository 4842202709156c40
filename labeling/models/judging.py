"""How well a project's people judge, as a worker measured it last: it takes seconds, which no page may."""

from django.db import models

from labeling.models.projects import Project


class JudgingFigures(models.Model):
    """The newest measurement of a project. `figures` is written and read by labeling.quality.judging alone."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="judging_figures")
    looked_at = models.DateTimeField()  # whether there is anything new; a look counts all rankings, so it is rare
    measured_at = models.DateTimeField(null=True, blank=True)  # None: there was nothing to measure yet
    state = models.CharField(max_length=64, blank=True)  # of the rankings that were measured; another is measured anew
    figures = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "judging figures"

    def __str__(self) -> str:
        return f"how well the people of {self.project} judge"
