"""Two models of a kind side by side: what they were made with and what they came to, with the differences marked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from labeling.models import Policy, RewardModel, TrainingJob
from labeling.rounds.metrics_table import metric_rows
from records.metrics import DATA
from records.types import TrainingKind

Model = Policy | RewardModel


@dataclass(frozen=True, kw_only=True)
class Line:
    """One thing that both may have; None where one has it not."""

    name: str
    label: str
    unit: str
    left: Any
    right: Any

    @property
    def differs(self) -> bool:
        return bool(self.left != self.right)


def kind_of(model: Model) -> TrainingKind | None:
    """The kind of training whose numbers it carries; None of a model that was brought."""
    if model.training_job is not None:
        return model.training_job.kind  # type: ignore[return-value]
    return "reward_model" if isinstance(model, RewardModel) else None


def option_lines(left: Model, right: Model) -> list[Line]:
    """What each was made from, and its options; those that neither gave stand as the program has them."""
    ours, theirs = _made_of(left.training_job), _made_of(right.training_job)
    made_from = [_line(name, name, "", ours, theirs) for name in ours if ours[name] is not None or theirs[name]]
    given = [job.options if job else {} for job in (left.training_job, right.training_job)]
    return made_from + [_line(name, name, "", *given) for name in _names(*given)]


def metric_lines(left: Model, right: Model) -> list[tuple[str, list[Line]]]:
    """Their metrics in words, by the data that each is of."""
    groups: dict[str, list[Line]] = {}
    known = {row.name: row for model in (right, left) for row in metric_rows(model.metrics, kind_of(model))}
    for row in metric_rows(dict.fromkeys(_names(left.metrics, right.metrics), 0), None):
        words = known.get(row.name, row)
        line = _line(row.name, words.label, words.unit, left.metrics, right.metrics)
        groups.setdefault(words.data or _("Other"), []).append(line)
    order = [*DATA.values(), _("Other")]
    return sorted(groups.items(), key=lambda group: order.index(group[0]))


def _made_of(job: TrainingJob | None) -> dict[str, str | None]:
    rows = {
        _("made by"): job and job.get_kind_display(),
        _("export"): job and f"{job.export.num_records:,} {job.export.kind} · {str(job.export_id)[:8]}",
        _("started from"): job and job.policy and job.policy.name,
        _("scored by"): job and job.reward_model and job.reward_model.name,
        _("and by"): job and ", ".join(sorted(one.name for one in job.ensemble_models.all())),
        _("watched by"): job and job.watching_model and job.watching_model.name,
    }
    return {name: str(value) if value else None for name, value in rows.items()}


def _names(*given: Mapping[str, Any]) -> list[str]:
    return sorted({name for values in given for name in values})


def _line(name: str, label: str, unit: str, left: Mapping[str, Any], right: Mapping[str, Any]) -> Line:
    return Line(name=name, label=label, unit=unit, left=left.get(name), right=right.get(name))


def models_beside(model: Model, others: Iterable[Model]) -> list[Model]:
    """Those that it can be compared with: of its own sort, and not itself."""
    return [other for other in others if type(other) is type(model) and other.id != model.id]
