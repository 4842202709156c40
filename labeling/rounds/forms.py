"""Forms that start a training job. Every field but the inputs is an option of the training program."""

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from labeling.models import Export, Filter, Policy, Project, RewardModel, Round, TrainingJob
from labeling.rounds.model_files import context_of
from labeling.rounds.training_inputs import EXPORT_KINDS
from records import ppo_sizes

_INPUTS = ("kind", "export", "policy", "reward_model", "demonstrations", "watching_model", "output_name")


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
        exports = project.exports.filter(kind=EXPORT_KINDS[self.job_kind], state=Export.State.DONE, format="records")
        self._offer("export", exports.filter(num_records__gt=0))
        self._offer("policy", Policy.objects.exclude(state=Policy.State.RETIRED).exclude(store_path=""))
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
        field = self.fields["export"]
        assert isinstance(field, forms.ModelChoiceField)
        return field.queryset is not None and field.queryset.exists()

    @property
    def inputs(self) -> dict[str, Any]:
        """The job's inputs and name, as arguments of labeling.rounds.training_jobs.start_job."""
        return {name: value for name, value in self.cleaned_data.items() if name in _INPUTS}

    @property
    def options(self) -> dict[str, Any]:
        """Options of the training program; it chooses what was left empty."""
        given = {name: value for name, value in self.cleaned_data.items() if value is not None}
        return {name: value for name, value in given.items() if name not in _INPUTS}

    @property
    def main_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name in _INPUTS and name != "kind"]

    @property
    def option_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in _INPUTS]

    def _start(self, project: Project, current: Round | None) -> Any:
        """The default start: for reward model and PPO this round's SFT policy, for SFT the project's policy."""
        tuned = Policy.objects.filter(training_job__round=current, training_job__kind=TrainingJob.Kind.SFT)
        newest = tuned.order_by("-created_at").first() if current and self.job_kind != TrainingJob.Kind.SFT else None
        return newest.id if newest is not None else project.policy_id

    def _offer(self, name: str, rows: Any) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = rows


def _limit(label: Any, help_text: Any) -> forms.IntegerField:
    return forms.IntegerField(label=label, help_text=help_text, min_value=1, max_value=10**9, required=False)


class SftForm(TrainingForm):
    job_kind = TrainingJob.Kind.SFT
    suffix = "sft"
    title = _("Fine-tune on demonstrations")
    sentence = _("The policy learns to answer as people did.")

    lr = forms.FloatField(label=_("Learning rate"), min_value=1e-9, max_value=1.0, initial=3e-4)
    epochs = forms.IntegerField(label=_("Passes over the data"), min_value=1, max_value=100, initial=2)
    batch_size = forms.IntegerField(label=_("Dialogues per step"), min_value=1, max_value=4096, initial=16)
    max_records = _limit(_("Dialogues, at most"), _("Chosen by the hashes of their ids. Empty: all."))
    max_steps = _limit(_("Steps, at most"), _("Empty: all passes."))
    watching_model = forms.ModelChoiceField(
        label=_("Epoch chosen by"),
        queryset=RewardModel.objects.all(),
        required=False,
        empty_label=_("none: the last"),
        help_text=_("The epoch whose answers to held-out prompts this reward model scores highest."),
    )
    mix_ratio = forms.FloatField(
        label=_("Mixed in per dialogue"),
        min_value=0.001,
        max_value=100,
        required=False,
        help_text=_("0.5 is one in two."),
    )
    weight_of_demonstrations = "mix_ratio"


class RewardModelForm(TrainingForm):
    job_kind = TrainingJob.Kind.REWARD_MODEL
    suffix = "rm"
    title = _("Train a reward model")
    sentence = _("From rankings it learns to score a completion as trainers would rank it.")

    lr = forms.FloatField(label=_("Learning rate"), min_value=1e-9, max_value=1.0, initial=3e-4)
    epochs = forms.IntegerField(label=_("Passes over the data"), min_value=1, max_value=20, initial=1)
    batch_size = forms.IntegerField(label=_("Rankings per step"), min_value=1, max_value=4096, initial=16)
    max_records = _limit(_("Rankings, at most"), _("Chosen by the hashes of their ids. Empty: all."))
    max_steps = _limit(_("Steps, at most"), _("Empty: all passes."))
    demonstrations = ExportChoice(
        label=_("Scores are to be 0 on"),
        queryset=Export.objects.none(),
        required=False,
        empty_label=_("the best-ranked completions"),
        help_text=_("Demonstrations, as InstructGPT has it."),
    )


