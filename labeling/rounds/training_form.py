"""The form that starts a training job: what every kind asks for.

Every field but the inputs is an option of the training program.
The forms of the kinds are in labeling.rounds.forms and labeling.rounds.preference_forms.
"""

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from labeling.models import Export, Filter, Policy, Project, RewardModel, Round, TrainingJob
from labeling.rounds.training_inputs import EXPORT_KINDS

INPUTS = (
    *("kind", "export", "policy", "reward_model", "ensemble_models", "demonstrations", "watching_model"),
    "output_name",
)
_MAIN = (*INPUTS, "ensemble")  # above the other options on the page: what is chosen among rows


class ExportChoice(forms.ModelChoiceField[Export]):
    """A finished export, labelled by its date and size."""

    def label_from_instance(self, export: Export) -> str:
        return f"{export.created_at:%d %b %H:%M} · {export.num_records:,}"


class TrainingForm(forms.Form):
    """The fields of all training programs. Subclasses name the kind of job and add its options."""

    job_kind: ClassVar[TrainingJob.Kind]
    suffix: ClassVar[str]
    title: Any
    sentence: Any
    field_order = (
        *("kind", "export", "policy", "reward_model", "demonstrations", "watching_model", "output_name"),
        *("ensemble_models", "ensemble", "lora", "lr", "updates", "epochs", "num_samples", "temperature", "batch_size"),
        *("rollouts_per_update", "completions_per_prompt", "minibatch_size", "microbatch_size", "kl_coef", "beta"),
    )
    weight_of_demonstrations: ClassVar[str] = ""  # the option that weighs them; without it they count for nothing

    kind = forms.CharField(widget=forms.HiddenInput)
    export = ExportChoice(label=_("Export"), queryset=Export.objects.none(), empty_label=None)
    policy = forms.ModelChoiceField(label=_("Start from"), queryset=Policy.objects.none(), empty_label=None)
    output_name = forms.CharField(label=_("Name of what is made"), max_length=100)
    demonstrations = ExportChoice(
        label=_("Mix in demonstrations"), queryset=Export.objects.none(), required=False, empty_label=_("none")
    )
    lora = forms.BooleanField(
        label=_("Adapters only (LoRA)"),
        required=False,
        initial=True,
        help_text=_("A few small matrices are trained and merged in: a laptop can do it."),
    )
    lr = forms.FloatField(
        label=_("Learning rate"),
        min_value=1e-9,
        max_value=1.0,
        help_text=_("Adapters want about thirty times as much."),
    )
    seed = forms.IntegerField(label=_("Seed"), min_value=0, max_value=2**31 - 1, initial=0)

    def __init__(self, values: Any = None, *, project: Project, initial: dict[str, Any] | None = None) -> None:
        current = project.current_round
        known = {
            "kind": self.job_kind.value,
            "policy": self._start(project, current),
            "output_name": free_name(f"{project.slug[:60]}-{current.number if current else 0}-{self.suffix}"),
        }
        super().__init__(values, initial=known | (initial or {}), auto_id=f"{self.job_kind.value}-%s")
        wanted = EXPORT_KINDS[self.job_kind]
        exports = project.exports.filter(kind=wanted, state=Export.State.DONE, format="records")
        self._offer("export", exports.filter(num_records__gt=0))
        self.fields["export"].error_messages["invalid_choice"] = _now(
            "Select a valid choice: a finished export of %(kind)s of this project, in the records format and not empty."
        ) % {"kind": wanted.label.lower()}
        mine = Policy.objects.open_to(project)
        self._offer("policy", mine.exclude(state=Policy.State.RETIRED).exclude(store_path=""))
        for field in self.fields.values():
            if isinstance(field, forms.ModelChoiceField) and getattr(field.queryset, "model", None) is RewardModel:
                field.queryset = RewardModel.objects.open_to(project).order_by("name")
        if "demonstrations" in self.fields:
            demonstrations = project.exports.filter(kind=Export.Kind.DEMONSTRATIONS, state=Export.State.DONE)
            self._offer("demonstrations", demonstrations.filter(format="records", num_records__gt=0))

    def clean(self) -> dict[str, Any]:
        """Demonstrations to mix in require their weight, and the weight requires demonstrations."""
        values = super().clean() or {}
        weight = self.weight_of_demonstrations
        if weight and not self.errors and (values["demonstrations"] is None) != (values[weight] is None):
            self.add_error(weight, _("Demonstrations to mix in and their share go together; give both or neither."))
        return values

    @property
    def has_export(self) -> bool:
        """Whether there is anything to train on."""
        return self._offers("export")

    @property
    def lacks_reward_model(self) -> bool:
        """Whether one is needed and there is none."""
        return "reward_model" in self.fields and not self._offers("reward_model")

    @property
    def inputs(self) -> dict[str, Any]:
        """The job's inputs and name, as arguments of labeling.rounds.training_jobs.start_job."""
        return {name: value for name, value in self.cleaned_data.items() if name in INPUTS}

    @property
    def options(self) -> dict[str, Any]:
        """Options of the training program; it chooses what was left empty."""
        given = {name: value for name, value in self.cleaned_data.items() if value not in (None, "")}
        return {name: value for name, value in given.items() if name not in INPUTS}

    @property
    def main_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name in _MAIN and name != "kind"]

    @property
    def option_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in _MAIN]

    def called(self, option: str) -> str:
        """What the form calls an option of the program."""
        return f"“{self.fields[option].label}”"

    def _start(self, project: Project, current: Round | None) -> Any:
        """The default start: this round's SFT policy where there is one; for SFT itself the project's policy."""
        tuned = Policy.objects.filter(training_job__round=current, training_job__kind=TrainingJob.Kind.SFT)
        newest = tuned.order_by("-created_at").first() if current and self.job_kind != TrainingJob.Kind.SFT else None
        return newest.id if newest is not None else project.policy_id

    def offers_several(self, name: str) -> bool:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)
        return field.queryset is not None and field.queryset.count() > 1

    def _offers(self, name: str) -> bool:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)
        return field.queryset is not None and field.queryset.exists()

    def _offer(self, name: str, rows: Any) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = rows


