"""Limits on guessing passwords and codes, which slow down who guesses and not whose name is guessed at.

A device that has signed in under a name before is counted for itself: nothing that others do shuts it out. All other
devices are counted by name and network together, and by network. Refused attempts are not counted.
"""

import ipaddress
import unicodedata
from datetime import timedelta
from functools import cache
from pathlib import Path

from django.conf import settings
from django.contrib.auth import authenticate
from django.db import connection, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labeling.accounts import second_factor
from labeling.accounts.devices import device_of
from labeling.models import AuditEvent, SignInFailures, User

WINDOW = timedelta(minutes=15)
FAILURES_PER_NAME = 5  # of one name from one network, on devices that it did not sign in with before
FAILURES_PER_NAME_EVERYWHERE = 100  # of one name from all networks: one who guesses from thousands of them
FAILURES_PER_DEVICE = 10  # of one name on a device that it signed in with before
FAILURES_PER_ADDRESS = 20  # of all names from one network
FAILURES_PER_SHARED_ADDRESS = 400  # the same, where many people have the one address
FAILURES_WITH_CODE = 200  # of one name with a code of the second factor beside the password: both must be right
WRONG_CODES = 10  # of one person whose password was right


class SignInRefused(ValueError):
    """A sign-in that failed. `retry_after` is set if it was not tried because too many had failed before it."""

    def __init__(self, sentence: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


def check_password(request: HttpRequest, *, username: str, password: str, address: str, code: str = "") -> User:
    """The person with this name and password. Raises SignInRefused.

    With a code of their second factor the limits of unknown devices do not hold: both are guessed at once, or neither.
    A person without a second factor is never let in so, or the code's field would be a second try at their password.
    """
    name = normalised_name(username).casefold()[:100]
    limits = _limits(request, name=name, address=address, with_code=bool(code))
    counts = _take_attempt(limits)
    user = authenticate(request, username=normalised_name(username), password=password)
    if not isinstance(user, User) or (code and not _is_right_code(user, code)):
        _note_limits_reached(name, counts, limits)
        raise SignInRefused(_("That name and password do not belong together."))
    _give_back(limits)
    return user


def check_code(user: User, code: str) -> str:
    """The kind of second factor that this code is of. Raises SignInRefused."""
    limits = {f"factor:{user.pk}": WRONG_CODES}
    counts = _take_attempt(limits)
    kind = second_factor.accept_code(user, code)
    if kind is None:
        _note_limits_reached(user.username.casefold(), counts, limits)
        raise SignInRefused(_("That code is not right, or was used before."))
    SignInFailures.objects.filter(key__in=limits).delete()
    return kind


def count_question(address: str) -> None:
    """Count a question for a link to a new password from this network. Raises SignInRefused after too many."""
    limit = FAILURES_PER_SHARED_ADDRESS if is_shared(address) else FAILURES_PER_ADDRESS
    _take_attempt({f"question:{network_of(address)}": limit})


def forget_old_failures() -> int:
    """Delete the counts of failures whose window is over; returns how many."""
    return SignInFailures.objects.filter(window_ends_at__lt=timezone.now()).delete()[0]


def network_of(address: str) -> str:
    """The address to count failures by: of IPv6 the /64, since one customer usually has all its addresses."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    return str(parsed) if parsed.version == 4 else str(ipaddress.ip_network((parsed, 64), strict=False))


def is_shared(address: str) -> bool:
    """Whether many people may come from this address: a proxy's, the gateway of a container's network, an office's."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return True
    if settings.BEHIND_PROXY and not settings.FORWARDED_ALLOW_IPS:
        return True
    proxies = [part.strip() for part in settings.FORWARDED_ALLOW_IPS.split(",") if part.strip()]
    networks = [*proxies, *settings.SHARED_ADDRESSES, *_gateways()]
    return any(parsed in ipaddress.ip_network(network, strict=False) for network in networks if _is_network(network))


def normalised_name(username: str) -> str:
    """A name from the sign-in form, normalised as stored names are. NUL is replaced: PostgreSQL refuses it in text."""
    return unicodedata.normalize("NFKC", username).strip().replace("\x00", "\ufffd")


def _limits(request: HttpRequest, *, name: str, address: str, with_code: bool) -> dict[str, int]:
    """What an attempt counts under, with how often each may fail within WINDOW."""
    device = device_of(request, name=name)
    if device is not None:
        return {f"device:{device}:{name}": FAILURES_PER_DEVICE}
    if with_code:
        return {f"code:{name}": FAILURES_WITH_CODE}
    network = network_of(address)
    return {
        f"name:{name}@{network}": FAILURES_PER_NAME,
        f"name:{name}": FAILURES_PER_NAME_EVERYWHERE,
        f"address:{network}": FAILURES_PER_SHARED_ADDRESS if is_shared(address) else FAILURES_PER_ADDRESS,
    }


def _is_right_code(user: User, code: str) -> bool:
    try:
        check_code(user, code)
    except SignInRefused:
        return False
    return True


def _take_attempt(limits: dict[str, int]) -> dict[str, int]:
    """Count an attempt under each key before it is made; returns the counts. Raises SignInRefused where one is full.

    Counted before and not after, or a hundred requests at once would all be tried before the first has failed. The
    keys are taken in one order, so that two requests cannot wait for each other.
    """
    try:
        with transaction.atomic():
            return {key: _count(key, limits[key]) for key in sorted(limits)}
    except _Full as full:
        raise full.refusal() from None


def _count(key: str, limit: int) -> int:
    """Count one attempt; the first begins the window. Raises _Full where `limit` failed in the window before."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO labeling_signinfailures AS f (key, num_failures, window_ends_at)
            VALUES (%(key)s, 1, statement_timestamp() + %(window)s::interval)
            ON CONFLICT (key) DO UPDATE SET
                num_failures = CASE WHEN f.window_ends_at < statement_timestamp() THEN 1 ELSE f.num_failures + 1 END,
                window_ends_at = CASE WHEN f.window_ends_at < statement_timestamp()
                    THEN excluded.window_ends_at ELSE f.window_ends_at END
            WHERE f.window_ends_at < statement_timestamp() OR f.num_failures < %(limit)s
            RETURNING num_failures
            """,
            {"key": key, "limit": limit, "window": f"{WINDOW.total_seconds()} seconds"},
        )
        row = cursor.fetchone()
    if row is None:
        raise _Full(key)
    return int(row[0])


