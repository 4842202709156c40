"""Every number that the training programs report, in words: what it is, of which data, and in which unit.

The programs log by these names and the pages show these words. A name may mean two things: what the lines of
metrics.jsonl hold is `MEASURED` step by step; what a finished model carries (metrics.json) is its `RESULT`, which keeps
the last of what was measured unless it is named here.
"""

from dataclasses import dataclass, replace
from typing import Literal, get_args

from records.types import TrainingKind

Data = Literal["held-out", "training", "watch", "run"]

# Which data a number is of, best first: what was held out says most of a model.
DATA: dict[Data, str] = {
    "held-out": "Held-out data",
    "watch": "Watched prompts",
    "training": "Training data",
    "run": "The run itself",
}


@dataclass(frozen=True)
class Metric:
    """One number: a short name, the data that it is of, its unit (empty where it has none), and a sentence."""

    label: str
    data: Data
    unit: str
    sentence: str


_LR = Metric("Learning rate", "run", "", "Of the step, after warm-up and schedule.")
_GRAD_NORM = Metric("Norm of the gradient", "training", "", "Before clipping; jumps announce a run that diverges.")
_STEP = Metric("Steps", "run", "steps", "Optimizer steps taken.")
_EPOCH = Metric("Passes", "run", "", "Passes over the data begun before this one.")
_TOKENS_PER_SECOND = Metric("Speed", "run", "tokens/s", "Tokens of the batch, prompts included, over the step's time.")
_SECONDS_OF_STEP = Metric("Time of a step", "run", "s", "On the clock.")

_PUBLISHED_EPOCH = Metric(
    "Epoch published", "run", "", "From 1: of the lowest held-out loss, unless a reward model chose; else the last."
)

_SFT = {
    "step": _STEP,
    "epoch": _EPOCH,
    "loss": Metric("Loss", "training", "nats per token", "Mean negative log-likelihood of the batch's target tokens."),
    "validation_loss": Metric("Loss", "held-out", "nats per token", "The same over all validation dialogues."),
    "selection_score": Metric(
        "Score by the choosing reward model", "held-out", "", "Mean over answers to validation prompts, by epoch."
    ),
    "lr": _LR,
    "grad_norm": _GRAD_NORM,
    "num_targets": Metric("Target tokens", "training", "tokens", "Tokens of the batch that were learnt."),
    "tokens_per_second": _TOKENS_PER_SECOND,
    "seconds": _SECONDS_OF_STEP,
}

_REJECTION_SAMPLING = {
    **{name: metric for name, metric in _SFT.items() if name != "selection_score"},
    "steps": _STEP,
    "published_epoch": _PUBLISHED_EPOCH,
    "sampled_score": Metric("Score of all samples", "training", "", "Mean by the choosing reward model, by prompt."),
    "chosen_score": Metric("Score of the chosen answers", "training", "", "Mean of each prompt's best."),
    "unended_share": Metric("Samples without an end", "training", "share", "They reached the limit of tokens."),
}

_REWARD_MODEL = {
    "step": _STEP,
    "epoch": _EPOCH,
    "loss": Metric("Loss", "training", "nats per pair", "Mean over the batch; 0.693 is indifference."),
    "accuracy": Metric("Pairs in order", "training", "share", "Of the batch, before the step; 0.5 is chance."),
    "lr": _LR,
    "grad_norm": _GRAD_NORM,
    "comparisons_per_second": Metric("Speed", "run", "comparisons/s", "Comparisons of the batch over the step's time."),
    "tokens_per_second": _TOKENS_PER_SECOND,
    "seconds": _SECONDS_OF_STEP,
}

