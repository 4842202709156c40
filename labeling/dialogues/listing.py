"""Dialogues as lists show them: how each begins, how long it is, and whose they are."""

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Left

from labeling.models import Dialogue, Message, Project, User

OPENING_LENGTH = 240  # characters; a list needs no more, whatever the message holds


def with_opening(dialogues: QuerySet[Dialogue]) -> QuerySet[Dialogue]:
    """Adds `opening`, the start of the first thing the user says, and `num_messages`."""
    return with_opening_alone(dialogues).annotate(num_messages=Count("messages"))


def with_opening_alone(dialogues: QuerySet[Dialogue]) -> QuerySet[Dialogue]:
    """Adds `opening` only: nothing is counted, so a page of a million dialogues looks at that page's messages."""
    first = Message.objects.filter(dialogue=OuterRef("pk"), role=Message.Role.USER).order_by("position")
    return dialogues.annotate(
        opening=Subquery(first.annotate(start=Left("content", OPENING_LENGTH)).values("start")[:1])
    )


def own_dialogues(project: Project, *, by: User, kind: str) -> QuerySet[Dialogue]:
    """What this person has written here, newest work first; what they deleted is gone from their sight."""
    mine = Dialogue.objects.filter(project=project, author=by, kind=kind).exclude(state=Dialogue.State.WITHDRAWN)
    return with_opening(mine).order_by("-updated_at")