def _give_back(limits: dict[str, int]) -> None:
    """Uncount an attempt that succeeded. The failures before it are forgotten for its name, not for its network."""
    own = [key for key in limits if key.startswith(("device:", "code:")) or "@" in key]
    SignInFailures.objects.filter(key__in=own).delete()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE labeling_signinfailures SET num_failures = greatest(num_failures - 1, 0) WHERE key = ANY(%s)",
            [sorted(set(limits) - set(own))],
        )


def _note_limits_reached(name: str, counts: dict[str, int], limits: dict[str, int]) -> None:
    """An audit event at the failure that fills a count, of the person whose name it is: once in a window."""
    full = [key.partition(":")[0] for key, count in counts.items() if count == limits[key]]
    user = User.objects.filter(username__iexact=name).first() if full else None
    if user is not None and full != ["address"]:
        AuditEvent.note("slow sign-in down", user, by=None, counted_by=full)


class _Full(Exception):
    """A key under which too many attempts have failed."""

    def refusal(self) -> SignInRefused:
        row = SignInFailures.objects.filter(key=self.args[0]).first()
        wait = max(row.window_ends_at - timezone.now(), timedelta(seconds=1)) if row else timedelta(seconds=1)
        minutes = int(wait.total_seconds() // 60) + 1
        sentence = ngettext(
            "Too many attempts. Please try again in %(n)d minute.",
            "Too many attempts. Please try again in %(n)d minutes.",
            minutes,
        )
        return SignInRefused(sentence % {"n": minutes}, retry_after=wait)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


@cache
def _gateways() -> tuple[str, ...]:
    """The addresses of this machine's default gateways: in a container, everybody outside may come from there."""
    try:
        lines = Path("/proc/net/route").read_text().splitlines()[1:]
    except OSError:
        return ()
    routes = (line.split() for line in lines)
    return tuple(
        str(ipaddress.ip_address(int.from_bytes(bytes.fromhex(route[2]), "little")))
        for route in routes
        if len(route) > 2 and route[1] == "00000000" and route[2] != "00000000"
    )
