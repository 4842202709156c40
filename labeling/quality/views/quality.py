"""The quality page of a project, and the boards behind its figures."""

from dataclasses import replace
from datetime import date

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from labeling.dialogues.control_arm import arm_figures, has_control_arm
from labeling.models import Project
from labeling.quality.boards import FIGURES, PAGE, Board, boards_behind, shown
from labeling.quality.judging import AgreementFigures, Judging, judging_of
from labeling.quality.report import quality_figures
from labeling.quality.selection import EVERYTHING, Selection, SelectionForm, name_of
from labeling.rankings import adjudication as queue
from labeling.web import access
from labeling.web.access import FIGURE_READERS


@access.role_required(*FIGURE_READERS)
@require_GET
def quality(request: HttpRequest, slug: str) -> HttpResponse:
    """Figures with intervals, trainers one by one, and how many reports wait."""
    project = access.project_for(request, slug)
    form, selection = _selection(request, project)
    figures = quality_figures(project, selection)
    names_people = access.person(request).can_review
    judging = judging_of(project)
    judged = judging.trainers if judging else {}
    context = {
        "project": project,
        "section": "quality",
        "form": form,
        "selection": selection,
        "figures": figures,
        "trainers": [
            (name_of(one.trainer, names_people=names_people), one, judged.get(one.trainer.id))
            for one in figures.trainers
        ],
        "judging": judging,
        "agreements": _agreements(judging),
        "arms": arm_figures(project) if has_control_arm(project) else None,
        "num_cases": project.cases.open().count(),
    }
    return render(request, "labeling/quality/quality.html", context, status=200 if form.is_valid() else 422)


@access.role_required(*FIGURE_READERS)
@require_GET
def boards(request: HttpRequest, slug: str, figure: str) -> HttpResponse:
    """The boards behind a figure of the quality page, under the same selection."""
    project = access.project_for(request, slug)
    if figure not in FIGURES:
        raise Http404
    form, selection = _selection(request, project)
    week = _monday(request.GET.get("week", ""))
    behind = boards_behind(project, figure, selection, week=week)
    page = Paginator(behind, PAGE).get_page(request.GET.get("page"))
    names_people = access.person(request).can_review
    query = "&".join(part for part in (selection.query, f"week={week}" if week else "") if part)
    context = {
        "project": project,
        "section": "quality",
        "figure": FIGURES[figure],
        "form": form,
        "selection": selection,
        "query": query,
        "week": week,
        "page": page,
        # What could not be read selects nothing, so nobody has seen anything by it.
        "boards": _blindly(request, project, shown(list(page), names_people=names_people)) if form.is_valid() else [],
    }
    return render(request, "labeling/quality/boards.html", context, status=200 if form.is_valid() else 422)


def _agreements(judging: Judging | None) -> list[tuple[str, AgreementFigures]]:
    """How far people agree, by whose rankings they are."""
    if judging is None:
        return []
    rows = ((_("people of this project"), judging.people), (_("people in imported files"), judging.imported))
    return [(name, row) for name, row in rows if row is not None]


def _blindly(request: HttpRequest, project: Project, boards: list[Board]) -> list[Board]:
    """Without the orders of boards that this reader may be given to adjudicate; of the others it is noted who saw."""
    user = access.person(request)
    blind = queue.blind_among(project, [one.comparison for one in boards], by=user)
    queue.note_seen(user, *(one.comparison for one in boards if one.comparison.id not in blind))
    hidden = _("It waits for adjudication, which you may be given: its orders are hidden from you.")
    return [replace(one, orders=[], says=hidden) if one.comparison.id in blind else one for one in boards]


def _selection(request: HttpRequest, project: Project) -> tuple[SelectionForm, Selection]:
    """What the address asks for; a selection that is refused narrows nothing, and the form says why."""
    names_people = access.person(request).can_review
    form = SelectionForm(request.GET, project=project, names_people=names_people)
    return form, form.selection() if form.is_valid() else EVERYTHING


def _monday(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