def learning_rate(initial: float) -> forms.FloatField:
    return forms.FloatField(label=_("Learning rate"), min_value=1e-9, max_value=1.0, initial=initial)


def passes(initial: int, *, most: int = 100) -> forms.IntegerField:
    return forms.IntegerField(label=_("Passes over the data"), min_value=1, max_value=most, initial=initial)


def whole(label: Any, initial: int | None, *, least: int = 1, most: int = 65_536, **more: Any) -> forms.IntegerField:
    """A whole number that the program needs, or has a value for where `required` is False."""
    return forms.IntegerField(label=label, min_value=least, max_value=most, initial=initial, **more)


def limit(label: Any, help_text: Any = None) -> forms.IntegerField:
    help_text = help_text or _("Chosen by the hashes of their ids. Empty: all.")
    return whole(label, None, most=10**9, help_text=help_text, required=False)


def free_name(wanted: str) -> str:
    """This name, or with a number appended, so that no model or unfinished job has it."""
    alive = TrainingJob.objects.exclude(state__in=(TrainingJob.State.FAILED, TrainingJob.State.CANCELLED))
    taken: set[str] = set()
    models = (Policy.objects, RewardModel.objects, Filter.objects)
    for rows, field in (*((one, "name") for one in models), (alive, "output_name")):
        taken.update(rows.filter(**{f"{field}__startswith": wanted}).values_list(field, flat=True))
    numbered = (f"{wanted}-{number}" for number in range(2, len(taken) + 3))
    return wanted if wanted not in taken else next(name for name in numbered if name not in taken)
