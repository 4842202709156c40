"""Making anew what withdrawals touched: an export with the same filters, a model by the same job on rebuilt exports."""

import re

from django.db import transaction
from django.utils.translation import gettext as _

from labeling.exports import request_export
from labeling.exports.lineage import Model, Registry
from labeling.models import Export, Policy, RewardModel, TrainingJob, User
from labeling.rounds.training_form import free_name
from labeling.rounds.training_inputs import JobError
from labeling.rounds.training_jobs import start_job
from labeling.withdrawals.affected import clean_rebuild, clean_retraining, rebuild_of, retraining_of


def rebuild(export: Export, *, by: User) -> Export:
    """Ask for an export with the same filters, which leaves out what was withdrawn. Asked twice, it is one."""
    with transaction.atomic():
        locked = Export.objects.select_for_update(of=("self",), no_key=True).select_related("project").get(id=export.id)
        return rebuild_of(locked) or request_export(
            locked.project,
            kind=locked.kind,
            format=locked.format,
            filters=locked.filters,
            by=by,
            rebuilt_from=locked,
        )


def retrain(job: TrainingJob, *, by: User) -> TrainingJob:
    """Start a job with the options of this one on the exports and models that stand in the place of its own.

    Asked twice, it is one. Raises JobError where an export is to be rebuilt first, or a model behind it retrained.
    """
    registry = Registry()
    with transaction.atomic():
        rows = TrainingJob.objects.select_for_update(of=("self",), no_key=True).select_related(
            "project", "export", "demonstrations", "policy", "reward_model", "watching_model"
        )
        locked = rows.get(id=job.id)
        if known := retraining_of(locked):
            return known
        policy = _renewed(locked.policy, registry)
        reward_model = _renewed(locked.reward_model, registry)
        watching_model = _renewed(locked.watching_model, registry)
        ensemble = [_renewed(one, registry) for one in locked.ensemble_models.all()]
        assert policy is None or isinstance(policy, Policy)
        assert reward_model is None or isinstance(reward_model, RewardModel)
        assert watching_model is None or isinstance(watching_model, RewardModel)
        return start_job(
            locked.project,
            kind=locked.kind,
            export=_rebuilt(locked.export),
            output_name=free_name(_stem(locked.output_name)),
            by=by,
            policy=policy,
            reward_model=reward_model,
            ensemble_models=[one for one in ensemble if isinstance(one, RewardModel)],
            demonstrations=_rebuilt(locked.demonstrations) if locked.demonstrations else None,
            watching_model=watching_model,
            options=locked.options,
            retrained_from=locked,
        )


def _rebuilt(export: Export) -> Export:
    if (found := clean_rebuild(export)) is None:
        raise JobError(
            _("Rebuild the export of %(at)s first, and wait until it is done.")
            % {"at": f"{export.created_at:%d %b %H:%M}"}
        )
    return found


def _renewed(model: Model | None, registry: Registry) -> Model | None:
    if model is None:
        return None
    if (found := clean_retraining(model, registry)) is None:
        raise JobError(_("Retrain %(name)s first, which this one learned from.") % {"name": model.name})
    return found


def _stem(name: str) -> str:
    """The name without the number that an earlier retraining gave it, short enough for another."""
    return (
        re.sub(r"-\d{1,2}$", "", name)[:90]
        if re.search(r"-(sft|rm|ppo|rloo|dpo|kto|best)-\d{1,2}$", name)
        else name[:90]
    )
