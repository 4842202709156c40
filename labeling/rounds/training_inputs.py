"""The inputs of a training job: which exports and models fit which kind of job, and their paths in the store.

Every input is a row of the registry; nobody ever types a path.
"""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from labeling.models import Export, Policy, Project, RewardModel, TrainingJob
from labeling.sampling.sharing import why_not_open

Kind = TrainingJob.Kind
EXPORT_KINDS = {
    Kind.SFT: Export.Kind.DEMONSTRATIONS,
    Kind.REWARD_MODEL: Export.Kind.RANKINGS,
    Kind.PPO: Export.Kind.PROMPTS,
    Kind.RLOO: Export.Kind.PROMPTS,
    Kind.DPO: Export.Kind.RANKINGS,
    Kind.KTO: Export.Kind.THUMBS,
    Kind.REJECTION_SAMPLING: Export.Kind.PROMPTS,
    Kind.FILTER: Export.Kind.LABELS,
}
# The kinds that make a policy of what people prefer, which is compared and promoted; PPO is offered first.
FROM_PREFERENCE = (Kind.PPO, Kind.RLOO, Kind.DPO, Kind.KTO, Kind.REJECTION_SAMPLING)
# Those of them that sample, and have a reward model score what they sampled.
SCORED = (Kind.PPO, Kind.RLOO, Kind.REJECTION_SAMPLING)

# Options of the training programs for an export of demonstrations, and for a reward model that only measures.
_DEMONSTRATIONS = {
    Kind.SFT: "mix_data",
    Kind.REWARD_MODEL: "demonstrations",
    Kind.PPO: "ptx_data",
    Kind.RLOO: "ptx_data",
}
_WATCHING_MODEL = {Kind.SFT: "select_reward", Kind.PPO: "watch_reward", Kind.RLOO: "watch_reward"}
_ENSEMBLES = (Kind.PPO, Kind.RLOO)


class JobError(ValueError):
    """A job that cannot be started; the message is for the person who tried."""


@dataclass(frozen=True, kw_only=True)
class TrainingInputs:
    """The rows that a job reads. Which of them may be missing depends on the kind of job."""

    export: Export
    policy: Policy | None
    reward_model: RewardModel | None = None
    ensemble_models: tuple[RewardModel, ...] = ()
    demonstrations: Export | None = None
    watching_model: RewardModel | None = None


def require_inputs(project: Project, kind: str, inputs: TrainingInputs) -> None:
    """Raise JobError where these inputs do not fit the kind of job."""
    if kind not in Kind.values:
        raise JobError(_("There is no training of the kind “%(kind)s”.") % {"kind": kind})
    _require_export(project, inputs.export, EXPORT_KINDS[Kind(kind)])
    if kind == Kind.FILTER:  # it starts from nothing, and takes nothing beside its labels
        return
    if inputs.policy is None:
        raise JobError(_("Choose the policy to start from."))
    models = (inputs.policy, inputs.reward_model, inputs.watching_model, *inputs.ensemble_models)
    if why := why_not_open(project, *models):
        raise JobError(why)
    if inputs.policy.backend != Policy.Backend.LOCAL:
        name = inputs.policy.name
        raise JobError(_("%(name)s runs on another server; only files can be trained.") % {"name": name})
    if kind in SCORED and inputs.reward_model is None:
        raise JobError(_("%(kind)s needs a reward model.") % {"kind": Kind(kind).label})
    if inputs.ensemble_models:
        if kind not in _ENSEMBLES:
            raise JobError(_("%(kind)s takes one reward model at most.") % {"kind": Kind(kind).label})
        if inputs.reward_model in inputs.ensemble_models:
            raise JobError(_("A reward model can be in an ensemble only once."))
    if inputs.demonstrations is not None:
        if kind not in _DEMONSTRATIONS:
            raise JobError(_("%(kind)s mixes no demonstrations in.") % {"kind": Kind(kind).label})
        _require_export(project, inputs.demonstrations, Export.Kind.DEMONSTRATIONS)
        if inputs.demonstrations == inputs.export:
            raise JobError(_("What is mixed in must be another export than the one that is learnt."))
    if inputs.watching_model is not None:
        if kind not in _WATCHING_MODEL:
            raise JobError(_("Nothing watches a training of the kind “%(kind)s”.") % {"kind": Kind(kind).label})
        if inputs.watching_model in (inputs.reward_model, *inputs.ensemble_models):
            raise JobError(_("The reward model that watches must be another than the one that scores."))


def further_paths(job: TrainingJob) -> dict[str, str]:
    """Store paths of a job's inputs besides its export and models, by the training program's option."""
    kind, paths = Kind(job.kind), {}
    if job.demonstrations is not None:
        paths[_DEMONSTRATIONS[kind]] = job.demonstrations.store_path
    if job.watching_model is not None:
        paths[_WATCHING_MODEL[kind]] = job.watching_model.store_path
    return paths


def _require_export(project: Project, export: Export, wanted: str) -> None:
    if export.project_id != project.id or export.state != Export.State.DONE or export.kind != wanted:
        raise JobError(_("This needs a finished export of %(kind)s of this project.") % {"kind": wanted})
    if export.format != "records":
        raise JobError(_("Training reads the records format; this export is in another."))
