"""The pages of practice and gold items: list them with people's agreement, make one from a comparison, retire one."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labeling.models import Adjudication, Comparison, Project, Ranking, Reference, User
from labeling.rankings import adjudication
from labeling.rankings.board_input import BoardError, read_request, read_submission
from labeling.rankings.forms import ExplanationForm, ReferenceForm
from labeling.rankings.reference_agreement import NO_FIGURES, figures_by_reference
from labeling.rankings.references import (
    InvalidReference,
    change_explanation,
    live_reference,
    make_reference,
    set_retired,
)
from labeling.rankings.submission import AssignmentError
from labeling.rankings.views import board
from labeling.web import access
from labeling.web.access import WATCHERS
from labeling.web.listing import NEWEST, OLDEST, by_column, listing
from labeling.web.search import with_words_in_messages


@access.role_required(*WATCHERS)
@require_GET
def references(request: HttpRequest, slug: str) -> HttpResponse:
    """Every practice and gold item with people's agreement with it."""
    project = access.project_for(request, slug)
    figures = figures_by_reference(Reference.objects.filter(comparison__project=project))
    rows = [(row, figures.get(row.comparison_id, NO_FIGURES)) for row in Reference.objects.of(project)]
    context = {
        "project": project,
        "section": "quality",
        "groups": [
            (_("Practice"), [row for row in rows if row[0].comparison.use == Comparison.Use.PRACTICE]),
            (_("Gold"), [row for row in rows if row[0].comparison.use == Comparison.Use.GOLD]),
        ],
        "is_empty": not rows,
    }
    return render(request, "labeling/rankings/references.html", context)


@access.role_required(*WATCHERS)
@require_GET
def choose_comparison(request: HttpRequest, slug: str) -> HttpResponse:
    """The project's comparisons, newest first, to choose one for a reference ranking."""
    project = access.project_for(request, slug)
    states = [(state, Comparison.State(state).label) for state in Comparison.COMPLETE]
    found = listing(
        request.GET,
        project.comparisons.reference_candidates(),
        orders=(NEWEST, OLDEST),
        filters=(by_column("state", _("State"), states),),
        search=with_words_in_messages,
    )
    context = {"project": project, "section": "quality", "listing": found}
    return render(request, "labeling/rankings/choose_comparison.html", context)


@access.role_required(*WATCHERS)
@require_http_methods(["GET", "POST"])
def new_reference(request: HttpRequest, slug: str, comparison_id: uuid.UUID) -> HttpResponse:
    """The board, empty or as somebody ranked it, with the use and the explanation of the reference ranking."""
    project = access.project_for(request, slug)
    if project.comparisons.exclude(use=Comparison.Use.WORK).filter(id=comparison_id).exists():
        return redirect("reference", project.slug, comparison_id)
    comparison = access.candidate_of(project, comparison_id)
    if request.method == "GET":
        by = access.person(request)
        if not adjudication.is_blind(project, comparison, by=by) and comparison.num_rankings:
            adjudication.note_seen(by, comparison)
        return _board_page(request, project, comparison)
    values: dict[str, Any] = {}
    try:
        values = read_request(request)
        form = ReferenceForm(values)
        if not form.is_valid():
            raise InvalidReference(" ".join(str(errors[0]) for errors in form.errors.values()))
        submission, key = read_submission(values)
        make_reference(comparison, submission, key=key, by=access.person(request), **form.cleaned_data)
    except (BoardError, AssignmentError, InvalidReference) as error:
        if request.content_type == "application/json":
            return JsonResponse({"error": str(error)}, status=422)
        return _board_page(request, project, comparison, posted=values, error=str(error))
    messages.success(request, _("The reference ranking is in use."))
    url = reverse("references", args=(project.slug,))
    return board.answer(request, url)


