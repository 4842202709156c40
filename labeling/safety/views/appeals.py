"""Appealing, one's own appeals, and the queue in which others decide them blind.

No page here shows who decides a probability, a verdict or an author.
"""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labeling.models import Appeal, Project, Screening
from labeling.models.safety.categories import CATEGORIES
from labeling.safety import appeals, lookup
from labeling.safety.appeal_forms import AppealForm, DecisionForm
from labeling.safety.appeals import AlreadyDone, AppealError
from labeling.web import access
from labeling.web.access import REVIEWERS

MOST_SHOWN = 100
FOUND = 302


@access.signed_in
@require_http_methods(["GET", "POST"])
def appeal(request: HttpRequest, slug: str, screening_id: uuid.UUID) -> HttpResponse:
    """The form with which a person appeals, and what became of it. 409 where they have appealed before."""
    screening = lookup.own_screening(request, screening_id, slug=slug)
    context, status = appeal_form(request, screening)
    if status == FOUND:
        return redirect("appeal", slug, screening.id)
    shared = {"project": screening.project}
    return render(request, "labeling/safety/appeal.html", shared | context, status=status)


def appeal_form(request: HttpRequest, screening: Screening) -> tuple[dict[str, Any], int]:
    """What a page that takes an appeal shows, and its status: FOUND where one was made just now."""
    form, status = AppealForm(request.POST or None), 200
    if request.method == "POST":
        try:
            if form.is_valid():
                appeals.appeal(screening, access.person(request), form.cleaned_data["why"])
            status = FOUND if form.is_valid() else 422
        except AppealError as error:
            form.add_error(None, str(error))
            status = 409 if isinstance(error, AlreadyDone) else 422
    made = Appeal.objects.filter(screening=screening).first()
    context = {
        "screening": screening,
        "category": CATEGORIES.get(screening.category, screening.category),
        "appeal": made,
        "form": form,
        "why_not": "" if made else appeals.why_not(screening, access.person(request)),
    }
    return context, status


@access.signed_in
@require_GET
def own_appeals(request: HttpRequest) -> HttpResponse:
    """A person's own appeals, and what was answered."""
    found = list(appeals.appeals_of(access.person(request))[:MOST_SHOWN])
    return render(request, "labeling/safety/own_appeals.html", {"appeals": found, "names": CATEGORIES})


@access.role_required(*REVIEWERS)
@require_GET
def queue(request: HttpRequest, slug: str) -> HttpResponse:
    """The open appeals that this person may decide, the oldest first."""
    project = access.project_for(request, slug)
    waiting = appeals.open_to(project, access.person(request))
    num_all = Appeal.objects.waiting().filter(project=project).count()
    num = waiting.count()
    context = {
        "project": project,
        "section": "quality",
        "appeals": waiting[:MOST_SHOWN],
        "num": num,
        "num_for_others": num_all - num,
    }
    return render(request, "labeling/safety/appeals.html", context)


@access.role_required(*REVIEWERS)
@require_http_methods(["GET", "POST"])
def decide(request: HttpRequest, slug: str, appeal_id: uuid.UUID) -> HttpResponse:
    """One appeal with the reply that it gets. 409 where somebody else has decided it."""
    project = access.project_for(request, slug)
    found = lookup.appeal_of(project, appeal_id)
    form = DecisionForm(request.POST or None)
    if request.method == "GET":
        return _decision_page(request, project, found, form)
    if not form.is_valid():
        return _decision_page(request, project, found, form, status=422)
    overturns = form.cleaned_data["decision"] == Appeal.State.OVERTURNED
    try:
        appeals.decide(found, by=access.person(request), overturns=overturns, reply=form.cleaned_data["reply"])
    except AppealError as error:
        form.add_error(None, str(error))
        status = 409 if isinstance(error, AlreadyDone) else 422
        return _decision_page(request, project, found, form, status=status)
    messages.success(request, _("Decided. The person reads your reply."))
    return redirect("appeals", slug)


@access.role_required(*REVIEWERS)
@require_POST
def reveal(request: HttpRequest, slug: str, appeal_id: uuid.UUID) -> HttpResponse:
    """The text that an appeal is about, for who may decide it. That it was read is in the audit."""
    project = access.project_for(request, slug)
    found = lookup.appeal_of(project, appeal_id)
    try:
        text = appeals.reveal(found, by=access.person(request))
    except AppealError as error:
        return render(request, "labeling/safety/_revealed.html", {"problem": str(error)}, status=409)
    if request.headers.get("HX-Request"):
        return render(request, "labeling/safety/_revealed.html", {"text": text})
    return _decision_page(request, project, found, DecisionForm(), text=text)


def _decision_page(
    request: HttpRequest, project: Project, found: Appeal, form: DecisionForm, *, text: str = "", status: int = 200
) -> HttpResponse:
    context = {
        "project": project,
        "section": "quality",
        "appeal": found,
        "category": CATEGORIES.get(found.screening.category, found.screening.category),
        "may_decide": appeals.may_decide(found, access.person(request)),
        "form": form,
        "text": text,
    }
    return render(request, "labeling/safety/decide_appeal.html", context, status=status)
