"""The ranking pages: claim the next comparison, rank it, save its draft, skip it.

labeling.rankings.assignment decides who gets which comparison and which rankings count.
"""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from labeling.models import Comparison, Lease, Project, Ranking, User
from labeling.rankings import assignment, mending
from labeling.rankings.board_input import BoardError, read_request, read_seconds, read_submission
from labeling.rankings.submission import AssignmentError, StaleDraft
from labeling.rankings.views import board
from labeling.rankings.views.changes import change_name
from labeling.rankings.views.submitted import SUBMITTED, submitted_page
from labeling.rankings.wording import abstain_reasons, skip_reasons
from labeling.web import access
from labeling.web.access import RANKERS


@access.role_required(*RANKERS)
@require_http_methods(["GET", "POST"])
def rank(request: HttpRequest, slug: str) -> HttpResponse:
    """The way in: one button, next. With work in hand it leads back to that."""
    project = access.project_for(request, slug)
    user = access.person(request)
    if request.method == "POST":
        return redirect(_next_url(project, user, request))
    in_hand = assignment.in_hand(project, by=user)
    is_empty = in_hand is None and ("none" in request.GET or not assignment.waits_for(project, by=user))
    context = {
        "project": project,
        "section": "rank",
        "in_hand": in_hand,
        "nothing": assignment.Nothing(project=project).reason if is_empty else "",
        "num_returned": mending.num_returned(project, by=user),
    }
    return render(request, "labeling/rankings/rank.html", context)


@access.role_required(*RANKERS)
@require_http_methods(["GET", "POST"])
def lease(request: HttpRequest, slug: str, lease_id: uuid.UUID) -> HttpResponse:
    """The board of one comparison, and what the trainer makes of it; once it is submitted, its ranking to read."""
    held = access.own_lease(request, lease_id, slug=slug)
    project, user = held.comparison.project, access.person(request)
    if request.method == "GET" and held.state in SUBMITTED:
        return submitted_page(request, held)
    if request.method == "GET":
        return _board_page(request, project, held, by=user)
    values: dict[str, Any] = {}
    try:
        values = read_request(request)
        submission, key = read_submission(values)
        outcome = assignment.submit(held, submission, key=key, by=user)
    except (BoardError, AssignmentError) as error:
        return _refusal(request, project, held, values, str(error), by=user)
    if outcome.ranking is not None:
        is_abstention = outcome.ranking.abstained is not None
        messages.success(
            request, _("You abstained. Your reason is saved.") if is_abstention else _("Your ranking is saved.")
        )
    else:
        messages.warning(request, outcome.sentence)
    return board.answer(request, _next_url(project, user, request), **_own(held, outcome.ranking))


@access.role_required(*RANKERS)
@require_POST
def lease_draft(request: HttpRequest, slug: str, lease_id: uuid.UUID) -> HttpResponse:
    """Keep the board as it stands; 409 with the newer version where another tab was faster."""
    held = access.own_lease(request, lease_id, slug=slug)
    own: dict[str, str] = {}
    try:
        values = read_request(request)
        own = _submitted_elsewhere(held, values.get("draft"))
        version = assignment.save_draft(
            held,
            draft=values.get("draft") or {},
            version=int(values.get("version") or 0),
            by=access.person(request),
        )
    except StaleDraft as stale:
        return JsonResponse({"version": stale.version, "draft": stale.draft, **own}, status=409)
    except (BoardError, AssignmentError, ValueError, TypeError) as error:
        return JsonResponse({"error": str(error)}, status=422)
    return JsonResponse({"version": version, **own})


@access.role_required(*RANKERS)
@require_POST
def lease_renew(request: HttpRequest, slug: str, lease_id: uuid.UUID) -> HttpResponse:
    """A sign of life: the place stays reserved."""
    held = access.own_lease(request, lease_id, slug=slug)
    try:
        assignment.renew(held, by=access.person(request), seconds=read_seconds(read_request(request)) or 0.0)
    except BoardError as error:
        return JsonResponse({"error": str(error)}, status=422)
    except AssignmentError as error:
        return JsonResponse({"error": str(error), "seconds_left": 0}, status=409)
    return JsonResponse({"seconds_left": int(held.comparison.project.lease_span.total_seconds())})


