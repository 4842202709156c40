"""The line of today's work, for the pages from which a person begins to work."""

from typing import Any

from django import template

from labeling.models import User
from labeling.quality.todays_work import todays_work

register = template.Library()


@register.inclusion_tag("labeling/quality/_today.html", takes_context=True)
def today(context: dict[str, Any]) -> dict[str, Any]:
    """Today's counts, the time that one took, and how far the person's own goal is; nothing for who does not work."""
    user = context.get("user")
    if not isinstance(user, User) or not user.can_write_and_rank:
        return {"today": None}
    return {"today": todays_work(user)}
