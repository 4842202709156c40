"""The forms of the trainings that make a policy of what people prefer: PPO first, and the other ways beside it.

A form refuses what its program would refuse, by the program's own rules where both can read them.
"""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from labeling.models import Export, RewardModel, TrainingJob
from labeling.rounds.model_files import context_of
from labeling.rounds.training_form import TrainingForm, learning_rate, limit, passes, whole
from records import ppo_sizes

_NO_REWARD_MODEL = _("A reward model is needed, which scores the completions; train one first.")
_SIZES = ("rollouts_per_update", "minibatch_size", "completions_per_prompt")


class SampledForm(TrainingForm):
    """What the policy answers to prompts is scored by a reward model."""

    reward_model = forms.ModelChoiceField(
        label=_("Reward model"),
        queryset=RewardModel.objects.none(),  # what the project is open to: TrainingForm
        empty_label=None,
        error_messages={"required": _NO_REWARD_MODEL},
    )
    max_records = limit(_("Prompts, at most"))
    max_new_tokens = whole(_("Longest completion, tokens"), 64, most=4096)
    max_prompt_tokens = whole(
        _("Longest prompt, tokens"),
        None,
        most=1_000_000,
        required=False,
        help_text=_("Longer ones are left out. Empty: as long as the models hold."),
    )

    def clean(self) -> dict[str, Any]:
        """Refuse prompts that are all held out, and lengths that no model here can hold."""
        values = super().clean()
        if not self.errors:
            self._require_training_prompts(values["export"])
            self._fit_context(values)
        return values

    def _fit_context(self, values: dict[str, Any]) -> None:
        """Refuse lengths that the models cannot hold; prompts of no given length may fill what is left."""
        models = (values["policy"], values["reward_model"], *values.get("ensemble_models", ()))
        contexts = [found for model in models if (found := context_of(model))]
        if not contexts:
            return  # the files are elsewhere; the program looks again
        context, longest = min(contexts), values["max_new_tokens"]
        fitting = ppo_sizes.prompt_tokens_that_fit(max_new_tokens=longest, context=context)
        prompt_tokens = values["max_prompt_tokens"] or fitting
        problem = ppo_sizes.length_problem(
            prompt_tokens=prompt_tokens, max_new_tokens=longest, context=context, called=self.called
        )
        if problem is not None:
            self.add_error(problem.option, problem.sentence)
        values["max_prompt_tokens"] = prompt_tokens

    def _require_training_prompts(self, export: Export) -> None:
        splits = export.counts.get("by_split")
        if splits and not sum(splits.get(name, 0) for name in ("train", "")):
            self.add_error("export", _("All prompts of this export are held out; build one with prompts to train on."))


class RolloutForm(SampledForm):
    """Updates of sampling and training, by one reward model or several, and perhaps watched by another."""

    lr = learning_rate(1e-4)
    updates = whole(_("Updates"), 20, most=100_000)
    rollouts_per_update = whole(_("Completions per update"), 64)
    minibatch_size = whole(_("Completions per step"), 16)
    completions_per_prompt = whole(
        _("Completions per prompt"),
        ppo_sizes.COMPLETIONS_PER_PROMPT,
        required=False,
        help_text=_("Where an update wants more prompts than the export has, they come again."),
    )
    microbatch_size = whole(
        _("Completions at once"),
        ppo_sizes.MICROBATCH_SIZE,
        required=False,
        help_text=_("Changes the memory that is needed, never the result."),
    )
    kl_coef = forms.FloatField(label=_("Price of KL (β)"), min_value=0, max_value=10, initial=0.02)
    watching_model = forms.ModelChoiceField(
        label=_("Watched by"),
        queryset=RewardModel.objects.none(),  # what the project is open to: TrainingForm
        required=False,
        empty_label=_("none"),
        help_text=_("A reward model of other rankings; where its scores turn, a stop is suggested."),
    )
    ptx_coef = forms.FloatField(
        label=_("Weight of demonstrations (γ)"), min_value=0.001, max_value=1000, required=False
    )
    weight_of_demonstrations = "ptx_coef"
    ensemble_models = forms.ModelMultipleChoiceField(
        label=_("Scored also by"),
        queryset=RewardModel.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Reward models of the same tokens beside the first; each takes its own memory."),
    )
    ensemble = forms.ChoiceField(
        label=_("Score of several"),
        choices=(
            ("", _("their mean")),
            ("worst", _("the lowest of them")),
            ("variance-penalised", _("their mean less their variance")),
        ),
        required=False,
    )

    def __init__(self, *values: Any, **more: Any) -> None:
        super().__init__(*values, **more)
        if not self.offers_several("ensemble_models"):  # nothing to choose from
            del self.fields["ensemble_models"], self.fields["ensemble"]

    def clean(self) -> dict[str, Any]:
        """Refuse what the program would refuse, by the program's own rules."""
        values = super().clean()
        sizes = {name: values.get(name) for name in _SIZES}
        if all(sizes[name] for name in _SIZES if self.fields[name].required):
            given = {name: size for name, size in sizes.items() if size}
            for problem in ppo_sizes.size_problems(**given, called=self.called):
                self.add_error(problem.option, problem.sentence)
        if values.get("ensemble") and not values.get("ensemble_models"):
            self.add_error(
                "ensemble", _("One reward model has no others to be set against; choose others, or the mean.")
            )
        return values


