"""The model registry: all models, and each one's lineage in both directions."""

import uuid
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from labeling.exports.lineage import Registry, exports_behind, retractions_behind
from labeling.exports.retractions import num_erased
from labeling.models import Policy, Project, RewardModel
from labeling.rounds.metrics_table import metric_rows
from labeling.rounds.model_comparison import kind_of, models_beside
from labeling.rounds.model_files import card_of, members_of
from labeling.rounds.withdrawn_judgements import with_withdrawn
from labeling.web import access
from labeling.web.access import ENGINEERS
from labeling.web.tar_stream import tar_length


@access.role_required(*ENGINEERS)
@require_GET
def models(request: HttpRequest) -> HttpResponse:
    registry = Registry()
    in_use: dict[uuid.UUID, list[Project]] = {}
    for project in Project.objects.visible_to(access.person(request)).exclude(policy=None):
        in_use.setdefault(project.policy_id, []).append(project)  # type: ignore[arg-type]
    context = {
        "section": "models",
        "policies": [(registry.origin_of(policy), in_use.get(policy.id, [])) for policy in registry.policies],
        "reward_models": [registry.origin_of(reward_model) for reward_model in registry.reward_models],
    }
    return render(request, "labeling/rounds/models.html", context)


@access.role_required(*ENGINEERS)
@require_GET
def model(request: HttpRequest, model_id: uuid.UUID) -> HttpResponse:
    """One model: its metrics, the exports and models that it was made from, and the models made from it."""
    registry = Registry()
    found = registry.find(model_id)
    if found is None:
        raise Http404
    visible = set(Project.objects.visible_to(access.person(request)).values_list("id", flat=True))
    context = {
        "section": "models",
        "model": found,
        "origin": registry.origin_of(found),
        "after": registry.models_after(found),
        "visible": visible,
        "taken_back": retractions_behind(found),
        "num_erased": sum(map(num_erased, exports_behind(found))),
        **(_promotion_context(request, found) if isinstance(found, Policy) else {}),
        **_making_context(request, found, registry),
        "metrics": metric_rows(found.metrics, kind_of(found)),
    }
    return render(request, "labeling/rounds/model.html", context)


def _making_context(request: HttpRequest, model: Policy | RewardModel, registry: Registry) -> dict[str, Any]:
    """The job that made it, its card, and what can be done with its files."""
    job = model.training_job
    is_own = job is None or Project.objects.visible_to(access.person(request)).filter(id=job.project_id).exists()
    return {
        "job": job,
        "is_own": is_own,
        "num_bytes": tar_length(members) if is_own and (members := members_of(model)) else 0,
        "card": card_of(model) if is_own else "",
        "beside": models_beside(model, [*registry.policies, *registry.reward_models]),
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
        "places": projects.current().exclude(policy=policy).order_by("name") if is_offered else [],
    }
