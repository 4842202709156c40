"""Sharing a model with another project: an admin's decision, kept and revocable (labeling.models.registry)."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.models import (
    AuditEvent,
    MixturePart,
    ModelShare,
    Policy,
    Preview,
    Project,
    RewardModel,
    TrainingJob,
    User,
)

Model = Policy | RewardModel


class SharingError(ValueError):
    """A model that cannot be shared, or taken back; the text is for the admin who tried."""


def share(model: Model, *, with_project: Project, by: User) -> None:
    """Let another project see and use this model, from now on. Raises SharingError where it can already."""
    if is_open_to(model, with_project):
        raise SharingError(_("%(project)s has it already.") % {"project": with_project})
    try:
        with transaction.atomic():
            ModelShare.objects.create(project=with_project, by=by, **_named(model))
            AuditEvent.note("share model", model, by=by, project=with_project.slug)
    except IntegrityError as error:  # another admin at the same moment
        raise SharingError(_("%(project)s has it already.") % {"project": with_project}) from error


def revoke(model: Model, *, project: Project, by: User) -> None:
    """Take a model back from a project. What the project made with it stays. Raises SharingError where it is in use."""
    if why := why_in_use(model, project):
        raise SharingError(why)
    with transaction.atomic():
        if ModelShare.objects.in_force().filter(project=project, **_named(model)).update(revoked_at=Now()):
            AuditEvent.note("revoke share", model, by=by, project=project.slug)


def why_in_use(model: Model, project: Project) -> str:
    """What the project does with the model now, as a sentence; empty if nothing."""
    values = {"project": project, "name": model.name}
    jobs = TrainingJob.objects.filter(project=project, state__in=TrainingJob.ALIVE)
    if isinstance(model, RewardModel):
        held = Q(reward_model=model) | Q(watching_model=model) | Q(ensemble_models=model)
        return _("A training job of %(project)s uses it.") % values if jobs.filter(held).exists() else ""
    if project.policy_id == model.pk or MixturePart.objects.filter(project=project, policy=model).exists():
        return _("%(project)s samples from it. Promote another policy there first.") % values
    if Preview.objects.filter(project=project, second_policy=model).exists():
        return _("The preview of %(project)s shows it. Choose another there first.") % values
    return _("A training job of %(project)s uses it.") % values if jobs.filter(policy=model).exists() else ""


def is_open_to(model: Model, project: Project) -> bool:
    return bool(type(model).objects.open_to(project).filter(pk=model.pk).exists())


def why_not_open(project: Project, *models: Model | None) -> str:
    """Why the project cannot use these models, as a sentence; empty if it can. None stands for no model."""
    for model in models:
        if model is not None and not is_open_to(model, project):
            values = {"name": model.name, "project": project}
            return (
                _("%(name)s belongs to another project. An admin can share it with %(project)s, on its page.") % values
            )
    return ""


def _named(model: Model) -> dict[str, Any]:
    return {"policy" if isinstance(model, Policy) else "reward_model": model}