_PPO = {
    "step": Metric("Update", "run", "updates", "One is rollouts, then their epochs of minibatches."),
    "score": Metric("Score", "training", "", "By the reward model, mean over rollouts, before the end-token rule."),
    "score_deviation": Metric(
        "Deviation of an ensemble's scores",
        "training",
        "",
        "Between its reward models, mean over rollouts.",
    ),
    "reward": Metric("Reward", "training", "", "Score less the price of KL, summed over a completion, mean."),
    "kl": Metric(
        "KL to the start", "training", "nats per completion", "log π/π_ref summed (k1); the penalty is on it."
    ),
    "kl_k3": Metric(
        "KL to the start, k3", "training", "nats per completion", "By an estimator that is never negative."
    ),
    "entropy": Metric("Entropy", "training", "nats per token", "Of the distribution that each token was drawn from."),
    "completion_tokens": Metric("Length of a completion", "training", "tokens", "Mean over rollouts, end included."),
    "unended_share": Metric("Completions without an end", "training", "share", "They reached the limit of tokens."),
    "explained_variance": Metric(
        "Variance that the values foresaw", "training", "share", "Of the returns; 0 is as good as a constant."
    ),
    "policy_loss": Metric("Loss of the policy", "training", "", "Clipped, mean over the update's minibatches."),
    "value_loss": Metric("Loss of the values", "training", "", "Clipped, mean over the update's minibatches."),
    "clip_fraction": Metric("Tokens clipped", "training", "share", "Whose policy loss was clipped, mean."),
    "update_kl": Metric(
        "KL within the update", "training", "nats per token", "Between the policy that sampled and the one trained, k3."
    ),
    "first_ratio_gap": Metric(
        "Ratio before the first step", "training", "", "Largest |π/π_old − 1|; above 0.001 something is inconsistent."
    ),
    "sampler_gap": Metric(
        "Sampler against trainer", "training", "nats", "Largest difference of a token's log-probability between them."
    ),
    "sampler_gap_mean": Metric("Sampler against trainer, mean", "training", "nats", "The same, mean over tokens."),
    "sampler_kl": Metric(
        "KL of sampler to trainer", "training", "nats per token", "Of what was sampled; 0 but for rounding, k3."
    ),
    "ptx_loss": Metric("Loss of text mixed in", "training", "nats per token", "Only where the mix is on."),
    "grad_norm": Metric("Norm of the policy's gradient", "training", "", "Before clipping, mean over steps."),
    "value_grad_norm": Metric("Norm of the values' gradient", "training", "", "Before clipping, mean over steps."),
    "watch_score": Metric("Score", "watch", "", "Of answers to watched prompts, by the reward model trained on."),
    "watch_held_out_score": Metric("Score by the watching model", "watch", "", "Of the same answers."),
    "watch_beyond_length": Metric(
        "Watching score beyond length", "watch", "", "Above that of the start's answers of like length and ending."
    ),
    "watch_kl": Metric("KL to the start", "watch", "nats per answer", "Whole distributions, summed over tokens, mean."),
    "watch_tokens": Metric("Length of an answer", "watch", "tokens", "Mean over those answers."),
    "watch_unended_share": Metric("Answers without an end", "watch", "share", "They reached the limit of tokens."),
    "watch_repeated_share": Metric(
        "Repeated runs of four tokens", "watch", "share", "Came before in the same answer, mean."
    ),
    "stop_suggested": Metric(
        "A stop is suggested", "watch", "", "1 where the watching score has turned while the other climbed, else 0."
    ),
    "kl_coef": Metric("Price of KL (β)", "run", "per nat", "Of this update."),
    "lr": Metric("Learning rate of the policy", "run", "", "Of this update."),
    "value_lr": Metric("Learning rate of the values", "run", "", "Of this update."),
    "tokens_per_second": Metric("Speed", "run", "tokens/s", "Completion tokens over the whole update's time."),
    "rollout_seconds": Metric("Time of sampling", "run", "s", "On the clock, of an update."),
    "scoring_seconds": Metric("Time of scoring", "run", "s", "Log-probabilities, values and scores."),
    "training_seconds": Metric("Time of training", "run", "s", "The minibatches."),
    "seconds": Metric("Time of an update", "run", "s", "On the clock."),
    "memory_mb": Metric("Peak memory", "run", "MB", "Of the process so far; of the GPU where there is one."),
}

_OF_A_VALUE_MODEL = {"explained_variance", "value_loss", "value_grad_norm", "value_lr", "kl_coef"}
_RLOO = {
    **{name: metric for name, metric in _PPO.items() if name not in _OF_A_VALUE_MODEL},
    "reward": Metric("Reward", "training", "", "Score less the price of a completion's KL, mean over rollouts."),
    "level_share": Metric(
        "Prompts that teach nothing", "training", "share", "All of whose completions got the same advantage: none."
    ),
    "policy_loss": Metric("Loss of the policy", "training", "", "Clipped, mean over completions; near 0 in one step."),
    "clip_fraction": Metric(
        "Ratios clipped", "training", "share", "Of completions in RLOO, of tokens in GRPO, mean over steps."
    ),
    "update_kl": Metric(
        "KL within the update",
        "training",
        "nats",
        "Of the sampling policy to the one trained, k3, per ratio.",
    ),
    "lr": Metric("Learning rate", "run", "", "Of this update."),
    "grad_norm": Metric("Norm of the gradient", "training", "", "Before clipping, mean over steps."),
    "scoring_seconds": Metric("Time of scoring", "run", "s", "Log-probabilities and scores."),
}

_DRIFT = "Less likely than at the start, mean over judged completions; k1 of KL(π₀‖π), were they the start's own."
_LEARNING = {name: _SFT[name] for name in ("step", "epoch", "lr", "grad_norm", "tokens_per_second", "seconds")}
_OF_RANKINGS = {
    "loss": Metric("Loss", "training", "nats per ranking", "Mean over the batch; 0.693 is the start, of pairs."),
    "accuracy": Metric("Pairs in order", "training", "share", "By implicit reward; 0.5 is chance, and the start."),
    "margin": Metric("Chosen over rejected", "training", "nats", "Implicit reward β log π/π₀, mean over pairs."),
    "chosen_logprob": Metric("Log-probability of chosen", "training", "nats per completion", "Mean over pairs."),
    "rejected_logprob": Metric("Log-probability of rejected", "training", "nats per completion", "Mean over pairs."),
    "drift": Metric("Drift from the start", "training", "nats per token", _DRIFT),
}
_OF_THUMBS = {
    "loss": Metric("Loss", "training", "", "λ_y − v, mean over the batch; half the mean weight at the start."),
    "accuracy": Metric("Thumbs on their side", "training", "share", "Of the reference point: up above it, down below."),
    "reference_point": Metric(
        "Reference point (z₀)", "training", "nats", "How much likelier answers to other prompts became; at least 0."
    ),
    "reward_up": Metric("Implicit reward of thumbs up", "training", "nats", "β log π/π₀, mean."),
    "reward_down": Metric("Implicit reward of thumbs down", "training", "nats", "β log π/π₀, mean."),
    "logprob_up": Metric("Log-probability of thumbs up", "training", "nats per completion", "Mean."),
    "logprob_down": Metric("Log-probability of thumbs down", "training", "nats per completion", "Mean."),
    "drift": Metric("Drift from the start", "training", "nats per token", _DRIFT),
}


