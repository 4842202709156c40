"""Sealed sets of probes, copied once. A version is never changed; there is a next one."""

import uuid

from django.db import models

from labeling.models.projects import Project


class ProbeSetVersion(models.Model):
    """One version of a set, bound to the SHA-256 of the file that it was read from. No project: the platform's own."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.CASCADE, related_name="probe_sets")
    name = models.CharField(max_length=32)  # of labeling.evaluations.probe_sets.SET_NAMES
    version = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    sealed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("project", "name", "version"), nulls_distinct=False, name="probe_set_version_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class ProbeText(models.Model):
    """One text of a sealed set, as `labeling.evaluations.probe_sets.Probe` has it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    set_version = models.ForeignKey(ProbeSetVersion, on_delete=models.CASCADE, related_name="texts")
    key = models.CharField(max_length=80)
    group = models.CharField(max_length=64)  # texts that are resampled together
    variant = models.CharField(max_length=64)
    kind = models.TextField()
    text = models.TextField()
    num_seeds = models.PositiveSmallIntegerField(default=1)
    expected = models.TextField(blank=True)  # the right answer, for the people who label
    severity = models.PositiveSmallIntegerField(null=True, blank=True)  # 1 to 3, of an unsafe request
    fewest_words = models.PositiveIntegerField(null=True, blank=True)  # that a good answer needs
    most_words = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("set_version", "key"), name="probe_text_once"),)

    def __str__(self) -> str:
        return self.key
