"""Evaluations of policies by people: all of a project's, a new one, and one with its figures."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labeling.models import Candidate, Comparison, Evaluation, Project
from labeling.rounds import evaluations as peoples
from labeling.rounds.errors import RoundError
from labeling.rounds.evaluation_forms import EvaluationForm
from labeling.rounds.verdicts import figures_of, judgements_of, num_alike
from labeling.rounds.withdrawn_judgements import shaken
from labeling.statistics.sequential import bounds
from labeling.web import access
from labeling.web.access import ENGINEERS

MOST_SHOWN = 30


@access.role_required(*ENGINEERS)
@require_http_methods(["GET", "POST"])
def evaluations(request: HttpRequest, slug: str) -> HttpResponse:
    """The project's evaluations, newest first, and the form of a new one."""
    project = access.project_for(request, slug)
    if request.method == "GET":
        asked = {"candidates": request.GET.getlist("candidate")}
        return _list_page(request, project, EvaluationForm(project=project, initial=asked))
    form = EvaluationForm(request.POST, project=project)
    if not form.is_valid():
        return _list_page(request, project, form)
    try:
        begun = peoples.begin(
            project,
            list(form.cleaned_data["candidates"]),
            by=access.person(request),
            num_prompts=form.cleaned_data["num_prompts"],
            verdicts_per_pair=form.cleaned_data["verdicts_per_pair"],
            share=form.cleaned_data["share"] / 100,
        )
    except RoundError as error:
        form.add_error(None, str(error))
        return _list_page(request, project, form)
    return redirect("evaluation", slug, begun.id)


@access.role_required(*ENGINEERS)
@require_GET
def evaluation(request: HttpRequest, slug: str, evaluation_id: uuid.UUID) -> HttpResponse:
    """One evaluation: how far it is, and what people said of each candidate."""
    found = access.evaluation_for(request, evaluation_id, slug=slug)
    template = (
        "labeling/rounds/_evaluation_state.html"
        if request.headers.get("HX-Request")
        else "labeling/rounds/evaluation.html"
    )
    return render(request, template, {"section": "rounds", "project": found.project, **evaluation_context(found)})


@access.role_required(*ENGINEERS)
@require_POST
def stop_evaluation(request: HttpRequest, slug: str, evaluation_id: uuid.UUID) -> HttpResponse:
    found = access.evaluation_for(request, evaluation_id, slug=slug)
    peoples.stop(found, by=access.person(request))
    messages.success(request, _("The evaluation is stopped. What was judged is kept."))
    return redirect("evaluation", slug, found.id)


def evaluation_context(found: Evaluation) -> dict[str, Any]:
    """What the page of an evaluation shows."""
    design = peoples.design_of(found)
    pairs = found.comparisons.all()
    return {
        "evaluation": found,
        "design": design,
        "bounds": list(zip(design.looks, bounds(design), strict=True)),
        "words": [word_of(candidate) for candidate in found.candidates.select_related("policy")],
        "num_pairs": pairs.count(),
        "num_sampling": pairs.filter(state=Comparison.State.SAMPLING).count(),
        "num_failed": pairs.filter(state=Comparison.State.FAILED).count(),
        "num_alike": num_alike(found),
    }


def word_of(candidate: Candidate) -> dict[str, Any]:
    """What people said of a candidate so far, and when the test looks next."""
    evaluation = candidate.evaluation
    judgements = judgements_of(evaluation, candidate.policy)
    still_to_come = [num for num in peoples.design_of(evaluation).looks if num > len(judgements)]
    return {
        "candidate": candidate,
        "figures": figures_of(judgements),
        "num_judgements": len(judgements),
        "next_look": still_to_come[0] if candidate.verdict == Candidate.Verdict.OPEN and still_to_come else None,
        "last_look": candidate.looks[-1] if candidate.looks else None,
        "shaken": shaken(candidate),
    }


def _list_page(request: HttpRequest, project: Project, form: EvaluationForm) -> HttpResponse:
    found = project.evaluations.select_related("baseline", "created_by").prefetch_related("candidates__policy")
    context = {
        "project": project,
        "section": "rounds",
        "form": form,
        "evaluations": found[:MOST_SHOWN],
        "has_open": project.evaluations.filter(state=Evaluation.State.OPEN).exists(),
    }
    return render(request, "labeling/rounds/evaluations.html", context, status=422 if form.errors else 200)
