"""Ending sessions: one's own, and those of others for an admin. Their rows are in labeling.models.accounts.sessions."""

from django.db import transaction
from django.db.models import QuerySet

from labeling.models import AuditEvent, Session, User


def sessions_of(user: User) -> QuerySet[Session]:
    """Where a person is signed in, the last seen first."""
    return Session.objects.alive().filter(user=user).order_by("-last_seen_at", "id")


def end_session(session: Session, *, by: User) -> None:
    """End one: its browser is asked to sign in at its next request."""
    user = session.user
    assert user is not None
    with transaction.atomic():
        if Session.objects.filter(pk=session.pk).delete()[0]:
            AuditEvent.note("end session", user, by=by)


def end_sessions(user: User, *, by: User, but: str | None = None) -> int:
    """End all of a person's sessions but the one with this key; returns how many."""
    with transaction.atomic():
        num = Session.objects.filter(user=user).exclude(session_key=but or "").delete()[0]
        if num:
            AuditEvent.note("end sessions", user, by=by, num_sessions=num)
    return num


def forget_sessions_that_are_over() -> int:
    """Delete sessions that have expired or were idle for too long; returns how many."""
    return Session.objects.over().delete()[0]