@access.role_required(*WATCHERS)
@require_http_methods(["GET", "POST"])
def reference(request: HttpRequest, slug: str, comparison_id: uuid.UUID) -> HttpResponse:
    """One reference ranking in full, with the form for its lesson and explanation."""
    project = access.project_for(request, slug)
    found = access.reference_of(project, comparison_id)
    form = ExplanationForm(request.POST or None, initial={"lesson": found.lesson, "explanation": found.explanation})
    if request.method == "POST" and form.is_valid():
        change_explanation(found, by=access.person(request), **form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("reference", project.slug, comparison_id)
    comparison = found.comparison
    letters = board.letters([identifier for tier in found.tiers for identifier in tier])
    context = {
        "project": project,
        "section": "quality",
        "reference": found,
        "form": form,
        "figures": figures_by_reference(Reference.objects.filter(pk=found.pk)).get(comparison.id, NO_FIGURES),
        "earlier_messages": comparison.messages[:-1],
        "last_message": comparison.messages[-1],
        "completions": board.reference_completions(found, comparison, letters),
    }
    return render(request, "labeling/rankings/reference.html", context, status=422 if form.errors else 200)


@access.role_required(*WATCHERS)
@require_POST
def retire_reference(request: HttpRequest, slug: str, comparison_id: uuid.UUID) -> HttpResponse:
    """Retire a reference ranking, or bring it back."""
    project = access.project_for(request, slug)
    found = access.reference_of(project, comparison_id)
    try:
        set_retired(found, retired=request.POST.get("retired") == "yes", by=access.person(request))
    except InvalidReference as error:
        messages.error(request, str(error))
    return redirect("references", project.slug)


def _board_page(
    request: HttpRequest,
    project: Project,
    comparison: Comparison,
    *,
    posted: dict[str, Any] | None = None,
    error: str = "",
) -> HttpResponse:
    user = access.person(request)
    order = [
        str(identifier) for identifier in comparison.completions.order_by("index", "id").values_list("id", flat=True)
    ]
    layout = board.layout_of(user)
    adopted, draft = _adopted(request, comparison, len(order))
    urls = {"submit": reverse("new_reference", args=(project.slug, comparison.id))}
    name = f"reference:{comparison.id}:{user.id}:{adopted}"
    facts = board.board_facts(name, num=len(order), layout=layout, urls=urls)
    context = board.board_context(comparison, shown_order=order, layout=layout, posted=posted, error=error)
    context |= {
        "project": project,
        "section": "quality",
        "why_this_one": _("A reference ranking: the order as it should be."),
        "submit_label": _("Use this order"),
        "submission_key": (posted or {}).get("key") or uuid.uuid4(),
        "facts": facts | draft,
        "reference_form": ReferenceForm(posted or None, initial={"use": Comparison.Use.PRACTICE}),
        "in_use": live_reference(comparison),
        "rankings": _rankings(project, comparison, order, by=user),
        "adopted": adopted,
    }
    return render(request, "labeling/rankings/ranking.html", context, status=422 if error else 200)


def _rankings(project: Project, comparison: Comparison, order: list[str], *, by: User) -> list[tuple[Ranking, str]]:
    """Up to 20 rankings of the comparison, any of which the board can start from.

    None while this person may be given its adjudication, which is blind.
    """
    if adjudication.is_blind(project, comparison, by=by):
        return []
    standing = comparison.rankings.filter(retracted_at=None, abstained=None).select_related("trainer")
    letters = board.letters(order)
    return [
        (ranking, board.format_order(ranking.tiers, ranking.unacceptable_from, letters, strengths=ranking.strengths))
        for ranking in standing.order_by("ranked_at")[:20]
    ]


def _adopted(request: HttpRequest, comparison: Comparison, num_shelves: int) -> tuple[str, dict[str, Any]]:
    """The id and the board of the ranking or the adjudication that `?adopt=` names; empty if it names none."""
    named = request.GET.get("adopt", "")
    given = comparison.adjudications.filter(state=Adjudication.State.DONE)
    known = [*comparison.rankings.filter(abstained=None), *given]
    ranking = next((one for one in known if str(one.id) == named), None)
    if ranking is None:
        return "", {}
    line = num_shelves + 1 if ranking.unacceptable_from is None else ranking.unacceptable_from + 1
    shelves = {identifier: place + 1 for place, tier in enumerate(ranking.tiers) for identifier in tier}
    return named, {"draft": {"board": {"shelves": shelves, "line": line}}, "draft_saved_at": timezone.now().timestamp()}
