"""Texts that a person writes again and again, such as openings and system messages. They are in no data set."""

import uuid

from django.db import models

from labeling.models.people import User


class SnippetQuerySet(models.QuerySet["Snippet"]):
    def kept_by(self, owner: User) -> "SnippetQuerySet":
        """The snippets that this person has, by name."""
        return self.filter(owner=owner, deleted_at=None).order_by("name", "id")


class Snippet(models.Model):
    """A text under a name, of one person and for them alone. Put into a message it is typed, as their own words are."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="snippets")
    name = models.CharField(max_length=80)
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(null=True, blank=True)  # so that a deletion can be undone

    objects = SnippetQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name