class PpoForm(RolloutForm):
    job_kind = TrainingJob.Kind.PPO
    suffix = "ppo"
    title = _("Optimise by PPO")
    sentence = _("The policy answers prompts, the reward model scores, and a price on KL keeps it near its start.")


class RlooForm(RolloutForm):
    job_kind = TrainingJob.Kind.RLOO
    suffix = "rloo"
    title = _("Optimise by RLOO")
    sentence = _(
        "As PPO, but each completion is set against the others of its prompt in place of a value network: "
        "take it where memory is short."
    )

    completions_per_prompt = whole(
        _("Completions per prompt"), 4, least=2, help_text=_("They are judged against one another: at least two.")
    )
    advantage = forms.ChoiceField(
        label=_("Advantage"),
        choices=(
            ("leave-one-out", "RLOO"),
            ("group-normalised", "GRPO"),
        ),
        initial="leave-one-out",
        help_text=_("Over the mean of the others, or in GRPO over the group's mean, by its deviation."),
    )


def _price_of_kl() -> forms.FloatField:
    """β of DPO and KTO: the weight of the log ratio to the start in an implicit reward."""
    return forms.FloatField(
        label=_("Price of KL (β)"),
        min_value=1e-3,
        max_value=100,
        initial=0.1,
        help_text=_("The larger, the nearer the policy stays to its start."),
    )


class DpoForm(TrainingForm):
    job_kind = TrainingJob.Kind.DPO
    suffix = "dpo"
    title = _("Optimise by DPO")
    sentence = _(
        "Straight from rankings, with neither a reward model nor sampling: take it as the shortest way to a policy."
    )

    demonstrations = None  # type: ignore[assignment]
    lr = learning_rate(3e-5)
    beta = _price_of_kl()
    epochs = passes(1, most=20)
    batch_size = whole(_("Rankings per step"), 16, most=4096)
    max_records = limit(_("Rankings, at most"))
    max_steps = limit(_("Steps, at most"), _("Empty: all passes."))
    margin_per_strength = forms.FloatField(
        label=_("Margin per strength, nats"),
        min_value=0,
        max_value=100,
        required=False,
        help_text=_("Asks for more where a trainer said “far better”. Empty: none."),
    )
    whole_tiers = forms.BooleanField(
        label=_("Whole tiers at once (Plackett–Luce), not pair by pair"), required=False, initial=False
    )

    def clean(self) -> dict[str, Any]:
        """Margins are of pairs, so that whole tiers have none."""
        values = super().clean()
        if values.get("whole_tiers") and values.get("margin_per_strength"):
            self.add_error(
                "margin_per_strength", _("Margins are of pairs; whole tiers have none. Choose one of the two.")
            )
        return values


class KtoForm(TrainingForm):
    job_kind = TrainingJob.Kind.KTO
    suffix = "kto"
    title = _("Optimise by KTO")
    sentence = _("From thumbs up and down on single answers: take it where people used the policy and nobody ranked.")

    demonstrations = None  # type: ignore[assignment]
    lr = learning_rate(1.5e-4)
    beta = _price_of_kl()
    epochs = passes(1, most=20)
    batch_size = whole(_("Thumbs per step"), 16, most=4096)
    max_records = limit(_("Thumbs, at most"))
    max_steps = limit(_("Steps, at most"), _("Empty: all passes."))
    desirable_weight = forms.FloatField(
        label=_("Weight of a thumb up"),
        min_value=1e-3,
        max_value=1000,
        required=False,
        help_text=_("Empty: by the numbers of both."),
    )
    undesirable_weight = forms.FloatField(
        label=_("Weight of a thumb down"), min_value=1e-3, max_value=1000, required=False
    )

    def clean(self) -> dict[str, Any]:
        """The two weights go together."""
        values = super().clean()
        if not self.errors and (values["desirable_weight"] is None) != (values["undesirable_weight"] is None):
            self.add_error("undesirable_weight", _("The two weights go together; give both or neither."))
        return values


class RejectionSamplingForm(SampledForm):
    job_kind = TrainingJob.Kind.REJECTION_SAMPLING
    suffix = "best"
    title = _("Rejection sampling")
    sentence = _(
        "Of n answers to each prompt the one that the reward model scores highest is learnt as a demonstration: "
        "the steadiest, and the smallest step."
    )

    demonstrations = None  # type: ignore[assignment]
    lr = learning_rate(3e-4)
    num_samples = whole(_("Completions per prompt"), 16, least=2, most=1000, help_text=_("Of which one is learnt."))
    temperature = forms.FloatField(label=_("Temperature"), min_value=0.01, max_value=5, initial=1.0)
    epochs = passes(2)
    batch_size = whole(_("Answers per step"), 16, most=4096)
