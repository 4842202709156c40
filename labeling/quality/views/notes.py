"""The pages of notes on rankings and of comments on messages, for those who watch over a project."""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from labeling.models import Project
from labeling.quality.notes import comments_on_messages, notes_on_rankings, num_kept_back
from labeling.rankings.views.submitted import in_words, tiers_of
from labeling.web import access
from labeling.web.access import REVIEWERS
from labeling.web.listing import NEWEST, OLDEST, ListFilter, Order, by_days, listing

MOST_ROUNDS = 200  # offered as a filter


@access.role_required(*REVIEWERS)
@require_GET
def notes(request: HttpRequest, slug: str) -> HttpResponse:
    """Notes on rankings: who wrote what on which comparison."""
    project = access.project_for(request, slug)
    reader = access.person(request)
    found = listing(
        request.GET,
        notes_on_rankings(project, reader=reader).select_related("trainer", "comparison__round"),
        orders=(
            Order(name="newest", label=_("newest first"), columns=("-ranked_at", "-id")),
            Order(name="oldest", label=_("oldest first"), columns=("ranked_at", "id")),
        ),
        filters=(_by_round(project), by_days("ranked_at")),
        search=lambda rows, words: rows.filter(note__icontains=words),
    )
    num = num_kept_back(project, reader=reader)
    return _list(request, "notes", project=project, listing=found, num_kept_back=num)


@access.role_required(*REVIEWERS)
@require_GET
def comments(request: HttpRequest, slug: str) -> HttpResponse:
    """Comments of reviewers on messages, and what became of them."""
    project = access.project_for(request, slug)
    found = listing(
        request.GET,
        comments_on_messages(project).select_related("author", "message", "dialogue__author", "dialogue__project"),
        orders=(NEWEST, OLDEST),
        filters=(_by_answer(), by_days("created_at")),
        search=lambda rows, words: rows.filter(text__icontains=words),
    )
    return _list(request, "comments", project=project, listing=found)


@access.role_required(*REVIEWERS)
@require_GET
def noted_ranking(request: HttpRequest, slug: str, ranking_id: uuid.UUID) -> HttpResponse:
    """The ranking that a note is on, read-only."""
    project = access.project_for(request, slug)
    noted = notes_on_rankings(project, reader=access.person(request))
    ranking = get_object_or_404(
        noted.select_related("trainer", "comparison").prefetch_related("ratings"), id=ranking_id
    )
    context = {
        "project": project,
        "section": "quality",
        "ranking": ranking,
        "order": in_words(ranking),
        "earlier_messages": ranking.comparison.messages[:-1],
        "last_message": ranking.comparison.messages[-1],
        "tiers": tiers_of(ranking),
    }
    return render(request, "labeling/quality/noted_ranking.html", context)


def _list(request: HttpRequest, name: str, **context: Any) -> HttpResponse:
    return render(request, f"labeling/quality/{name}.html", {"section": "quality", **context})


def _by_round(project: Project) -> ListFilter:
    numbers = project.rounds.order_by("-number").values_list("number", flat=True)[:MOST_ROUNDS]
    return ListFilter(
        name="round",
        label=_("Round"),
        choices=[(str(number), str(number)) for number in numbers],
        apply=lambda rows, number: rows.filter(comparison__round__number=number),
    )


def _by_answer() -> ListFilter:
    states: dict[str, dict[str, Any]] = {
        "open": {"answered_at": None, "sent_at__isnull": False},
        "answered": {"answered_at__isnull": False},
        "unsent": {"answered_at": None, "sent_at": None},
    }
    return ListFilter(
        name="state",
        label=_("State"),
        choices=(("open", _("not answered")), ("answered", _("answered")), ("unsent", _("not read by its author yet"))),
        apply=lambda rows, state: rows.filter(**states[state]),
    )
