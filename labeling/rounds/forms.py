"""The forms that start a training job, by kind, and one filled with what an earlier job had."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from labeling.models import Export, RewardModel, TrainingJob
from labeling.rounds.preference_forms import DpoForm, KtoForm, PpoForm, RejectionSamplingForm, RlooForm
from labeling.rounds.training_form import INPUTS, ExportChoice, TrainingForm, free_name, learning_rate, limit, passes


class SftForm(TrainingForm):
    job_kind = TrainingJob.Kind.SFT
    suffix = "sft"
    title = _("Fine-tune on demonstrations")
    sentence = _("The policy learns to answer as people did.")

    lr = learning_rate(3e-4)
    epochs = passes(2)
    batch_size = forms.IntegerField(label=_("Dialogues per step"), min_value=1, max_value=4096, initial=16)
    max_records = limit(_("Dialogues, at most"))
    max_steps = limit(_("Steps, at most"), _("Empty: all passes."))
    watching_model = forms.ModelChoiceField(
        label=_("Epoch chosen by"),
        queryset=RewardModel.objects.none(),  # what the project is open to: TrainingForm
        required=False,
        empty_label=_("none: by held-out loss"),
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

    lr = learning_rate(3e-4)
    epochs = passes(1, most=20)
    batch_size = forms.IntegerField(label=_("Rankings per step"), min_value=1, max_value=4096, initial=16)
    max_records = limit(_("Rankings, at most"))
    max_steps = limit(_("Steps, at most"), _("Empty: all passes."))
    demonstrations = ExportChoice(
        label=_("Scores are to be 0 on"),
        queryset=Export.objects.none(),
        required=False,
        empty_label=_("the best-ranked completions"),
        help_text=_("Demonstrations, as InstructGPT has it."),
    )


# In the order of the rounds page; PPO comes before the other ways to a policy of what people prefer.
TRAINING_FORMS: dict[str, type[TrainingForm]] = {
    form.job_kind.value: form
    for form in (SftForm, RewardModelForm, PpoForm, RlooForm, DpoForm, KtoForm, RejectionSamplingForm)
}


def form_again(job: TrainingJob) -> TrainingForm:
    """The form of this job's kind, filled with its inputs and options, under a name that is free.

    What the job left to the program stays so where the form allows it.
    """
    form_class = TRAINING_FORMS[job.kind]
    options = {name: job.options.get(name) for name, field in form_class.base_fields.items() if name not in INPUTS}
    required = {name for name in options if form_class.base_fields[name].required}
    given = {name: value for name, value in options.items() if value is not None or name not in required}
    inputs = {name: getattr(job, f"{name}_id", None) for name in INPUTS if name in form_class.base_fields}
    named = {
        "kind": job.kind,
        "output_name": free_name(job.output_name),
        "ensemble_models": [one.id for one in job.ensemble_models.all()],
    }
    return form_class(project=job.project, initial={**given, **inputs, **named})


def options_beside_form(job: TrainingJob) -> list[tuple[str, Any]]:
    """A job's options that its form has no field for, so that a job of the form would leave them to the program."""
    fields = TRAINING_FORMS[job.kind].base_fields
    return [(name, value) for name, value in sorted(job.options.items()) if name not in fields]
