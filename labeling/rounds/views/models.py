"""The model registry: all models, and each one's lineage in both directions."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from labeling.exports.lineage import Registry, exports_behind, retractions_behind
from labeling.exports.retractions import num_erased
from labeling.models import Policy, Project, RewardModel, User
from labeling.models.projects import ProjectQuerySet
from labeling.rounds.metrics_table import metric_rows
from labeling.rounds.model_comparison import kind_of, models_beside
from labeling.rounds.model_files import card_of, members_of
from labeling.rounds.withdrawn_judgements import with_withdrawn
from labeling.sampling import sharing
from labeling.web import access
from labeling.web.access import ENGINEERS
from labeling.web.permissions import model_access
from labeling.web.tar_stream import tar_length


@access.role_required(*ENGINEERS)
@require_GET
def models(request: HttpRequest) -> HttpResponse:
    registry, seen = Registry(), model_access.visible_models(request)
    in_use: dict[uuid.UUID, list[Project]] = {}
    for project in Project.objects.visible_to(access.person(request)).exclude(policy=None):
        in_use.setdefault(project.policy_id, []).append(project)  # type: ignore[arg-type]
    context = {
        "section": "models",
        "policies": [
            (registry.origin_of(policy), in_use.get(policy.id, [])) for policy in registry.policies if policy.id in seen
        ],
        "reward_models": [registry.origin_of(model) for model in registry.reward_models if model.id in seen],
        "seen": seen,
    }
    return render(request, "labeling/rounds/models.html", context)


@access.role_required(*ENGINEERS)
@require_GET
def model(request: HttpRequest, model_id: uuid.UUID) -> HttpResponse:
    """One model: its metrics, the exports and models that it was made from, and the models made from it."""
    found = model_access.model_for(request, model_id)
    registry, seen = Registry(), model_access.visible_models(request)
    visible = set(Project.objects.visible_to(access.person(request)).values_list("id", flat=True))
    context = {
        "section": "models",
        "model": found,
        "origin": registry.origin_of(found),
        "after": [one for one in registry.models_after(found) if one.id in seen],
        "seen": seen,
        "visible": visible,
        "taken_back": retractions_behind(found),
        "num_erased": sum(map(num_erased, exports_behind(found))),
        **(_promotion_context(request, found) if isinstance(found, Policy) else {}),
        **_sharing_context(request, found),
        **_making_context(request, found, registry),
        "metrics": metric_rows(found.metrics, kind_of(found)),
    }
    return render(request, "labeling/rounds/model.html", context)


@access.role_required(User.Role.ADMIN)
@require_POST
def share_model(request: HttpRequest, model_id: uuid.UUID) -> HttpResponse:
    """Share it with another project: its people see it, and its engineers train and sample with it."""
    found = model_access.model_for(request, model_id)
    project = get_object_or_404(Project, slug=request.POST.get("project", ""))
    try:
        sharing.share(found, with_project=project, by=access.person(request))
    except sharing.SharingError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("%(project)s has it now.") % {"project": project})
    return redirect("model", model_id)


@access.role_required(User.Role.ADMIN)
@require_POST
def revoke_share(request: HttpRequest, model_id: uuid.UUID, slug: str) -> HttpResponse:
    found = model_access.model_for(request, model_id)
    project = get_object_or_404(Project, slug=slug)
    try:
        sharing.revoke(found, project=project, by=access.person(request))
    except sharing.SharingError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("%(project)s has it no more.") % {"project": project})
    return redirect("model", model_id)


def _sharing_context(request: HttpRequest, model: Policy | RewardModel) -> dict[str, Any]:
    """Whose it is; for an admin also whom it is shared with, and whom it could be."""
    if model.project is None or not access.person(request).is_admin:
        return {"owner": model.project}
    shares = list(model.shares.in_force().select_related("project", "by").order_by("project__name"))
    having = [model.project.pk, *(one.project_id for one in shares)]
    others = Project.objects.current().exclude(id__in=having).order_by("name")
    return {"owner": model.project, "shares": shares, "others": others, "may_share": True}


def _making_context(request: HttpRequest, model: Policy | RewardModel, registry: Registry) -> dict[str, Any]:
    """The job that made it, its card, and what can be done with its files."""
    job = model.training_job
    is_own, seen = model_access.is_own(request, model), model_access.visible_models(request)
    others = (one for one in (*registry.policies, *registry.reward_models) if one.id in seen)
    return {
        "job": job,
        "is_own": is_own,
        "num_bytes": tar_length(members) if is_own and (members := members_of(model)) else 0,
        "card": card_of(model) if is_own else "",
        "beside": models_beside(model, others),
    }


def _promotion_context(request: HttpRequest, policy: Policy) -> dict[str, Any]:
    """Where the policy was promoted, among the projects that this person sees, and where it could be."""
    projects = Project.objects.visible_to(access.person(request))
    promotions = policy.promotions.filter(project__in=projects).select_related(
        "project", "before", "by", "evaluation", "policy"
    )
    is_offered = policy.state != Policy.State.RETIRED
    return {
        "promotions": with_withdrawn(promotions),
        "places": _places(projects, policy) if is_offered else [],
    }


def _places(projects: ProjectQuerySet, policy: Policy) -> list[Project]:
    """Projects of this person in which it could be promoted: those that it is open to."""
    return [
        one for one in projects.current().exclude(policy=policy).order_by("name") if sharing.is_open_to(policy, one)
    ]
