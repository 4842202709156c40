"""Querysets for lists of dialogues: the opening of each, its number of messages, one person's own."""

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Left

from labeling.models import Dialogue, Message, Project, User

OPENING_LENGTH = 240  # characters; cut in the database, since a message may hold 100,000


def with_opening(dialogues: QuerySet[Dialogue]) -> QuerySet[Dialogue]:
    """Annotate with `opening`, the start of the first user message, and `num_messages`."""
    return with_opening_alone(dialogues).annotate(num_messages=Count("messages"))


def with_opening_alone(dialogues: QuerySet[Dialogue]) -> QuerySet[Dialogue]:
    """Annotate with `opening` only.

    Without the count there is no GROUP BY, so a page of a million dialogues reads that page's messages only.
    """
    first = Message.objects.filter(dialogue=OuterRef("pk"), role=Message.Role.USER).order_by("position")
    return dialogues.annotate(
        opening=Subquery(first.annotate(start=Left("content", OPENING_LENGTH)).values("start")[:1])
    )


def own_dialogues(project: Project, *, by: User, kind: str) -> QuerySet[Dialogue]:
    """This person's dialogues in the project, last changed first, without those they deleted."""
    mine = Dialogue.objects.filter(project=project, author=by, kind=kind).exclude(state=Dialogue.State.WITHDRAWN)
    return with_opening(mine).order_by("-updated_at")