class PpoForm(TrainingForm):
    job_kind = TrainingJob.Kind.PPO
    suffix = "ppo"
    title = _("Optimise by PPO")
    sentence = _("The policy answers prompts, the reward model scores, and a price on KL keeps it near its start.")

    reward_model = forms.ModelChoiceField(label=_("Reward model"), queryset=RewardModel.objects.all(), empty_label=None)
    lr = forms.FloatField(label=_("Learning rate"), min_value=1e-9, max_value=1.0, initial=1e-4)
    updates = forms.IntegerField(label=_("Updates"), min_value=1, max_value=100_000, initial=20)
    rollouts_per_update = forms.IntegerField(
        label=_("Completions per update"), min_value=1, max_value=65_536, initial=64
    )
    minibatch_size = forms.IntegerField(label=_("Completions per step"), min_value=1, max_value=65_536, initial=16)
    max_records = _limit(_("Prompts, at most"), _("Chosen by the hashes of their ids. Empty: all."))
    completions_per_prompt = forms.IntegerField(
        label=_("Completions per prompt"),
        min_value=1,
        max_value=65_536,
        required=False,
        initial=ppo_sizes.COMPLETIONS_PER_PROMPT,
        help_text=_("Where an update wants more prompts than the export has, they come again."),
    )
    microbatch_size = forms.IntegerField(
        label=_("Completions at once"),
        min_value=1,
        max_value=65_536,
        required=False,
        initial=ppo_sizes.MICROBATCH_SIZE,
        help_text=_("Changes the memory that is needed, never the result."),
    )
    max_new_tokens = forms.IntegerField(label=_("Longest completion, tokens"), min_value=1, max_value=4096, initial=64)
    max_prompt_tokens = forms.IntegerField(
        label=_("Longest prompt, tokens"),
        min_value=1,
        max_value=1_000_000,
        required=False,
        help_text=_("Longer ones are left out. Empty: as long as the models hold."),
    )
    kl_coef = forms.FloatField(label=_("Price of KL (β)"), min_value=0, max_value=10, initial=0.02)
    watching_model = forms.ModelChoiceField(
        label=_("Watched by"),
        queryset=RewardModel.objects.all(),
        required=False,
        empty_label=_("none"),
        help_text=_("A reward model of other rankings; where its scores turn, a stop is suggested."),
    )
    ptx_coef = forms.FloatField(
        label=_("Weight of demonstrations (γ)"), min_value=0.001, max_value=1000, required=False
    )
    weight_of_demonstrations = "ptx_coef"

    def clean(self) -> dict[str, Any]:
        """Refuse what the program would refuse, by the program's own rules."""
        values = super().clean()
        sizes = {name: values.get(name) for name in _SIZES}
        if all(sizes[name] for name in _SIZES if self.fields[name].required):
            given = {name: size for name, size in sizes.items() if size}
            for problem in ppo_sizes.size_problems(**given, called=self._called):
                self.add_error(problem.option, problem.sentence)
        if not self.errors:
            self._require_training_prompts(values["export"])
            self._fit_context(values)
        return values

    def _fit_context(self, values: dict[str, Any]) -> None:
        """Refuse lengths that the models cannot hold; prompts of no given length may fill what is left."""
        contexts = [found for model in (values["policy"], values["reward_model"]) if (found := context_of(model))]
        if not contexts:
            return  # the files are elsewhere; the program looks again
        context, longest = min(contexts), values["max_new_tokens"]
        fitting = ppo_sizes.prompt_tokens_that_fit(max_new_tokens=longest, context=context)
        prompt_tokens = values["max_prompt_tokens"] or fitting
        problem = ppo_sizes.length_problem(
            prompt_tokens=prompt_tokens, max_new_tokens=longest, context=context, called=self._called
        )
        if problem is not None:
            self.add_error(problem.option, problem.sentence)
        values["max_prompt_tokens"] = prompt_tokens

    def _require_training_prompts(self, export: Export) -> None:
        splits = export.counts.get("by_split")
        if splits and not sum(splits.get(name, 0) for name in ("train", "")):
            self.add_error("export", _("All prompts of this export are held out; build one with prompts to train on."))

    def _called(self, option: str) -> str:
        return f"“{self.fields[option].label}”"


_SIZES = ("rollouts_per_update", "minibatch_size", "completions_per_prompt")


def form_again(job: TrainingJob) -> TrainingForm:
    """The form of this job's kind, filled with its inputs and options, under a name that is free.

    What the job left to the program stays so where the form allows it.
    """
    form_class = TRAINING_FORMS[job.kind]
    options = {name: job.options.get(name) for name, field in form_class.base_fields.items() if name not in _INPUTS}
    required = {name for name in options if form_class.base_fields[name].required}
    given = {name: value for name, value in options.items() if value is not None or name not in required}
    inputs = {name: getattr(job, f"{name}_id", None) for name in _INPUTS if name in form_class.base_fields}
    named = {"kind": job.kind, "output_name": free_name(job.output_name)}
    return form_class(project=job.project, initial={**given, **inputs, **named})


def options_beside_form(job: TrainingJob) -> list[tuple[str, Any]]:
    """A job's options that its form has no field for, so that a job of the form would leave them to the program."""
    fields = TRAINING_FORMS[job.kind].base_fields
    return [(name, value) for name, value in sorted(job.options.items()) if name not in fields]


def free_name(wanted: str) -> str:
    """This name, or with a number appended, so that no model or unfinished job has it."""
    alive = TrainingJob.objects.exclude(state__in=(TrainingJob.State.FAILED, TrainingJob.State.CANCELLED))
    taken: set[str] = set()
    models = (Policy.objects, RewardModel.objects, Filter.objects)
    for rows, field in (*((one, "name") for one in models), (alive, "output_name")):
        taken.update(rows.filter(**{f"{field}__startswith": wanted}).values_list(field, flat=True))
    numbered = (f"{wanted}-{number}" for number in range(2, len(taken) + 3))
    return wanted if wanted not in taken else next(name for name in numbered if name not in taken)


TRAINING_FORMS: dict[str, type[TrainingForm]] = {
    form.job_kind.value: form for form in (SftForm, RewardModelForm, PpoForm)
}
