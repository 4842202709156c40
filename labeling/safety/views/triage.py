"""Triage: the queue, one case with its texts revealed on demand, the decision, and what is made of it."""

import uuid
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from labeling.models import Case, FollowUp, Project, Report
from labeling.safety import follow_ups, triage
from labeling.safety.triage import ORDER, Revealed, TriageError
from labeling.safety.triage_forms import DecisionForm
from labeling.web import access
from labeling.web.access import REVIEWERS
from labeling.web.listing import Order, by_column, listing

MOST_NOTES = 50  # reports of one case whose notes are listed
_URGENT = Order(name="urgent", label=gettext_lazy("most urgent first"), columns=ORDER)
_NEWEST = Order(name="newest", label=gettext_lazy("newest first"), columns=("-last_reported_at", "-id"))


@access.role_required(*REVIEWERS)
@require_GET
def triage_queue(request: HttpRequest, slug: str) -> HttpResponse:
    """The open cases, the most urgent first."""
    project = access.project_for(request, slug)
    return _list(request, project, triage.queue(project), _URGENT)


@access.role_required(*REVIEWERS)
@require_GET
def decided_cases(request: HttpRequest, slug: str) -> HttpResponse:
    """The cases that were decided on, those reported last first."""
    project = access.project_for(request, slug)
    return _list(request, project, triage.decided(project), _NEWEST)


@access.role_required(*REVIEWERS)
@require_GET
def case(request: HttpRequest, slug: str, case_id: uuid.UUID) -> HttpResponse:
    """One case without its texts: who says what of it, and what came of it."""
    return _page(request, _case(request, case_id, slug=slug))


@access.role_required(*REVIEWERS)
@require_POST
def reveal_case(request: HttpRequest, slug: str, case_id: uuid.UUID) -> HttpResponse:
    """The texts of a case, which the audit notes."""
    found = _case(request, case_id, slug=slug)
    texts = triage.reveal(found, by=access.person(request))
    if request.headers.get("HX-Request"):
        return render(request, "labeling/safety/_texts.html", {"project": found.project, "texts": texts})
    return _page(request, found, texts=texts)


@access.role_required(*REVIEWERS)
@require_POST
def decide_case(request: HttpRequest, slug: str, case_id: uuid.UUID) -> HttpResponse:
    """Agree with a case or not, with the reason; then the next one."""
    found = _case(request, case_id, slug=slug)
    form = DecisionForm(request.POST)
    if not form.is_valid():
        return _page(request, found, form=form, status=422)
    _before, after = triage.neighbours(found)
    values = form.cleaned_data
    agreed = values["agreed"] == "yes"
    try:
        triage.decide(found, agreed=agreed, action=values["action"], why=values["why"], by=access.person(request))
    except TriageError as error:
        return _page(request, found, form=form, problem=str(error), status=422)
    messages.success(request, _("Decided. Its reporters can read how, and why."))
    return redirect(_address(after or triage.queue(found.project).first(), found.project))


@access.role_required(*REVIEWERS)
@require_POST
def reopen_case(request: HttpRequest, slug: str, case_id: uuid.UUID) -> HttpResponse:
    """Take a decision back."""
    found = _case(request, case_id, slug=slug)
    triage.reopen(found, by=access.person(request))
    return redirect("case", slug, found.pk)


@access.role_required(*REVIEWERS)
@require_POST
def follow_case(request: HttpRequest, slug: str, case_id: uuid.UUID) -> HttpResponse:
    """Make a prompt, a demonstration or a probe of a case; the demonstration is opened to be written."""
    found = _case(request, case_id, slug=slug)
    kind = request.POST.get("kind", "")
    if kind not in FollowUp.Kind.values:
        return _page(request, found, problem=_("Choose what to make of it."), status=422)
    try:
        made = follow_ups.follow_up(found, kind, by=access.person(request))
    except TriageError as error:
        return _page(request, found, problem=str(error), status=422)
    if made.dialogue is not None and made.by_id == access.person(request).pk:
        return redirect("dialogue", slug, made.dialogue.pk)
    return redirect(f"{reverse('case', args=(slug, found.pk))}#made")


def _case(request: HttpRequest, case_id: uuid.UUID, *, slug: str) -> Case:
    project = access.project_for(request, slug)
    found = get_object_or_404(Case.objects.select_related("decided_by"), id=case_id, project=project)
    found.project = project
    return found


def _list(request: HttpRequest, project: Project, rows: QuerySet[Case], order: Order) -> HttpResponse:
    found = listing(
        request.GET, rows, orders=(order,), filters=(by_column("kinds__has_key", _("Kind"), Report.Kind.choices),)
    )
    context = {
        "project": project,
        "section": "triage",
        "listing": found,
        "is_decided": order is _NEWEST,
        "num_open": triage.num_open(project),
        "first": found.rows[0] if found.rows and order is _URGENT else None,
    }
    return render(request, "labeling/safety/triage.html", context)


def _page(
    request: HttpRequest,
    found: Case,
    *,
    texts: list[Revealed] | None = None,
    form: DecisionForm | None = None,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    before, after = triage.neighbours(found)
    reports = Report.objects.filter(case=found).select_related("reporter", "completion__policy", "message__policy")
    made = follow_ups.came_of(found)
    context: dict[str, Any] = {
        "project": found.project,
        "section": "triage",
        "case": found,
        "is_open": found.state == Case.State.OPEN,
        "reports": reports.order_by("-created_at", "-id")[:MOST_NOTES],
        "num_more": max(0, found.num_reports - MOST_NOTES),
        "before": before,
        "after": after,
        "earlier_decision": triage.decided_before(found),
        "texts": texts,
        "form": form or DecisionForm(initial={"action": _proposed(made)}),
        "problem": problem,
        "made": made,
        "to_make": _to_make({one.follow_up.kind for one in made}),
    }
    return render(request, "labeling/safety/case.html", context, status=status)


def _proposed(made: list[follow_ups.CameOfIt]) -> str:
    """The action that what was made already amounts to."""
    actions = {"prompt": Case.Action.COMPARE, "demonstration": Case.Action.DEMONSTRATE, "probe": Case.Action.PROBE}
    return str(actions[made[-1].follow_up.kind]) if made else ""


def _to_make(kinds: set[str]) -> list[tuple[str, str, str]]:
    """What can still be made, as (value, label, key)."""
    choices = [("prompt", _("Compare its prompt"), "p"), ("demonstration", _("Write a demonstration"), "d")]
    return [one for one in [*choices, ("probe", _("Keep it as a probe"), "b")] if one[0] not in kinds]


def _address(found: Case | None, project: Project) -> str:
    return reverse("triage", args=(project.slug,)) if found is None else reverse("case", args=(project.slug, found.pk))
