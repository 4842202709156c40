"""The ranking pages: take the next comparison, rank it, keep its draft, pass it on, report a completion.

Who gets which comparison, and what counts, is decided in labeling.assignment.
"""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from labeling import access, assignment
from labeling.board import RATING_FLAGS, BoardError, read_request, read_seconds, read_submission
from labeling.models import Comparison, Lease, Project, Report, User
from labeling.ranking_words import (
    abstain_reasons,
    layout_choices,
    ranking_words,
    report_reasons,
    skip_reasons,
)

RANKERS = (User.Role.TRAINER, User.Role.REVIEWER, User.Role.ADMIN)


@access.role_required(*RANKERS)
@require_http_methods(["GET", "POST"])
def rank(request: HttpRequest, slug: str) -> HttpResponse:
    """The way in: one button, next. With work in hand it leads back to that."""
    project = access.project_for(request, slug)
    user = access.person(request)
    if request.method == "POST":
        return redirect(_next_url(project, user, request))
    context = {"project": project, "section": "rank", "in_hand": assignment.in_hand(project, by=user)}
    return render(request, "labeling/rank.html", context)


@access.role_required(*RANKERS)
@require_http_methods(["GET", "POST"])
def lease(request: HttpRequest, slug: str, lease_id: uuid.UUID) -> HttpResponse:
    """The board of one comparison, and what the trainer makes of it."""
    project = access.project_for(request, slug)
    held = access.own_lease(request, lease_id)
    if request.method == "GET":
        return _board_page(request, project, held)
    user = access.person(request)
    values: dict[str, Any] = {}
    try:
        values = read_request(request)
        outcome = assignment.submit(held, read_submission(values), key=_key(values), by=user)
    except (BoardError, assignment.AssignmentError) as error:
        return _refusal(request, project, held, values, str(error))
    if outcome.ranking is not None:
        messages.success(request, _("Your ranking is saved."))
    else:
        messages.warning(request, outcome.sentence)
    return _answer(request, _next_url(project, user, request))


@access.role_required(*RANKERS)
@require_POST
def lease_draft(request: HttpRequest, slug: str, lease_id: uuid.UUID) -> HttpResponse:
    """Keep the board as it stands; 409 with the newer version where another tab was faster."""
    access.project_for(request, slug)
    held = access.own_lease(request, lease_id)
    try:
        values = read_request(request)
        version = assignment.save_draft(
            held,
            draft=values.get("draft") or {},
            version=int(values.get("version") or 0),
            by=access.person(request),
        )
    except assignment.StaleDraft as stale:
        return JsonResponse({"version": stale.version}, status=409)
    except (BoardError, assignment.AssignmentError, ValueError, TypeError) as error:
        return JsonResponse({"error": str(error)}, status=422)
    return JsonResponse({"version": version})


@access.role_required(*RANKERS)
@require_POST
def lease_renew(request: HttpRequest, slug: str, lease_id: uuid.UUID) -> HttpResponse:
    """A sign of life: the place stays reserved."""
    access.project_for(request, slug)
    held = access.own_lease(request, lease_id)
    try:
        renewed = assignment.renew(held, by=access.person(request), seconds=read_seconds(read_request(request)))
    except (BoardError, assignment.AssignmentError) as error:
        return JsonResponse({"error": str(error), "seconds_left": 0}, status=409)
    return JsonResponse({"seconds_left": _seconds_left(renewed)})


@access.role_required(*RANKERS)
@require_POST
def skip_lease(request: HttpRequest, slug: str, lease_id: uuid.UUID) -> HttpResponse:
    """Pass a comparison on, with a reason; it does not come back to this trainer."""
    project = access.project_for(request, slug)
    held = access.own_lease(request, lease_id)
    user = access.person(request)
    assignment.skip(held, reason=request.POST.get("reason", "")[:120], by=user)
    return redirect(_next_url(project, user, request))


