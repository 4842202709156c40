"""The rounds page: the steps of the loop, training jobs, policy evaluation and promotion."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labeling.models import Export, Policy, Project, Round, TrainingJob
from labeling.rounds import promotion, training_jobs
from labeling.rounds.errors import RoundError
from labeling.rounds.evaluation_forms import PromotionForm
from labeling.rounds.evaluation_requests import begin_evaluation, newest_evaluation
from labeling.rounds.forms import TRAINING_FORMS, form_again, options_beside_form
from labeling.rounds.job_files import disagreements_of
from labeling.rounds.metrics_table import metric_rows
from labeling.rounds.prerequisites import lacks_of
from labeling.rounds.steps import RoundStep, round_steps
from labeling.rounds.training_curves import curves_of
from labeling.rounds.training_form import TrainingForm
from labeling.rounds.training_inputs import EXPORT_KINDS, FROM_PREFERENCE, JobError, Kind
from labeling.rounds.views.evaluations import word_of
from labeling.rounds.withdrawn_judgements import with_withdrawn
from labeling.web import access
from labeling.web.access import ENGINEERS
from labeling.web.permissions import model_access

MOST_SHOWN = 30  # jobs and rounds; labeling.projects.views.lists has all jobs
BESIDE_PPO = tuple(kind.value for kind in FROM_PREFERENCE if kind != Kind.PPO)
SIDE_BY_SIDE = 5  # prompts whose two answers the page shows


@access.role_required(*ENGINEERS)
@require_GET
def rounds_page(request: HttpRequest, slug: str) -> HttpResponse:
    return _page(request, access.project_for(request, slug))


@access.role_required(*ENGINEERS)
@require_GET
def round_step_row(request: HttpRequest, slug: str) -> HttpResponse:
    """The steps alone, which the page polls."""
    project = access.project_for(request, slug)
    return render(request, "labeling/rounds/_steps.html", {"project": project, "steps": _steps(request, project)})


@access.role_required(*ENGINEERS)
@require_POST
def open_round(request: HttpRequest, slug: str) -> HttpResponse:
    """Start a round with the project's policy where none is open."""
    project = access.project_for(request, slug)
    try:
        promotion.start_round(project, policy=None, by=access.person(request))
    except RoundError as error:
        messages.error(request, str(error))
    return redirect("rounds", slug)


@access.role_required(*ENGINEERS)
@require_POST
def start_training(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request, slug)
    form_class = TRAINING_FORMS.get(request.POST.get("kind", ""))
    if form_class is None:
        return redirect("rounds", slug)
    form = form_class(request.POST, project=project)
    if not form.is_valid():
        return _page(request, project, form=form)
    try:
        job = training_jobs.start_job(project, **form.inputs, options=form.options, by=access.person(request))
    except JobError as error:
        form.add_error(None, str(error))
        return _page(request, project, form=form)
    return redirect("training_job", slug, job.id)


@access.role_required(*ENGINEERS)
@require_GET
def training_job(request: HttpRequest, slug: str, job_id: uuid.UUID) -> HttpResponse:
    job = access.training_job_for(request, job_id, slug=slug)
    context = {"section": "rounds", "disagreements": disagreements_of(job), **_job_context(job)}
    return render(request, "labeling/rounds/training_job.html", context)


@access.role_required(*ENGINEERS)
@require_GET
def job_state(request: HttpRequest, slug: str, job_id: uuid.UUID) -> HttpResponse:
    """The part of a job's page that changes while it runs."""
    job = access.training_job_for(request, job_id, slug=slug)
    return render(request, "labeling/rounds/_job_state.html", _job_context(job))


@access.role_required(*ENGINEERS)
@require_GET
def job_row(request: HttpRequest, slug: str, job_id: uuid.UUID) -> HttpResponse:
    """The job's row in the table of the rounds page."""
    job = access.training_job_for(request, job_id, slug=slug)
    return render(request, "labeling/rounds/_job_row.html", {"project": job.project, "job": job})


@access.role_required(*ENGINEERS)
@require_POST
def stop_job(request: HttpRequest, slug: str, job_id: uuid.UUID) -> HttpResponse:
    job = access.training_job_for(request, job_id, slug=slug)
    training_jobs.cancel_job(job, by=access.person(request))
    return redirect("training_job", slug, job.id)


@access.role_required(*ENGINEERS)
@require_POST
def retry_job(request: HttpRequest, slug: str, job_id: uuid.UUID) -> HttpResponse:
    job = access.training_job_for(request, job_id, slug=slug)
    try:
        training_jobs.retry_job(job, by=access.person(request))
    except JobError as error:
        messages.error(request, str(error))
    return redirect("training_job", slug, job.id)


@access.role_required(*ENGINEERS)
@require_http_methods(["GET", "POST"])
def compare_policy(request: HttpRequest, slug: str, policy_id: uuid.UUID) -> HttpResponse:
    """Evaluation of this policy against the project's on held-out prompts: request it, and watch the answers arrive."""
    project = access.project_for(request, slug)
    policy = model_access.policy_for(request, policy_id, project=project)
    if request.method == "POST":
        try:
            begin_evaluation(project, policy, by=access.person(request))
        except RoundError as error:
            messages.error(request, str(error))
        return redirect("compare_policy", slug, policy.id)
    template = (
        "labeling/rounds/_evaluation.html" if request.headers.get("HX-Request") else "labeling/rounds/compare.html"
    )
    return render(request, template, {"section": "rounds", **_evaluation_context(project, policy)})