@access.role_required(*RANKERS)
@require_POST
def skip_lease(request: HttpRequest, slug: str, lease_id: uuid.UUID) -> HttpResponse:
    """Pass a comparison on, with a reason of the menu; it does not come back to this trainer."""
    held = access.own_lease(request, lease_id, slug=slug)
    project = held.comparison.project
    user = access.person(request)
    reason = request.POST.get("reason")
    if reason not in skip_reasons():
        error = _("Choose why you skip it. Any reason of the list will do.")
        return _board_page(request, project, held, by=user, error=error)
    assignment.skip(held, reason=reason, by=user)
    return redirect(_next_url(project, user, request))


def _next_url(project: Project, user: User, request: HttpRequest) -> str:
    """Where the next comparison is, or the page that says why there is none."""
    claimed = assignment.claim(project, by=user)
    if isinstance(claimed, Lease):
        return reverse("lease", args=(project.slug, claimed.id))
    if not claimed.refusal:
        return reverse("rank", args=(project.slug,)) + "?none=1"  # that page says why
    messages.info(request, claimed.refusal)
    return reverse("practice" if claimed.practice_first else "rank", args=(project.slug,))


def _submitted_elsewhere(held: Lease, draft: Any) -> dict[str, str]:
    """Where the ranking is, for a board whose tab does not know that there is one; that of a change knows."""
    is_of_change = isinstance(draft, dict) and "changes" in draft
    if held.state not in SUBMITTED or is_of_change:
        return {}
    return {"own": reverse("lease", args=(held.comparison.project.slug, held.id))}


def _own(held: Lease, ranking: Ranking | None) -> dict[str, str]:
    """Where rank.js leads who changed the board while it was sent: the ranking as it counts, and its change."""
    if ranking is None:
        return {}
    own = reverse("lease", args=(held.comparison.project.slug, held.id))
    return {"own": own, "ranking": str(ranking.id), "change_name": change_name(ranking)}


def _refusal(
    request: HttpRequest, project: Project, held: Lease, values: dict[str, Any], sentence: str, *, by: User
) -> HttpResponse:
    if request.content_type == "application/json":
        return JsonResponse({"error": sentence}, status=422)
    return _board_page(request, project, held, by=by, posted=values, error=sentence)


def _board_page(
    request: HttpRequest,
    project: Project,
    held: Lease,
    *,
    by: User,
    posted: dict[str, Any] | None = None,
    error: str = "",
) -> HttpResponse:
    comparison = held.comparison
    layout = held.draft.get("layout") or board.layout_of(by)
    context = board.board_context(comparison, shown_order=held.shown_order, layout=layout, posted=posted, error=error)
    context |= {
        "project": project,
        "section": "rank",
        "lease": held,
        "asks_strengths": project.asks_strengths,
        "why_this_one": held.reason,
        "abstain_reasons": abstain_reasons(),
        "skip_reasons": skip_reasons(),
        "may_write": comparison.use != Comparison.Use.PRACTICE,
        "submission_key": (posted or {}).get("key") or uuid.uuid5(held.id, "submission"),
        "facts": _facts(project, held, layout),
    }
    return render(request, "labeling/rankings/ranking.html", context, status=422 if error else 200)


def _facts(project: Project, held: Lease, layout: str) -> dict[str, Any]:
    arguments = (project.slug, held.id)
    urls = {
        "submit": reverse("lease", args=arguments),
        "draft": reverse("lease_draft", args=arguments),
        "renew": reverse("lease_renew", args=arguments),
        "better": reverse("write_better", args=arguments),
    }
    return board.board_facts(f"lease:{held.id}", num=len(held.shown_order), layout=layout, urls=urls) | {
        "asks": {"ratings": project.asks_ratings, "strengths": project.asks_strengths},
        "draft": held.draft,
        "draft_version": held.draft_version,
        "draft_saved_at": held.draft_saved_at.timestamp() if held.draft_saved_at else 0,
        "seconds_left": max(0, int(held.time_left.total_seconds())),  # type: ignore[attr-defined]  # of access.own_lease
    }