@access.role_required(*RANKERS)
@require_POST
def report_completion(request: HttpRequest, slug: str, lease_id: uuid.UUID, completion_id: uuid.UUID) -> HttpResponse:
    """Say that a completion is harmful or broken. It changes no ranking; an admin reads it."""
    project = access.project_for(request, slug)
    held = access.own_lease(request, lease_id)
    completion = access.completion_of(held, completion_id)
    letter = _letters(held)[str(completion_id)]
    context: dict[str, Any] = {
        "project": project,
        "lease": held,
        "completion": {"id": completion_id, "letter": letter},
        "report_reasons": report_reasons(),
    }
    reason = request.POST.get(f"report_reason:{completion_id}")
    if reason not in dict(report_reasons()):
        return render(
            request, "labeling/_report.html", {**context, "report_error": _("Choose what is wrong.")}, status=422
        )
    Report.objects.create(
        project=project,
        completion=completion,
        reporter=access.person(request),
        content=completion.content,
        reason=reason,
        note=request.POST.get(f"report_note:{completion_id}", "")[:2000],
    )
    return render(request, "labeling/_report.html", {**context, "reported": True})


def _next_url(project: Project, user: User, request: HttpRequest) -> str:
    """Where the next comparison is, or the page that says why there is none."""
    claimed = assignment.claim(project, by=user)
    if isinstance(claimed, Lease):
        return reverse("lease", args=(project.slug, claimed.id))
    messages.info(request, claimed.reason)
    return reverse("rank", args=(project.slug,))


def _answer(request: HttpRequest, url: str) -> HttpResponse:
    return JsonResponse({"next": url}) if request.content_type == "application/json" else redirect(url)


def _refusal(
    request: HttpRequest, project: Project, held: Lease, values: dict[str, Any], sentence: str
) -> HttpResponse:
    if request.content_type == "application/json":
        return JsonResponse({"error": sentence}, status=422)
    return _board_page(request, project, held, posted=values, error=sentence)


def _key(values: dict[str, Any]) -> uuid.UUID:
    try:
        return uuid.UUID(str(values.get("key")))
    except ValueError as error:
        raise BoardError(_("The page lost its key. Please reload it; your work is kept.")) from error


def _letters(held: Lease) -> dict[str, str]:
    """A, B, C … in the order in which this trainer sees the completions."""
    return {identifier: chr(ord("A") + index) for index, identifier in enumerate(held.shown_order)}


def _seconds_left(held: Lease) -> int:
    return max(0, int((held.expires_at - timezone.now()).total_seconds()))


def _board_page(
    request: HttpRequest,
    project: Project,
    held: Lease,
    *,
    posted: dict[str, Any] | None = None,
    error: str = "",
) -> HttpResponse:
    comparison = held.comparison
    letters = _letters(held)
    contents = {str(completion.id): completion for completion in comparison.completions.all()}
    shelves = list(range(1, len(letters) + 1))
    posted_shelves = (posted or {}).get("shelves") or {}
    completions = [
        {
            "id": identifier,
            "letter": letter,
            "content": contents[identifier].content,
            "posted_shelf": int(posted_shelves[identifier])
            if str(posted_shelves.get(identifier, "")).isdigit()
            else None,
        }
        for identifier, letter in letters.items()
    ]
    layout = held.draft.get("layout") or access.person(request).preferences.get("layout") or "stacked"
    context = {
        "project": project,
        "section": "rank",
        "lease": held,
        "layout": layout,
        "layouts": layout_choices(),
        "earlier_messages": comparison.messages[:-1],
        "last_message": comparison.messages[-1],
        "completions": completions,
        "shelves": shelves,
        "rating_values": range(1, 8),
        "rating_flags": list(RATING_FLAGS.items()),
        "abstain_reasons": abstain_reasons(),
        "skip_reasons": skip_reasons(),
        "report_reasons": report_reasons(),
        "may_write": comparison.use != Comparison.Use.PRACTICE,
        "submission_key": (posted or {}).get("key") or uuid.uuid5(held.id, "submission"),
        "form_error": error,
        "facts": _facts(project, held, layout, len(shelves)),
    }
    return render(request, "labeling/ranking.html", context, status=422 if error else 200)


def _facts(project: Project, held: Lease, layout: str, num_shelves: int) -> dict[str, Any]:
    """What rank.js needs to know; its words come from here, so that they are translated."""
    arguments = (project.slug, held.id)
    return {
        "lease": str(held.id),
        "num_shelves": num_shelves,
        "layout": layout,
        "draft": held.draft,
        "draft_version": held.draft_version,
        "draft_saved_at": held.draft_saved_at.timestamp() if held.draft_saved_at else 0,
        "seconds_left": _seconds_left(held),
        "urls": {
            "submit": reverse("lease", args=arguments),
            "draft": reverse("lease_draft", args=arguments),
            "renew": reverse("lease_renew", args=arguments),
            "better": reverse("write_better", args=arguments),
        },
        "words": ranking_words(),
    }
