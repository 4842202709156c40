"""Accounts: creating and changing them, passwords, and limits on guessing passwords at sign-in.

Generated passwords are shown once and stored as hashes only. Knows no pages.
"""

import ipaddress
import secrets
import unicodedata
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from zoneinfo import available_timezones

from django.contrib.auth import authenticate
from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labeling.accounts.api_tokens import revoke_all_tokens
from labeling.models import AuditEvent, Membership, Project, SignInFailures, User

FIRST_ACCOUNTS = (
    ("admin", User.Role.ADMIN),
    ("trainer", User.Role.TRAINER),
    ("reviewer", User.Role.REVIEWER),
    ("engineer", User.Role.ENGINEER),
)
OWN_PREFERENCES = ("theme", "single_keys", "daily_goal", "break_after")  # that the account's page sets
TOURS = ("rank", "write")
FAILURES_PER_NAME = 5
FAILURES_PER_ADDRESS = 20
FAILURE_WINDOW = timedelta(minutes=15)

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # without those that look alike: i, l, o, 0, 1


class AccountError(ValueError):
    """An account that cannot be made or changed; the text is for the person who tried."""


class SignInRefused(ValueError):
    """A sign-in that failed. `retry_after` is set if it was not tried because too many had failed before it."""

    def __init__(self, sentence: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


def ensure_first_accounts() -> list[tuple[str, str]]:
    """Create one account of each role, with a generated password, unless a person has an account already.

    Returns (username, password) of each new account, to be shown once; an empty list if there is nothing to do.
    """
    with transaction.atomic():
        # Two processes that start at once make one set. There is no row to lock yet, hence an advisory lock.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('parley: first accounts'))")
        if User.objects.filter(is_simulated=False).exists():
            return []
        return [(name, create_account(username=name, role=role, by=None)[1]) for name, role in FIRST_ACCOUNTS]


def create_account(
    *, username: str, role: str, by: User | None, display_name: str = "", projects: Iterable[Project] = ()
) -> tuple[User, str]:
    """Create an account and its memberships. Returns it with its generated password.

    Raises AccountError if the name is taken or not allowed.
    """
    name = _usable_name(username)
    if role not in dict(User.Role.of_members()):
        raise AccountError(_("“%(role)s” is not a role.") % {"role": role})
    password = new_password()
    try:
        with transaction.atomic():
            user = User.objects.create_user(name, password, role=role, display_name=display_name.strip()[:120])
            Membership.objects.bulk_create(Membership(project=project, user=user) for project in projects)
            AuditEvent.note("create account", user, by=by, role=role)
    except IntegrityError as error:
        raise AccountError(_("The name “%(name)s” is taken.") % {"name": name}) from error
    return user, password


def reset_password(user: User, *, by: User) -> tuple[str, int]:
    """Give a person a generated password and end all their sessions. Returns it, and how many tokens were revoked."""
    password = new_password()
    return password, _set_password(user, password, by=by, verb="reset password")


def change_own_settings(user: User, *, values: dict[str, Any]) -> None:
    """Save a person's own settings; those of OWN_PREFERENCES are kept in the preferences, the others are fields."""
    preferences = {name: values[name] for name in OWN_PREFERENCES if name in values}
    fields = [name for name in values if name not in preferences]
    for name in fields:
        setattr(user, name, values[name])
    with transaction.atomic():
        _prefer(user, preferences)
        user.save(update_fields=[*fields, "preferences"])
        AuditEvent.note("change own settings", user, by=user)


def change_own_password(user: User, *, password: str) -> int:
    """Set a password that the person chose, and end their other sessions. Returns how many tokens were revoked."""
    return _set_password(user, password, by=user, verb="change own password")


def adopt_time_zone(user: User, *, name: str) -> None:
    """Set the time zone that the browser sent at the first sign-in; an unknown name is ignored."""
    if name in available_timezones():
        user.time_zone = name
        user.save(update_fields=["time_zone"])


def set_preference(user: User, **preferences: Any) -> None:
    """Save preferences of display. They are not work, so no audit event is written."""
    with transaction.atomic():
        _prefer(user, preferences)
        user.save(update_fields=["preferences"])


def see_tour(user: User, *, name: str) -> None:
    """Remember that this person has seen a tour, or has skipped it: it does not begin by itself again."""
    with transaction.atomic():
        _prefer(user, {})
        user.preferences["tours"] = sorted({*user.preferences.get("tours", ()), name})
        user.save(update_fields=["preferences"])


def _prefer(user: User, preferences: dict[str, Any]) -> None:
    """Set preferences on the row as it is now, locked: the column is written whole, with what other tabs prefer."""
    user.preferences = User.objects.select_for_update(no_key=True).get(pk=user.pk).preferences | preferences


def choose_topics(user: User, *, topics: list[str]) -> None:
    """Save the topics that this person likes to write about; an empty list means any."""
    user.topics = topics
    user.save(update_fields=["topics"])


def change_role(user: User, *, role: str, by: User) -> None:
    """Give a person another role. Raises AccountError if this would leave no active admin."""
    if role not in dict(User.Role.of_members()) or user.is_visitor:
        raise AccountError(_("“%(role)s” is not a role that can be given to this person.") % {"role": role})
    with transaction.atomic():
        before = _locked_with_admins(user).role
        if role != User.Role.ADMIN:
            _require_another_admin(user)
        user.role = role
        user.save(update_fields=["role"])
        AuditEvent.note("change role", user, by=by, before=before, after=role)


def set_active(user: User, *, active: bool, by: User) -> int:
    """Close an account or open it again. Returns how many tokens were revoked; opening does not restore them.

    What the person wrote and ranked stays. Raises AccountError if this would leave no active admin.
    """
    with transaction.atomic():
        _locked_with_admins(user)
        if not active:
            _require_another_admin(user)
        user.is_active = active
        user.save(update_fields=["is_active"])
        AuditEvent.note("open account" if active else "close account", user, by=by)
        return 0 if active else revoke_all_tokens(user, by=by)


def new_password() -> str:
    """A random password of four groups of four characters: 79 bits, and easy to type from paper."""
    return "-".join("".join(secrets.choice(_LETTERS) for _place in range(4)) for _group in range(4))


def check_password(request: HttpRequest, *, username: str, password: str, address: str) -> User:
    """The person with this name and password. Raises SignInRefused.

    After five failures for one name, or twenty from one address, within 15 minutes, all attempts are refused
    until the 15 minutes are over. This limits guessing, and nobody can lock another person out for good: refused
    attempts are not counted.
    """
    keys = {f"name:{_casefolded(username)}": FAILURES_PER_NAME, f"address:{network_of(address)}": FAILURES_PER_ADDRESS}
    _refuse_while_throttled(keys)
    user = authenticate(request, username=_normalised(username), password=password)
    if not isinstance(user, User):
        for key in keys:
            _count_failure(key)
        raise SignInRefused(_("That name and password do not belong together."))
    SignInFailures.objects.filter(key=next(iter(keys))).delete()
    return user


def forget_old_failures() -> int:
    """Delete the counts of failures whose window is over; returns how many."""
    return SignInFailures.objects.filter(window_ends_at__lt=timezone.now()).delete()[0]


def _set_password(user: User, password: str, *, by: User, verb: str) -> int:
    """Set the password and revoke all tokens; returns how many.

    Someone who knew the old password may have made tokens with it.
    """
    user.set_password(password)
    with transaction.atomic():
        user.save(update_fields=["password"])
        AuditEvent.note(verb, user, by=by)
        return revoke_all_tokens(user, by=by)


def _refuse_while_throttled(keys: dict[str, int]) -> None:
    now = timezone.now()
    for failures in SignInFailures.objects.filter(key__in=keys, window_ends_at__gt=now):
        if failures.num_failures >= keys[failures.key]:
            wait = failures.window_ends_at - now
            minutes = int(wait.total_seconds() // 60) + 1
            raise SignInRefused(
                ngettext(
                    "Too many attempts. Please try again in %(n)d minute.",
                    "Too many attempts. Please try again in %(n)d minutes.",
                    minutes,
                )
                % {"n": minutes},
                retry_after=wait,
            )


def _count_failure(key: str) -> None:
    """Count one failure; the first begins the window. One statement, so that concurrent attempts are all counted."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO labeling_signinfailures AS f (key, num_failures, window_ends_at)
            VALUES (%(key)s, 1, statement_timestamp() + %(window)s::interval)
            ON CONFLICT (key) DO UPDATE SET
                num_failures = CASE WHEN f.window_ends_at < statement_timestamp() THEN 1 ELSE f.num_failures + 1 END,
                window_ends_at = CASE WHEN f.window_ends_at < statement_timestamp()
                    THEN excluded.window_ends_at ELSE f.window_ends_at END
            """,
            {"key": key, "window": f"{FAILURE_WINDOW.total_seconds()} seconds"},
        )


def _casefolded(username: str) -> str:
    return _normalised(username).casefold()[:150]


def _normalised(username: str) -> str:
    """A name from the sign-in form, normalised as stored names are. NUL is replaced: PostgreSQL refuses it in text."""
    return unicodedata.normalize("NFKC", username).strip().replace("\x00", "\ufffd")


def network_of(address: str) -> str:
    """The address to count failures by: of IPv6 the /64, since one customer usually has all its addresses."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    return str(parsed) if parsed.version == 4 else str(ipaddress.ip_network((parsed, 64), strict=False))


def _usable_name(username: str) -> str:
    name = User.normalize_username(username).strip()
    if not 1 <= len(name) <= 80:
        raise AccountError(_("A name has 1 to 80 characters."))
    if any(unicodedata.category(character)[0] in "CZ" for character in name):
        raise AccountError(_("A name has no spaces and no invisible characters."))
    return name


def _locked_with_admins(user: User) -> User:
    """Lock and return this person's row, together with the rows of all active admins.

    Two admins who demote each other at once then do so one after the other, and the second is refused. The rows are
    locked in the order of their ids, so that two such requests cannot deadlock.
    """
    admin = Q(role=User.Role.ADMIN, is_active=True)
    rows = User.objects.select_for_update().filter(admin | Q(id=user.id)).order_by("id")
    return next(row for row in rows if row.id == user.id)


def _require_another_admin(user: User) -> None:
    if not User.objects.filter(role=User.Role.ADMIN, is_active=True).exclude(id=user.id).exists():
        raise AccountError(_("This is the last admin. Make somebody else an admin first."))