@access.role_required(*ENGINEERS)
@require_http_methods(["GET", "POST"])
def promote_policy(request: HttpRequest, slug: str, policy_id: uuid.UUID) -> HttpResponse:
    """What people said of it, what promotion does, and the button; with a reason where people's word is missing."""
    project = access.project_for(request, slug)
    policy = model_access.policy_for(request, policy_id, project=project)
    form = PromotionForm(request.POST if request.method == "POST" else None)
    if request.method == "GET" or not form.is_valid():
        return _promotion_page(request, project, policy, form)
    reason = form.cleaned_data["reason"]
    try:
        promoted = promotion.promote(policy, project=project, by=access.person(request), reason=reason)
    except RoundError as error:
        return _promotion_page(request, project, policy, form, problem=str(error))
    assert promoted.opened is not None
    values = {"name": policy.name, "number": promoted.opened.number}
    messages.success(request, _("%(name)s answers from now on. Round %(number)d is open.") % values)
    return redirect("rounds", slug)


def _promotion_page(
    request: HttpRequest, project: Project, policy: Policy, form: PromotionForm, *, problem: str = ""
) -> HttpResponse:
    context = {
        "section": "rounds",
        "round": project.current_round,
        "form": form,
        "problem": problem,
        "needs_reason": promotion.why_reason(policy, project=project),
        "is_return": promotion.is_return(policy, project=project),
        **_evaluation_context(project, policy),
    }
    return render(request, "labeling/rounds/promote.html", context, status=422 if form.is_bound else 200)


def _page(request: HttpRequest, project: Project, *, form: TrainingForm | None = None) -> HttpResponse:
    jobs = project.training_jobs.select_related("export", "policy", "reward_model", "requested_by", "round")
    again = None if form else _job_to_repeat(request, project)
    shown = form or (form_again(again) if again else _requested_form(request, project))
    context = {
        "project": project,
        "section": "rounds",
        "again": again,
        "beside_form": options_beside_form(again) if again else [],
        "round": project.current_round,
        "steps": _steps(request, project),
        "trainings": _offered(*(kind for kind in TRAINING_FORMS if kind not in BESIDE_PPO)),
        "beside_ppo": _offered(*BESIDE_PPO),
        "form": shown,
        "lacks": lacks_of(shown, project) if shown else [],
        "jobs": jobs[:MOST_SHOWN],
        "past_rounds": _past_rounds(project),
    }
    return render(request, "labeling/rounds/rounds.html", context, status=422 if form else 200)


def _offered(*kinds: str) -> list[tuple[str, str, str]]:
    """The forms by name; not the classes themselves, since a template calls whatever is callable."""
    return [(kind, one.title, one.sentence) for kind, one in TRAINING_FORMS.items() if kind in kinds]


def _past_rounds(project: Project) -> list[Round]:
    rows = project.rounds.select_related("policy", "promotion__by", "promotion__evaluation", "promotion__policy")
    found = list(rows.order_by("-number")[:MOST_SHOWN])
    with_withdrawn(one.promotion for one in found if hasattr(one, "promotion"))
    return found


def _steps(request: HttpRequest, project: Project) -> list[RoundStep]:
    return round_steps(project, viewer=access.person(request))


def _requested_form(request: HttpRequest, project: Project) -> TrainingForm | None:
    """The form for the export or the kind of training in the query."""
    export = _requested_export(request, project)
    if export is not None:
        asked = request.GET.get("kind", "")
        kinds = [kind.value for kind, wanted in EXPORT_KINDS.items() if wanted == export.kind]
        kind = asked if asked in kinds else kinds[0]  # the first that reads it, so a reward model before DPO
        if kind not in TRAINING_FORMS:  # a filter has its own page
            return None
        return TRAINING_FORMS[kind](project=project, initial={"export": export.id})
    form_class = TRAINING_FORMS.get(request.GET.get("kind", ""))
    return form_class(project=project) if form_class else None


def _job_to_repeat(request: HttpRequest, project: Project) -> TrainingJob | None:
    """The job in the query, whose settings the form is to begin with."""
    try:
        jobs = project.training_jobs.filter(kind__in=TRAINING_FORMS)
        return jobs.filter(id=uuid.UUID(request.GET.get("again", ""))).first()
    except ValueError:
        return None


def _requested_export(request: HttpRequest, project: Project) -> Export | None:
    try:
        return project.exports.filter(id=uuid.UUID(request.GET.get("export", ""))).first()
    except ValueError:
        return None


_MADE = ("policy_made", "reward_model_made", "filter_made")


def _job_context(job: TrainingJob) -> dict[str, Any]:
    made = next((one for name in _MADE if (one := getattr(job, name, None))), None)
    results = made.metrics if made is not None else {}
    return {
        "project": job.project,
        "job": job,
        "made": made,
        "ensemble": job.ensemble_models.order_by("name"),
        "is_from_preference": job.kind in FROM_PREFERENCE,
        "curves": curves_of(job),
        "metrics": metric_rows(job.metrics, job.kind, results=results),  # type: ignore[arg-type]
    }


def _evaluation_context(project: Project, policy: Policy) -> dict[str, Any]:
    status = newest_evaluation(project, policy)
    word = promotion.peoples_word(policy, project=project)
    return {
        "project": project,
        "policy": policy,
        "word": word_of(word) if word is not None else None,
        "status": status,
        "answers": status.answers[:SIDE_BY_SIDE] if status else [],
    }
