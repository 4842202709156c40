"""Points in time and durations as people read them: one form each, everywhere, in the zone that is active."""

from datetime import date, datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _


def moment(at: datetime | None) -> str:
    """Day and time: 29 Nov, 14:05; with the year where it is not the present one."""
    return f"{day(at)}, {clock(at)}" if at else ""


def day(at: date | None) -> str:
    """The day of a moment, or a day of the calendar: 29 Nov, or 29 Nov 2025."""
    if not at:
        return ""
    here = timezone.localtime(at) if isinstance(at, datetime) else at
    return date_format(here, "j M" if here.year == timezone.localdate().year else "j M Y")


def clock(at: datetime | None) -> str:
    """The time alone, where it can only be today's: 14:05."""
    return date_format(timezone.localtime(at), "H:i") if at else ""


def duration(seconds: float | None) -> str:
    """75 becomes 1 min 15 s; nothing known becomes a dash."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return _("%(h)d h %(m)d min") % {"h": hours, "m": minutes}
    return _("%(m)d min %(s)d s") % {"m": minutes, "s": rest} if minutes else _("%(s)d s") % {"s": rest}
