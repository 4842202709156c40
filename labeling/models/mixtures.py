"""The mixture of a project: the policies and temperatures that sample the completions of one comparison."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from labeling.models.projects import Project

MOST_PARTS = 9  # as many as a comparison may have completions


class MixturePart(models.Model):
    """One policy and temperature, and its share. A project without parts samples all from the round's policy."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="mixture_parts")
    position = models.PositiveSmallIntegerField()  # parts get their completions of a comparison in this order
    policy = models.ForeignKey(  # None: the policy of the current round, so that a promotion keeps the mixture valid
        "labeling.Policy", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    share = models.PositiveSmallIntegerField(validators=(MinValueValidator(1), MaxValueValidator(100)))
    temperature = models.FloatField(  # None: the project's temperature
        null=True, blank=True, validators=(MinValueValidator(0.0), MaxValueValidator(5.0))
    )

    class Meta:
        ordering = ("project", "position")
        constraints = (
            models.UniqueConstraint(fields=("project", "position"), name="mixture_part_position"),
            models.CheckConstraint(condition=Q(share__gte=1, share__lte=100), name="mixture_part_share_1_to_100"),
        )

    def __str__(self) -> str:
        return f"{self.share} of {self.policy or 'the round’s policy'}"
