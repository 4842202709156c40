"""Comparisons by how far their rankings differ, and one of them with all its orders beside each other."""

import uuid
from typing import Any

from django.contrib import messages
from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from labeling.models import Adjudication, Comparison, Project, User
from labeling.rankings import adjudication as queue
from labeling.rankings.disagreement import NotDisputed, send
from labeling.rankings.side_by_side import side_by_side
from labeling.web import access
from labeling.web.access import FIGURE_READERS
from labeling.web.listing import ListFilter, Listing, Order, listing

_FARTHEST = Order(name="farthest", label="", columns=("-distance", "-id"))
_LIVE = Adjudication.objects.filter(comparison=OuterRef("id"), state__in=Adjudication.LIVE)
_MOST_ROUNDS = 100  # to choose among, the newest


@access.role_required(*FIGURE_READERS)
@require_GET
def disagreements(request: HttpRequest, slug: str) -> HttpResponse:
    """The project's comparisons with at least two orders, those that differ most first."""
    project = access.project_for(request, slug)
    context = {"project": project, "section": "quality", "listing": _listed(request, project)}
    return render(request, "labeling/quality/disagreements.html", context)


@access.role_required(*FIGURE_READERS)
@require_GET
def disagreement(request: HttpRequest, slug: str, comparison_id: uuid.UUID) -> HttpResponse:
    """Everybody's order; hidden from a reviewer who may be given the adjudication, until they ask and give that up."""
    project, user = access.project_for(request, slug), access.person(request)
    comparison = access.disputed_of(project, comparison_id)
    live = comparison.adjudications.filter(state__in=Adjudication.LIVE).select_related("reviewer", "sent_by").first()
    is_blind = request.GET.get("show") != "yes" and queue.is_blind(project, comparison, by=user)
    if not is_blind:
        queue.note_seen(user, comparison)
    context = {
        "project": project,
        "section": "quality",
        "comparison": comparison,
        "adjudication": live,
        "is_blind": is_blind,
        "is_mine": live is not None and live.reviewer_id == user.pk,
        "beside": None if is_blind else side_by_side(comparison, adjudication=live, by=user),
        "may_send": user.is_admin and live is None and comparison.distance is not None,
        "earlier_messages": comparison.messages[:-1],
        "last_message": comparison.messages[-1],
    }
    return render(request, "labeling/quality/disagreement.html", context)


@access.role_required(User.Role.ADMIN)
@require_POST
def send_to_adjudication(request: HttpRequest, slug: str, comparison_id: uuid.UUID) -> HttpResponse:
    """Put a comparison into the queue of adjudications."""
    project = access.project_for(request, slug)
    try:
        send(access.disputed_of(project, comparison_id), by=access.person(request))
        messages.success(request, _("Sent to adjudication. A reviewer who has not seen its orders gets it."))
    except NotDisputed as error:
        messages.error(request, str(error))
    return redirect("disagreements", slug)


def _listed(request: HttpRequest, project: Project) -> Listing:
    numbers = project.rounds.order_by("-number").values_list("number", flat=True)[:_MOST_ROUNDS]
    live = Adjudication.objects.filter(state__in=Adjudication.LIVE)
    rows = project.comparisons.filter(use=Comparison.Use.WORK, distance__isnull=False)
    rows = rows.exclude(state=Comparison.State.WITHDRAWN).select_related("round")
    return listing(
        request.GET,
        rows.prefetch_related(Prefetch("adjudications", queryset=live, to_attr="live_adjudications")),
        orders=(_FARTHEST,),
        filters=(
            ListFilter(
                name="above",
                label=_("Distance"),
                choices=[(str(n), _("%(n)d %% or more") % {"n": n}) for n in (10, 25, 50, 75)],
                apply=lambda rows, value: rows.filter(distance__gte=int(value) / 100),
            ),
            ListFilter(
                name="adjudication",
                label=_("Adjudication"),
                choices=[("none", _("none yet")), ("waiting", _("waits")), ("done", _("adjudicated"))],
                apply=_by_adjudication,
            ),
            ListFilter(
                name="round",
                label=_("Round"),
                choices=[(str(number), str(number)) for number in numbers],
                apply=lambda rows, value: rows.filter(round__number=int(value)),
            ),
        ),
    )


def _by_adjudication(rows: QuerySet[Any], value: str) -> QuerySet[Any]:
    if value == "none":
        return rows.exclude(Exists(_LIVE))
    is_done = value == "done"
    done = _LIVE.filter(state=Adjudication.State.DONE)
    return rows.filter(Exists(done if is_done else _LIVE.exclude(state=Adjudication.State.DONE)))