def _with_held_out(table: dict[str, Metric], whose: str) -> dict[str, Metric]:
    """Each number once more, of what was held out."""
    held_out = {f"validation_{name}": replace(one, data="held-out") for name, one in table.items()}
    return {**_LEARNING, **table, **held_out, "validation_loss": replace(held_out["validation_loss"], sentence=whose)}


_DPO = _with_held_out(_OF_RANKINGS, "The same over all held-out rankings; its lowest says which epoch is published.")
_KTO = _with_held_out(_OF_THUMBS, "The same over all held-out thumbs; its lowest says which epoch is published.")

_CATEGORIES = {
    "S": "sexual", "H": "hate", "V": "violence", "HR": "harassment", "SH": "self-harm", "S3": "sexual, of minors",
    "H2": "hate that threatens", "V2": "violence, graphic",
}  # fmt: skip
_OUT_OF_FOLD = "Area under precision over recall, predicted by heads that had not seen the text; guessing gets "
_FILTER = {
    "auprc_any": Metric("AUPRC, any category", "held-out", "", f"{_OUT_OF_FOLD}the share of positives."),
    "auprc_macro": Metric("AUPRC, mean of categories", "held-out", "", "Of those that have a positive."),
    **{
        f"auprc_{name}": Metric(f"AUPRC, {words}", "held-out", "", f"{_OUT_OF_FOLD}the share of its positives.")
        for name, words in _CATEGORIES.items()
    },
    "ece": Metric("Calibration error", "held-out", "share", "How far its probability is from how often it is right."),
    "warned": Metric("Texts warned of", "held-out", "share", "Of the labelled ones, which are no draw from all."),
    "blocked": Metric("Texts blocked", "held-out", "share", "Of the labelled ones."),
}

MEASURED: dict[TrainingKind, dict[str, Metric]] = {
    "sft": _SFT,
    "reward_model": _REWARD_MODEL,
    "ppo": _PPO,
    "rejection_sampling": {name: metric for name, metric in _SFT.items() if name != "selection_score"},
    "rloo": _RLOO,
    "dpo": _DPO,
    "kto": _KTO,
    "filter": _FILTER,
}

RESULT: dict[TrainingKind, dict[str, Metric]] = {
    "sft": {**_SFT, "steps": _STEP, "published_epoch": _PUBLISHED_EPOCH},
    "filter": _FILTER,
    "rejection_sampling": _REJECTION_SAMPLING,
    "ppo": {**_PPO, "updates": Metric("Updates", "run", "updates", "Times of sampling and training.")},
    "rloo": {**_RLOO, "updates": Metric("Updates", "run", "updates", "Times of sampling and training.")},
    "dpo": {**_DPO, "steps": _STEP, "published_epoch": _PUBLISHED_EPOCH},
    "kto": {**_KTO, "steps": _STEP, "published_epoch": _PUBLISHED_EPOCH},
    "reward_model": {
        "accuracy": Metric("Pairs in order", "held-out", "share", "As trainers ranked them; 0.5 is chance."),
        "longer_baseline": Metric(
            "The longer one wins", "held-out", "share", "What preferring length alone would get."
        ),
        "over_longer": Metric(
            "Better than length", "held-out", "share", "Pairs in order less those of the longer one."
        ),
        "log_loss": Metric("Log loss", "held-out", "nats per pair", "0.693 is indifference."),
        "calibration_error": Metric(
            "Calibration error", "held-out", "share", "How far its confidence is from how often it is right, mean."
        ),
        "length_correlation": Metric(
            "Score against length", "held-out", "", "Correlation within prompts; 0 is none, near 1 it follows length."
        ),
        "train_loss": Metric("Loss of the last step", "training", "nats per pair", "Mean over its batch."),
        "num_comparisons": Metric("Comparisons", "training", "", "That were learnt from."),
        "num_pairs": Metric("Pairs", "training", "", "Within them."),
        "steps": _STEP,
        "seconds": Metric("Time of all steps", "run", "s", "On the clock."),
    },
}


def metric_of(kind: TrainingKind, name: str, *, is_result: bool) -> Metric | None:
    """The words for a number of a finished model, or of a run that goes on; None for a name that no program has."""
    return (RESULT if is_result else MEASURED)[kind].get(name)


assert set(DATA) == set(get_args(Data))
