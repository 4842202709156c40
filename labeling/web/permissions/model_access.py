"""Access to models: what each engineer sees of the registry. Whose a model is, labeling.models.registry says.

As in labeling.web.access a model that this person may not see is missing: 404.
"""

import uuid

from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from labeling.models import Policy, Project, RewardModel, User
from labeling.web.permissions.guards import person

RELATED = ("project", "training_job__export", "training_job__policy", "training_job__reward_model")


def policies_for(request: HttpRequest) -> QuerySet[Policy]:
    """Policies of this engineer's projects, those shared with these, and the platform's; all for an admin."""
    policies: QuerySet[Policy] = Policy.objects.visible_to(_engineer(request)).select_related("parent")
    return policies


def reward_models_for(request: HttpRequest) -> QuerySet[RewardModel]:
    """Reward models, as `policies_for` has policies."""
    models: QuerySet[RewardModel] = RewardModel.objects.visible_to(_engineer(request))
    return models


def policy_for(request: HttpRequest, policy_id: uuid.UUID, *, project: Project) -> Policy:
    """A policy that this project may use."""
    _engineer(request)
    rows: QuerySet[Policy] = Policy.objects.open_to(project).select_related("training_job__export")
    return get_object_or_404(rows, id=policy_id)


def model_for(request: HttpRequest, model_id: uuid.UUID) -> Policy | RewardModel:
    """A policy or reward model that this engineer sees."""
    for rows in (policies_for(request), reward_models_for(request)):
        found = rows.select_related(*RELATED).filter(id=model_id).first()
        if found is not None:
            return found
    raise Http404


def own_model_for(request: HttpRequest, model_id: uuid.UUID) -> Policy | RewardModel:
    """A model whose weights this engineer may take away: of a project of theirs, or the platform's.

    None that is only shared: a share lets others train and sample with a model, and not carry it off.
    """
    found = model_for(request, model_id)
    if not is_own(request, found):
        raise Http404
    return found


def is_own(request: HttpRequest, model: Policy | RewardModel) -> bool:
    """Whether it is the platform's, or of a project that this person is in."""
    made_in = model.project_id or (model.training_job.project_id if model.training_job is not None else None)
    return made_in is None or Project.objects.visible_to(person(request)).filter(id=made_in).exists()


def visible_models(request: HttpRequest) -> set[uuid.UUID]:
    """The ids of all models that this person sees, for lists across projects; none for who may not train any."""
    if not person(request).can_train_models:
        return set()
    rows = (policies_for(request), reward_models_for(request))
    return {identifier for found in rows for identifier in found.values_list("id", flat=True)}


def _engineer(request: HttpRequest) -> User:
    if not person(request).can_train_models:
        raise Http404
    return person(request)
