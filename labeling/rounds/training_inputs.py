"""What a training job is made from: which exports and models fit which kind of job, and where they lie in the store.

Everything is a row of the registry; no path is ever typed by anybody.
"""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from labeling.models import Export, Policy, Project, RewardModel, TrainingJob

Kind = TrainingJob.Kind
EXPORT_KINDS = {
    Kind.SFT: Export.Kind.DEMONSTRATIONS,
    Kind.REWARD_MODEL: Export.Kind.RANKINGS,
    Kind.PPO: Export.Kind.PROMPTS,
}

# The trainers' options that take an export of demonstrations, and a reward model that only watches.
_DEMONSTRATIONS = {Kind.SFT: "mix_data", Kind.REWARD_MODEL: "demonstrations", Kind.PPO: "ptx_data"}
_WATCHING_MODEL = {Kind.SFT: "select_reward", Kind.PPO: "watch_reward"}


class JobError(ValueError):
    """A job that cannot be started; the text is for the person who tried."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """The rows that a job reads. All but the export and the policy may be missing, by the kind of job."""

    export: Export
    policy: Policy | None
    reward_model: RewardModel | None = None
    demonstrations: Export | None = None
    watching_model: RewardModel | None = None


def require_material(project: Project, kind: str, material: Material) -> None:
    """Raise JobError where a kind of job cannot be made from this."""
    if kind not in Kind.values:
        raise JobError(_("There is no training of the kind “%(kind)s”.") % {"kind": kind})
    _require_export(project, material.export, EXPORT_KINDS[Kind(kind)])
    if material.policy is None:
        raise JobError(_("Choose the policy to start from."))
    if material.policy.backend != Policy.Backend.LOCAL:
        name = material.policy.name
        raise JobError(_("%(name)s runs on another server; only files can be trained.") % {"name": name})
    if kind == Kind.PPO and material.reward_model is None:
        raise JobError(_("PPO needs a reward model."))
    if material.demonstrations is not None:
        _require_export(project, material.demonstrations, Export.Kind.DEMONSTRATIONS)
        if material.demonstrations == material.export:
            raise JobError(_("What is mixed in must be another export than the one that is learnt."))
    if material.watching_model is not None:
        if kind not in _WATCHING_MODEL:
            raise JobError(_("Nothing watches the training of a reward model."))
        if material.watching_model == material.reward_model:
            raise JobError(_("The reward model that watches must be another than the one that scores."))


def further_paths(job: TrainingJob) -> dict[str, str]:
    """Store paths of what a job reads beside its export and its models, by the trainer's option."""
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
