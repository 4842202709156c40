"""Accounts: creating and changing them, and passwords. How often one may be guessed, labeling.accounts.guessing knows.

Generated passwords are shown once and stored as hashes only. Knows no pages.
"""

import secrets
import unicodedata
from collections.abc import Iterable
from typing import Any
from zoneinfo import available_timezones

from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.accounts.api_tokens import revoke_all_tokens
from labeling.accounts.sessions import end_sessions
from labeling.models import AccountLink, AuditEvent, Membership, PersonErasure, Project, User

FIRST_ACCOUNTS = (
    ("admin", User.Role.ADMIN),
    ("trainer", User.Role.TRAINER),
    ("reviewer", User.Role.REVIEWER),
    ("engineer", User.Role.ENGINEER),
)
OWN_PREFERENCES = ("theme", "single_keys", "daily_goal", "break_after")  # that the account's page sets
TOURS = ("rank", "write")

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # without those that look alike: i, l, o, 0, 1


class AccountError(ValueError):
    """An account that cannot be made or changed; the text is for the person who tried."""


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
    *,
    username: str,
    role: str,
    by: User | None,
    display_name: str = "",
    projects: Iterable[Project] = (),
    has_password: bool = True,
) -> tuple[User, str]:
    """Create an account and its memberships. Returns it with its generated password, or with an empty text for none.

    Raises AccountError if the name is taken or not allowed.
    """
    name = _usable_name(username)
    if role not in dict(User.Role.of_members()):
        raise AccountError(_("“%(role)s” is not a role.") % {"role": role})
    password = new_password() if has_password else ""
    try:
        with transaction.atomic():
            user = User.objects.create_user(name, password or None, role=role, display_name=display_name.strip()[:120])
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


def change_role(user: User, *, role: str, by: User | None) -> None:
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

    Its sessions and links end with it, and do not come back either: they are gone, not only refused. What the
    person wrote and ranked stays. Raises AccountError if this would leave no active admin.
    """
    with transaction.atomic():
        _locked_with_admins(user)
        if not active:
            _require_another_admin(user)
        elif PersonErasure.objects.filter(person=user).exists():
            raise AccountError(_("This person was erased. There is nobody to open the account for."))
        user.is_active = active
        user.save(update_fields=["is_active"])
        AuditEvent.note("open account" if active else "close account", user, by=by)
        return 0 if active else _take_back(user, by=by)


def new_password() -> str:
    """A random password of four groups of four characters: 79 bits, and easy to type from paper."""
    return "-".join("".join(secrets.choice(_LETTERS) for _place in range(4)) for _group in range(4))


def _set_password(user: User, password: str, *, by: User, verb: str) -> int:
    """Set the password and take back what was opened with the old one; returns how many tokens that were."""
    user.set_password(password)
    with transaction.atomic():
        user.save(update_fields=["password"])
        AuditEvent.note(verb, user, by=by)
        return _take_back(user, by=by)


def _take_back(user: User, *, by: User) -> int:
    """End all sessions and links of a person, and revoke their tokens; returns how many tokens.

    Someone who knew the old password may have any of them.
    """
    end_sessions(user, by=by)
    AccountLink.objects.filter(user=user, used_at=None).update(expires_at=Now())
    return revoke_all_tokens(user, by=by)


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
