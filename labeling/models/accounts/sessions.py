"""Sessions: where a person is signed in, and the store that Django's middleware keeps them by.

A session is one row with its person beside it, so that a list of sessions, and the end of one or all, is a query over
the same row that opens the pages. An ended session is a deleted row; a late save of it raises, and makes none anew.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models import Q
from django.utils import timezone

from labeling.models.people import User

DEVICE_KEY = "device"  # in a session: {"agent": …, "address": …} of the browser that signed in
LONGEST_AGENT = 300


class SessionQuerySet(models.QuerySet["Session"]):
    def alive(self) -> "SessionQuerySet":
        """Neither expired nor idle for too long."""
        return self.exclude(_is_over())

    def over(self) -> "SessionQuerySet":
        return self.filter(_is_over())


class Session(AbstractBaseSession):
    """A browser that keeps a cookie of ours; of a person once somebody has signed in with it."""

    id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)  # for pages: the key itself opens the door
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.CASCADE, related_name="sessions")
    agent = models.CharField(max_length=LONGEST_AGENT, blank=True)  # what the browser calls itself
    address = models.CharField(max_length=45, blank=True)  # that it signed in from
    begun_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now, db_index=True)  # to the minute

    objects = SessionQuerySet.as_manager()  # type: ignore[assignment, misc]

    @classmethod
    def get_session_store_class(cls) -> type["SessionStore"]:
        return SessionStore


class SessionStore(db.SessionStore):
    """Django's store in the database, over our rows. Idle sessions are as gone as expired ones."""

    last_seen_at: datetime | None = None  # of the row as it was loaded

    @classmethod
    def get_model_class(cls) -> Any:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        key = self._get_or_create_session_key()  # type: ignore[attr-defined]
        return Session(session_key=key, **self._columns(data))

    def save(self, must_create: bool = False) -> None:  # noqa: FBT001 (Django's own signature)
        """As Django's, but of a row that is there only what the session says is written: not when it began."""
        if self.session_key is None or must_create:
            super().save(must_create)
            return
        columns = self._columns(self._get_session())  # type: ignore[attr-defined]
        if not Session.objects.filter(session_key=self.session_key).update(**columns):
            raise UpdateError

    async def asave(self, must_create: bool = False) -> None:  # noqa: FBT001
        await sync_to_async(self.save)(must_create)

    def _get_session_from_db(self) -> Any:
        return self._found(Session.objects.alive().filter(session_key=self.session_key).first())

    async def _aget_session_from_db(self) -> Any:
        return self._found(await Session.objects.alive().filter(session_key=self.session_key).afirst())

    def _found(self, row: Session | None) -> Session | None:
        if row is None:
            self._session_key = None  # the cookie named none: what is kept from now on gets a key of its own
        else:
            self.last_seen_at = row.last_seen_at
        return row

    def _columns(self, data: dict[str, Any]) -> dict[str, Any]:
        device = data.get(DEVICE_KEY) or {}
        return {
            "session_data": self.encode(data),
            "expire_date": self.get_expiry_date(),
            "user_id": data.get(SESSION_KEY),
            "agent": device.get("agent", ""),
            "address": device.get("address", ""),
        }


def _is_over() -> Q:
    over = Q(expire_date__lte=timezone.now())
    if settings.IDLE_MINUTES:
        over |= Q(last_seen_at__lte=timezone.now() - timedelta(minutes=settings.IDLE_MINUTES))
    return over
