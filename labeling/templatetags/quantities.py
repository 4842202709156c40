"""Numbers and filters of exports as people read them."""

from collections.abc import Mapping
from typing import Any

from django import template
from django.utils.translation import gettext as _

from labeling.scales import format_number

register = template.Library()


@register.filter
def thousands(value: Any) -> str:
    """1234567 as 1,234,567; anything that is no whole number as it is."""
    return f"{value:,}" if isinstance(value, int) else str(value)


@register.filter
def short(value: Any) -> str:
    """A number in few digits, true and false as yes and no, words as they are."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if not isinstance(value, int | float):
        return str(value)
    return format_number(float(value))


@register.filter
def state_in_words(state: str) -> str:
    """How a station of the loop stands."""
    words = {
        "waiting": _("not yet"),
        "ready": _("ready"),
        "working": _("under way"),
        "done": _("done"),
        "failed": _("failed"),
    }
    return words.get(state, state)


@register.filter
def filters_in_words(filters: Mapping[str, Any]) -> str:
    """What an export was narrowed to, in a line."""
    words = {
        "rounds": _("round"),
        "since": _("from"),
        "until": _("up to"),
        "trainers": _("trainers"),
        "trainer_kinds": _("made by"),
        "topics": _("topics"),
        "states": _("state"),
        "guideline_versions": _("guidelines"),
        "split_by": _("split by"),
    }
    said = [f"{word} {_listed(filters[name])}" for name, word in words.items() if filters.get(name)]
    if "agreement_at_least" in filters:
        said.append(_("agreement from %(n)d %%") % {"n": filters["agreement_at_least"]})
    if filters.get("scrubs_personal_data"):
        said.append(_("personal data taken out"))
    return "; ".join(said) or _("everything")


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
