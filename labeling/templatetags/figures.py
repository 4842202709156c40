"""Template filters for figures: percentages and intervals."""

from django import template
from django.utils.translation import gettext as _

from labeling.statistics.intervals import Estimate

register = template.Library()


@register.filter
def percent(value: object) -> str:
    """0.726 becomes 73 %; a figure without a value becomes a dash."""
    return f"{100 * value:.0f} %" if isinstance(value, int | float) else "–"


@register.filter
def share(value: object) -> str:
    """As `percent`, but one that is there is never said to be none, and one that is not whole never all."""
    if isinstance(value, float) and 0 < value < 0.01:
        return _("under 1 %")
    return _("over 99 %") if isinstance(value, float) and 0.99 < value < 1 else percent(value)


@register.filter
def interval(estimate: object) -> str:
    """The interval of an estimate in per cent, with its n; empty without an estimate."""
    if not isinstance(estimate, Estimate):
        return ""
    return f"{100 * estimate.low:.0f}–{100 * estimate.high:.0f} %, n = {estimate.n}"


@register.filter
def span(estimate: object, digits: int) -> str:
    """A figure that is no share, with its interval: 412 (380 – 450); a dash without an estimate."""
    if not isinstance(estimate, Estimate):
        return "–"
    return f"{estimate.value:,.{digits}f} ({estimate.low:,.{digits}f} – {estimate.high:,.{digits}f})"


@register.filter
def decimals(estimate: object) -> str:
    """The interval of a figure between -1 and 1 in two decimals, with its n; empty without an estimate."""
    if not isinstance(estimate, Estimate):
        return ""
    return f"{estimate.low:.2f}–{estimate.high:.2f}, n = {estimate.n}"


@register.filter
def p_value(p: object) -> str:
    """p = 0.034, or p < 0.001: a probability is never said to be 0."""
    if not isinstance(p, float):
        return ""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
