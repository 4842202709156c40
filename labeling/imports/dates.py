"""Which dates of imported files can be stored. Knows neither files nor rows.

PostgreSQL stores years that Python cannot read back, and a year 1 with an offset fails on every page that shows it.
"""

from datetime import UTC, datetime, timedelta

from django.utils import timezone

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)  # no ranking made on a computer is older
CLOCKS_DIFFER = timedelta(days=1)  # how far another machine's clock may be ahead of ours


def latest() -> datetime:
    return timezone.now() + CLOCKS_DIFFER


def moment_of_seconds(seconds: float, name: str) -> str:
    """A time in seconds since 1970, as chat products and the arena give it, in ISO 8601. Raises ValueError."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f'"{name}" is {seconds!r:.40}, which is no time in seconds since 1970') from error


def moment_of(text: str, name: str) -> datetime:
    """The time in ISO 8601, UTC where it has no offset. Raises ValueError where it cannot be stored."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f'"{name}" is no date and time: {text[:80]}') from error
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not EARLIEST <= aware <= latest():  # compared without conversion to UTC, which may overflow
        raise ValueError(
            f'"{name}" is {text[:80]}; a date from {EARLIEST:%Y-%m-%d} to a day from now can be kept. '
            "Mend it, or leave it out: then the time of the import counts"
        )
    return aware
