"""Operations on training jobs and reward models: start a job as the rounds page does, follow it, stop it."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest
from ninja import Query, Router, Status

from labeling.api import loop_schemas as schemas
from labeling.api.authentication import scope_required
from labeling.api.errors import ApiError
from labeling.api.pagination import NEWEST_FIRST, Page, Place, page_of
from labeling.models import ApiToken, Project, TrainingJob
from labeling.rounds import job_logs, training_jobs
from labeling.rounds.forms import TRAINING_FORMS
from labeling.rounds.log_downloads import log_response
from labeling.rounds.training_form import TrainingForm
from labeling.web import access
from labeling.web.access import ENGINEERS
from labeling.web.permissions import model_access

READ, WRITE = ApiToken.Scope.READ, ApiToken.Scope.WRITE
_ROWS = {  # fields of the form that choose a row, by the field of the request
    "export_id": "export",
    "policy_id": "policy",
    "reward_model_id": "reward_model",
    "demonstrations_id": "demonstrations",
    "ensemble_model_ids": "ensemble_models",
    "watching_model_id": "watching_model",
}
router = Router()


@router.get("/reward-models", response=Page[schemas.RewardModel])
@scope_required(READ)
@access.role_required(*ENGINEERS)
def list_reward_models(request: HttpRequest, place: Query[Place], name: str | None = None) -> Any:
    """The registry of reward models, newest first."""
    found = model_access.reward_models_for(request)
    return page_of(found.filter(name=name) if name else found, place, order=NEWEST_FIRST)


@router.get("/projects/{slug}/jobs", response=Page[schemas.Job])
@scope_required(READ)
@access.role_required(*ENGINEERS)
def list_jobs(request: HttpRequest, slug: str, place: Query[Place]) -> Any:
    """Training jobs of a project, newest first."""
    found = TrainingJob.objects.filter(project=access.project_for(request, slug)).prefetch_related("ensemble_models")
    return page_of(found, place, order=NEWEST_FIRST)


@router.post("/projects/{slug}/jobs", response={201: schemas.Job})
@scope_required(WRITE)
@access.role_required(*ENGINEERS)
def start_job(request: HttpRequest, slug: str, given: schemas.NewJob) -> Any:
    """Start a training job. What is left out is as the form of the rounds page has it."""
    project = access.project_for(request, slug)
    form = _form(project, given)
    if not form.is_valid():
        raise _refused(form)
    by = access.person(request)
    return Status(201, training_jobs.start_job(project, **form.inputs, options=form.options, by=by))


@router.get("/projects/{slug}/jobs/{job_id}", response=schemas.Job)
@scope_required(READ)
@access.role_required(*ENGINEERS)
def get_job(request: HttpRequest, slug: str, job_id: UUID) -> Any:
    """How far a job is, what it measured, and the model that it made."""
    return access.training_job_for(request, job_id, slug=slug)


@router.post("/projects/{slug}/jobs/{job_id}/cancel", response=schemas.Job)
@scope_required(WRITE)
@access.role_required(*ENGINEERS)
def cancel_job(request: HttpRequest, slug: str, job_id: UUID) -> Any:
    """Stop a job; one that is over is unchanged."""
    found = access.training_job_for(request, job_id, slug=slug)
    training_jobs.cancel_job(found, by=access.person(request))
    found.refresh_from_db()
    return found


@router.get("/projects/{slug}/jobs/{job_id}/logs", response=list[schemas.JobLog])
@scope_required(READ)
@access.role_required(*ENGINEERS)
def list_job_logs(request: HttpRequest, slug: str, job_id: UUID) -> Any:
    """The logs of a job, one of each attempt that a worker began, newest first."""
    return job_logs.logs_of(access.training_job_for(request, job_id, slug=slug))


@router.get("/projects/{slug}/jobs/{job_id}/logs/{attempt}")
@scope_required(READ)
@access.role_required(*ENGINEERS)
def get_job_log(request: HttpRequest, slug: str, job_id: UUID, attempt: int) -> Any:
    """What the program of this attempt said so far, as plain text; of a very long log, its end."""
    found = access.training_job_for(request, job_id, slug=slug)
    log = job_logs.log_of(found, attempt)
    if log is None:
        raise Http404
    return log_response(request, log, name=f"{found.output_name}-attempt-{attempt}.log")


def _form(project: Project, given: schemas.NewJob) -> TrainingForm:
    """The form of the rounds page, filled with what was given, and with its own proposals for the rest."""
    form_class = TRAINING_FORMS[given.kind]
    proposed = form_class(project=project)
    values = {name: proposed.get_initial_for_field(field, name) for name, field in proposed.fields.items()}
    if unknown := sorted(set(given.options) - set(proposed.fields) | set(given.options) & {"kind", *_ROWS.values()}):
        raise ApiError(
            422,
            where=f"body.options.{unknown[0]}",
            what=f"A job of the kind {given.kind} has no option “{unknown[0]}”.",
            what_to_do=f"Its options are: {', '.join(sorted(set(proposed.fields) - {'kind', *_ROWS.values()}))}.",
        )
    rows = {name: getattr(given, field) for field, name in _ROWS.items() if getattr(given, field) is not None}
    named = {"output_name": given.output_name} if given.output_name else {}
    return form_class({**values, **rows, **named, **given.options}, project=project)


def _refused(form: TrainingForm) -> ApiError:
    fields = {name: f"body.{field}" for field, name in _ROWS.items()} | {"output_name": "body.output_name"}
    problems = [
        {"where": fields.get(name, "body" if name == "__all__" else f"body.options.{name}"), "what": str(text)}
        for name, texts in form.errors.items()
        for text in texts
    ]
    first, *others = problems
    what_to_do = "Mend the fields that are named; ids are those of `exports`, `policies` and `reward-models`."
    return ApiError(422, where=first["where"], what=first["what"], what_to_do=what_to_do, others=others)
