"""The practice pages: newcomers rank comparisons with a known order and see immediately how the reference differs."""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from labeling.models import Comparison, Membership, PracticeRanking, Project, User
from labeling.rankings.board_input import BoardError, read_request, read_submission
from labeling.rankings.practice import exercises, exercises_left, shown_order, submit_practice
from labeling.rankings.practice_feedback import practice_result
from labeling.rankings.submission import AssignmentError
from labeling.rankings.views import board
from labeling.web import access
from labeling.web.access import RANKERS


@access.role_required(*RANKERS)
@require_GET
def practice(request: HttpRequest, slug: str) -> HttpResponse:
    """The exercises with this person's progress, and the next one to do."""
    project = access.project_for(request, slug)
    user = access.person(request)
    found = exercises(project, by=user)
    membership = Membership.objects.filter(project=project, user=user).first()
    upcoming = next(iter(exercises_left(found)), None)
    context = {
        "project": project,
        "section": "rank",
        "exercises": found,
        "upcoming": upcoming,
        "again": found[0] if found and upcoming is None else None,
        "has_begun": any(exercise.num_times for exercise in found),
        "practised_at": membership.practised_at if membership else None,
        "must_practise": project.practice_required and any(not exercise.num_times for exercise in found),
    }
    return render(request, "labeling/rankings/practice.html", context)


@access.role_required(*RANKERS)
@require_http_methods(["GET", "POST"])
def practice_board(request: HttpRequest, slug: str, comparison_id: uuid.UUID) -> HttpResponse:
    """The board of one exercise; a submission leads to its result page."""
    project = access.project_for(request, slug)
    comparison = access.practice_of(project, comparison_id)
    user = access.person(request)
    if request.method == "GET":
        return _board_page(request, access.require_at_work(project), comparison)
    values: dict[str, Any] = {}
    try:
        values = read_request(request)
        submission, key = read_submission(values)
        ranking = submit_practice(comparison, submission, shown=shown_order(comparison, by=user), key=key, by=user)
    except (BoardError, AssignmentError) as error:
        if request.content_type == "application/json":
            return JsonResponse({"error": str(error)}, status=422)
        return _board_page(request, project, comparison, posted=values, error=str(error))
    url = reverse("practice_result", args=(project.slug, ranking.id))
    return board.answer(request, url)


@access.role_required(*RANKERS)
@require_GET
def practice_result_page(request: HttpRequest, slug: str, ranking_id: uuid.UUID) -> HttpResponse:
    """The person's order compared with the reference's, pair by pair, with the explanation."""
    ranking = access.own_practice(request, ranking_id, slug=slug)
    comparison = ranking.comparison
    reference = comparison.reference
    letters = board.letters(ranking.shown_order)
    left = exercises_left(exercises(comparison.project, by=access.person(request)))
    context = {
        "project": comparison.project,
        "section": "rank",
        "reference": reference,
        "result": practice_result(ranking, reference, letters),
        "earlier_messages": comparison.messages[:-1],
        "last_message": comparison.messages[-1],
        "orders": [
            (_("Yours"), board.format_order(ranking.tiers, ranking.unacceptable_from, letters)),
            (_("The reference"), board.format_order(reference.tiers, reference.unacceptable_from, letters)),
        ],
        "completions": board.reference_completions(reference, comparison, letters),
        "upcoming": None if comparison.project.why_no_new_work else next(iter(left), None),
        "num_left": len(left),
    }
    return render(request, "labeling/rankings/practice_result.html", context)


def _board_page(
    request: HttpRequest,
    project: Project,
    comparison: Comparison,
    *,
    posted: dict[str, Any] | None = None,
    error: str = "",
) -> HttpResponse:
    user = access.person(request)
    num_times = PracticeRanking.objects.filter(comparison=comparison, trainer=user).count()
    order, layout = shown_order(comparison, by=user), board.layout_of(user)
    urls = {"submit": reverse("practice_board", args=(project.slug, comparison.id))}
    name = f"practice:{comparison.id}:{user.id}:{num_times}"
    context = board.board_context(comparison, shown_order=order, layout=layout, posted=posted, error=error)
    context |= {
        "project": project,
        "section": "rank",
        "why_this_one": _why(project, comparison, user),
        "submit_label": _("See the reference"),
        "submission_key": (posted or {}).get("key") or uuid.uuid5(comparison.id, f"{user.id}:{num_times}"),
        "facts": board.board_facts(name, num=len(order), layout=layout, urls=urls),
    }
    return render(request, "labeling/rankings/ranking.html", context, status=422 if error else 200)


def _why(project: Project, comparison: Comparison, user: User) -> str:
    ids = [exercise.comparison.id for exercise in exercises(project, by=user)]
    values = {"n": ids.index(comparison.id) + 1, "all": len(ids)}
    return _("Practice %(n)d of %(all)d: nothing here is counted.") % values
