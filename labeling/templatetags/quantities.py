"""Template filters for numbers and states, and for the filters of an export."""

from typing import Any

from django import template
from django.utils.translation import gettext as _

from charts import format_number
from labeling.exports.filters import filters_in_words

register = template.Library()
register.filter(filters_in_words)


@register.filter
def thousands(value: Any) -> str:
    """1234567 as 1,234,567; other values unchanged."""
    return f"{value:,}" if isinstance(value, int) else str(value)


@register.filter
def short(value: Any) -> str:
    """A number in at most three significant digits, booleans as yes and no, texts unchanged."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if not isinstance(value, int | float):
        return str(value)
    return format_number(float(value))


@register.filter
def state_in_words(state: str) -> str:
    """The state of a step of a round, in words."""
    words = {
        "waiting": _("not yet"),
        "ready": _("ready"),
        "working": _("under way"),
        "done": _("done"),
        "failed": _("failed"),
    }
    return words.get(state, state)


@register.filter
def stage_in_words(stage: str) -> str:
    """The stage that a training job is at, in words; of an older worker, which names none, the longest one."""
    words = {
        "loading": _("Loading"),
        "normalising": _("Setting the mean score to 0"),
        "evaluating": _("Evaluating on what was held out"),
        "publishing": _("Publishing"),
    }
    return words.get(stage, _("Training"))
