"""Template tags for what can be said of an output: the kinds of reports, the reasons of thumbs."""

from typing import Any

from django import template
from django.utils.translation import gettext as _

from labeling.models import Report, Thumb
from labeling.safety.reports import kinds

register = template.Library()


@register.simple_tag
def report_kinds(filter_acted: object = False) -> list[tuple[str, Any]]:
    return kinds(filter_acted=bool(filter_acted))


@register.simple_tag
def thumb_reasons() -> list[tuple[str, str]]:
    return [(one.value, _(one.label)) for one in Thumb.Reason]


@register.filter
def kinds_in_words(counts: dict[str, int]) -> list[str]:
    """The kinds that a case was reported as, the most frequent first: "Harmful", "2 × False"."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [f"{num} × {Report.Kind(kind).label}" if num > 1 else str(Report.Kind(kind).label) for kind, num in ordered]
