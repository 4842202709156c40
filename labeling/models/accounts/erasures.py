"""Erasures of people who work here: ordered by whom, of how much, and when nothing of it could come back any more."""

from django.db import models

from labeling.models.people import User


class PersonErasure(models.Model):
    """That a person's words were erased. It holds numbers only; the account stays as a row that names nobody."""

    person = models.OneToOneField(User, primary_key=True, on_delete=models.PROTECT, related_name="erased_as")
    by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    counts = models.JSONField(default=dict)  # how many rows of each kind, as they were shown before
    at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)  # when nothing of theirs is left and nothing can arrive

    def __str__(self) -> str:
        return f"erasure of {self.person_id}"
