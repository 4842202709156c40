"""The pages of adjudication: the queue, the board on which a reviewer orders blind, and then the others beside it.

Who may be given which adjudication, and what a decision changes, is in labeling.rankings.adjudication.
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

from labeling.models import Adjudication, Project
from labeling.rankings import adjudication as queue
from labeling.rankings.board_input import BoardError, read_request, read_submission
from labeling.rankings.forms import AdjudicationForm
from labeling.rankings.side_by_side import side_by_side
from labeling.rankings.submission import AssignmentError, StaleDraft
from labeling.rankings.views import board
from labeling.web import access
from labeling.web.access import REVIEWERS
from labeling.web.listing import ListFilter, Order, listing

_NEWEST = Order(name="newest", label="", columns=("-sent_at", "-id"))
_STATES = [(state.value, state.label) for state in Adjudication.State]


@access.role_required(*REVIEWERS)
@require_http_methods(["GET", "POST"])
def adjudications(request: HttpRequest, slug: str) -> HttpResponse:
    """The queue, with one button, next; and every adjudication of the project."""
    project, user = access.project_for(request, slug), access.person(request)
    if request.method == "POST":
        return redirect(_next_url(request, project))
    found = listing(
        request.GET,
        Adjudication.objects.of(project).select_related("comparison", "reviewer", "sent_by"),
        orders=(_NEWEST,),
        filters=(
            ListFilter(name="state", label=_("State"), choices=_STATES, apply=lambda rows, to: rows.filter(state=to)),
        ),
    )
    waiting = Adjudication.objects.of(project).filter(state=Adjudication.State.WAITING)
    context = {
        "project": project,
        "section": "quality",
        "listing": found,
        "in_hand": queue.in_hand(project, by=user),
        "num_open": queue.open_to(project, by=user).count(),
        "num_waiting": waiting.count(),
    }
    return render(request, "labeling/rankings/adjudications.html", context)


@access.role_required(*REVIEWERS)
@require_http_methods(["GET", "POST"])
def adjudication(request: HttpRequest, slug: str, adjudication_id: uuid.UUID) -> HttpResponse:
    """The board, until an order is given; from then on the others beside it. 409 where somebody else has taken it."""
    project, user = access.project_for(request, slug), access.person(request)
    held = access.adjudication_of(project, adjudication_id)
    if request.method == "GET":
        return _page_of(request, project, held)
    values: dict[str, Any] = {}
    try:
        values = read_request(request)
        submission, key = read_submission(values)
        queue.order(held, submission, key=key, by=user)
    except (BoardError, AssignmentError) as error:
        status = 409 if isinstance(error, queue.TakenMeanwhile) else 422
        return _refusal(request, project, held, values, str(error), status)
    messages.success(request, _("Your order is stored. Now see how the others ranked it."))
    return board.answer(request, reverse("adjudication", args=(slug, adjudication_id)))


@access.role_required(*REVIEWERS)
@require_POST
def decide_adjudication(request: HttpRequest, slug: str, adjudication_id: uuid.UUID) -> HttpResponse:
    """Say why the rankings differ, and what follows."""
    project = access.project_for(request, slug)
    held = access.adjudication_of(project, adjudication_id)
    form = AdjudicationForm(request.POST, adjudication=held)
    if not form.is_valid():
        return _given_page(request, project, held, form=form)
    try:
        queue.decide(held, by=access.person(request), **form.decision())
    except queue.TakenMeanwhile as error:
        messages.error(request, str(error))
    except AssignmentError as error:
        form.add_error(None, str(error))
        return _given_page(request, project, held, form=form)
    else:
        messages.success(request, _("The adjudication counts."))
    return redirect("adjudication", slug, adjudication_id)


@access.role_required(*REVIEWERS)
@require_POST
def adjudication_draft(request: HttpRequest, slug: str, adjudication_id: uuid.UUID) -> HttpResponse:
    """Keep the board as it stands; 409 with the newer version where another tab was faster."""
    held = access.adjudication_of(access.project_for(request, slug), adjudication_id)
    try:
        values = read_request(request)
        version = queue.save_draft(
            held, draft=values.get("draft"), version=int(values.get("version") or 0), by=access.person(request)
        )
    except StaleDraft as stale:
        return JsonResponse({"version": stale.version, "draft": stale.draft}, status=409)
    except (BoardError, AssignmentError, ValueError, TypeError) as error:
        return JsonResponse({"error": str(error)}, status=422)
    return JsonResponse({"version": version})


@access.role_required(*REVIEWERS)
@require_POST
def renew_adjudication(request: HttpRequest, slug: str, adjudication_id: uuid.UUID) -> HttpResponse:
    """A sign of life: the adjudication stays in these hands."""
    held = access.adjudication_of(access.project_for(request, slug), adjudication_id)
    try:
        renewed = queue.renew(held, by=access.person(request))
    except AssignmentError as error:
        return JsonResponse({"error": str(error), "seconds_left": 0}, status=409)
    return JsonResponse({"seconds_left": _seconds_left(renewed)})


@access.role_required(*REVIEWERS)
@require_POST
def give_back_adjudication(request: HttpRequest, slug: str, adjudication_id: uuid.UUID) -> HttpResponse:
    """Leave it to another reviewer."""
    held = access.adjudication_of(access.project_for(request, slug), adjudication_id)
    queue.give_back(held, by=access.person(request))
    messages.info(request, _("Given back. Another reviewer gets it."))
    return redirect("adjudications", slug)


@access.role_required(*REVIEWERS)
@require_POST
def withdraw_adjudication(request: HttpRequest, slug: str, adjudication_id: uuid.UUID) -> HttpResponse:
    """Take back what one gave; an admin calls off what is not decided yet."""
    held = access.adjudication_of(access.project_for(request, slug), adjudication_id)
    try:
        queue.withdraw(held, by=access.person(request))
        messages.success(request, _("Withdrawn. The rankings stand as if it had not been."))
    except AssignmentError as error:
        messages.error(request, str(error))
    return redirect("adjudications", slug)


def _next_url(request: HttpRequest, project: Project) -> str:
    claimed = queue.claim(project, by=access.person(request))
    if claimed is not None:
        return reverse("adjudication", args=(project.slug, claimed.id))
    messages.info(
        request,
        project.why_no_new_work
        or _("Nothing waits for you. What you ranked, or saw the orders of, is for another reviewer."),
    )
    return reverse("adjudications", args=(project.slug,))


def _page_of(request: HttpRequest, project: Project, held: Adjudication) -> HttpResponse:
    user = access.person(request)
    is_mine = held.reviewer_id == user.pk
    if held.state == Adjudication.State.WAITING and is_mine:
        return _board_page(request, project, queue.renew(held, by=user))
    if held.state == Adjudication.State.DONE or (held.state in Adjudication.GIVEN and is_mine):
        return _given_page(request, project, held)
    messages.info(
        request, _("This adjudication is not in your hands: it waits, is another reviewer's, or is withdrawn.")
    )
    return redirect("adjudications", project.slug)


def _refusal(
    request: HttpRequest, project: Project, held: Adjudication, values: dict[str, Any], sentence: str, status: int
) -> HttpResponse:
    if request.content_type == "application/json":
        return JsonResponse({"error": sentence}, status=status)
    if held.reviewer_id != access.person(request).pk:
        messages.error(request, sentence)
        return redirect("adjudications", project.slug)
    return _board_page(request, project, held, posted=values, error=sentence, status=status)


def _seconds_left(held: Adjudication) -> int:
    return max(0, int((held.expires_at - timezone.now()).total_seconds())) if held.expires_at else 0


def _board_page(
    request: HttpRequest,
    project: Project,
    held: Adjudication,
    *,
    posted: dict[str, Any] | None = None,
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    """The ordinary board. Nothing on it says how others ranked, not even how many they are."""
    layout = held.draft.get("layout") or board.layout_of(access.person(request))
    context = board.board_context(
        held.comparison, shown_order=held.shown_order, layout=layout, posted=posted, error=error
    )
    names = {"submit": "adjudication", "draft": "adjudication_draft", "renew": "renew_adjudication"}
    urls = {key: reverse(name, args=(project.slug, held.id)) for key, name in names.items()}
    facts = board.board_facts(f"adjudication:{held.id}", num=len(held.shown_order), layout=layout, urls=urls) | {
        "draft": held.draft,
        "draft_version": held.draft_version,
        "seconds_left": _seconds_left(held),
    }
    context |= {
        "project": project,
        "section": "quality",
        "adjudication": held,
        "why_this_one": _("An adjudication: order it as you would, before you see the others."),
        "submit_label": _("Store my order"),
        "submission_key": (posted or {}).get("key") or uuid.uuid5(held.id, f"order by {held.reviewer_id}"),
        "facts": facts,
    }
    return render(request, "labeling/rankings/ranking.html", context, status=status)


def _given_page(
    request: HttpRequest, project: Project, held: Adjudication, *, form: AdjudicationForm | None = None
) -> HttpResponse:
    user = access.person(request)
    may_decide = held.state == Adjudication.State.ORDERED and held.reviewer_id == user.pk
    if not may_decide and held.state != Adjudication.State.DONE:
        messages.error(request, _("This adjudication is settled already, or was called off."))
        return redirect("adjudications", project.slug)
    if request.method == "GET":
        queue.note_seen(user, held.comparison)
    context = {
        "project": project,
        "section": "quality",
        "adjudication": held,
        "form": (form or AdjudicationForm(adjudication=held)) if may_decide else None,
        "returned": held.returned.select_related("lease__trainer"),
        "may_withdraw": queue.may_withdraw(held, by=user),
        "beside": side_by_side(held.comparison, adjudication=held, by=user),
        "earlier_messages": held.comparison.messages[:-1],
        "last_message": held.comparison.messages[-1],
    }
    return render(request, "labeling/rankings/adjudication.html", context, status=422 if form is not None else 200)
