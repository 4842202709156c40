"""Context processor: a person's preferences of display, their projects and the sections that they may open.

Knows roles and URL names, nothing of the pages themselves.
"""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from labeling.models import Project, User
from labeling.web.version import running_version

BREAK_AFTER = 50  # minutes of work before a break is spoken of, unless the person chose others


@dataclass(frozen=True, kw_only=True)
class NavigationLink:
    """One entry of the top bar. `name` equals the `section` that a page declares."""

    name: str
    label: str
    url: str


def navigation(request: HttpRequest) -> dict[str, Any]:
    """What templates/base.html and web/_bar.html show of the person; nothing for visitors."""
    user = request.user
    if not isinstance(user, User):
        return {"theme": "", "single_keys": True, "tours": "", "navigation_projects": [], "navigation_links": []}
    slug = request.resolver_match.kwargs.get("slug") if request.resolver_match else None
    return {
        "theme": user.preferences.get("theme", ""),
        "single_keys": user.preferences.get("single_keys", True),
        "break_after": user.preferences.get("break_after", BREAK_AFTER) if user.can_write_and_rank else None,
        "tours": " ".join(user.preferences.get("tours", ())),
        "navigation_projects": Project.objects.visible_to(user).current().order_by("name"),
        "navigation_links": _project_links(user, slug) if slug else _general_links(user),
        "version": running_version() if user.role != User.Role.VISITOR else "",
    }


def _project_links(user: User, slug: str) -> list[NavigationLink]:
    wanted = [
        ("write", _("Write"), user.can_write_and_rank),
        ("chat", _("Chat"), user.can_write_and_rank),
        ("rank", _("Rank"), user.can_write_and_rank),
        ("review", _("Review"), user.can_review),
        ("triage", _("Triage"), user.can_review),
        ("data", _("Data"), user.can_train_models),
        ("rounds", _("Rounds"), user.can_train_models),
        ("quality", _("Quality"), user.can_review or user.can_train_models),
        ("project_settings", _("Settings"), user.is_admin),
    ]
    return [
        NavigationLink(name=name, label=label, url=reverse(name, args=(slug,)))
        for name, label, allowed in wanted
        if allowed
    ]


def _general_links(user: User) -> list[NavigationLink]:
    wanted = [
        ("home", _("Projects"), True),
        ("models", _("Models"), user.can_train_models),
        ("filters", _("Filters"), user.can_train_models),
        ("workers", _("Workers"), user.can_train_models),
        ("people", _("People"), user.is_admin),
        ("audit", _("Audit"), user.is_admin),
    ]
    return [NavigationLink(name=name, label=label, url=reverse(name)) for name, label, allowed in wanted if allowed]
