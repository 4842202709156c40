"""How well a reward model agrees with people it has not learned from, beside what length alone achieves.

Prints a summary, or JSON with --json. Intervals are 95 % bootstraps over prompts. By default the
held-out splits are used; a file whose records carry no split is used whole, unless the model was
trained on it: then the part that training held out is.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from language.checkpoints import load_tokenizer
from records import Ranking
from records.names import RANKINGS_FILE
from rewardmodel.commandline import Precision, autocast, resolve_device, run
from rewardmodel.comparisons import Comparison, TokenizedRankings, pairs_of, tokenize_rankings
from rewardmodel.data import DataError, RankingSet, find_source, load_rankings
from rewardmodel.model import RewardModel, context_of, load_reward_model
from rewardmodel.scoring import score_comparisons
from rewardmodel.splits import HELD_OUT
from rewardmodel.statistics import (
    CalibrationBin,
    Estimate,
    calibration_bins,
    calibration_error,
    correctness,
    correlation,
    estimate_mean,
    log_loss,
    within_group_correlation,
)


@dataclass(frozen=True)
class EvaluateConfig:
    """What to evaluate on what."""

    model: Path
    """Directory of a reward model."""
    data: Path
    """An export of rankings, or a .jsonl file of them."""
    split: Literal["held-out", "train", "validation", "test", "all"] = "held-out"
    """Which rankings; held-out is validation and test."""
    json: bool = False
    """Print the whole report as one JSON object."""
    seed: int = 0
    """Seed of the bootstrap."""
    token_budget: int = 8192
    """Tokens forwarded at once."""
    precision: Precision = "fp32"
    """bf16 halves the time on hardware that has it and moves scores by about 0.02."""
    device: str = "auto"
    """cpu, cuda, cuda:1 …; auto takes the GPU where there is one."""


@dataclass(frozen=True)
class Evaluation:
    """Figures over the pairs of some rankings. Lengths are in characters."""

    num_rankings: int
    num_comparisons: int
    accuracy: Estimate
    """Share of pairs whose chosen completion has the higher score; level scores count half."""
    longer_baseline: Estimate
    """The same for "the longer one is better"."""
    over_longer: Estimate
    """accuracy − longer_baseline, pair by pair: shown to be better only where `low` is above 0."""
    when_shorter_is_better: Estimate | None
    """accuracy on the pairs whose chosen completion is the shorter one."""
    log_loss: float
    calibration_error: float
    calibration: list[CalibrationBin]
    length_correlation: float | None
    """Pearson's r of score and length between the completions of one prompt."""
    length_correlation_overall: float | None
    by_num_completions: dict[str, Estimate]
    by_tier_gap: dict[str, Estimate]
    score_mean: float
    score_std: float


@dataclass(frozen=True)
class _ScoredPairs:
    """Parallel columns over pairs."""

    gaps: Float[Tensor, " pairs"]
    length_gaps: Float[Tensor, " pairs"]
    tier_gaps: Int[Tensor, " pairs"]
    num_completions: Int[Tensor, " pairs"]
    prompts: Int[Tensor, " pairs"]


def main(config: EvaluateConfig) -> None:
    """Load, score, report."""
    device = resolve_device(config.device)
    model = load_reward_model(config.model, device=device)
    data = load_rankings(config.data, validation_fraction=_drawn_fraction(model, config.data))
    rankings = select_rankings(data, config.split)
    with autocast(device, config.precision):
        evaluation, tokenized = evaluate_rankings(
            model, load_tokenizer(config.model), rankings, token_budget=config.token_budget, seed=config.seed
        )
    report = {
        "model": str(config.model),
        "data": {"path": str(data.source.path), "sha256": data.source.sha256, "export": data.source.export},
        "split": config.split,
        "left_out": {**data.left_out, "too_long": len(tokenized.too_long)},
        "num_prompts_cut": tokenized.num_prompts_cut,
        **asdict(evaluation),
    }
    print(json.dumps(report, indent=1) if config.json else summarise(evaluation))


def select_rankings(data: RankingSet, split: str) -> list[Ranking]:
    """The rankings of a split; all of them where held-out ones are asked for and the data knows no splits."""
    if split == "all" or (split == "held-out" and not data.has_splits):
        return list(data.rankings)
    rankings = data.of_split(*(HELD_OUT if split == "held-out" else (split,)))
    if not rankings:
        raise DataError(f"{data.source.path}: no rankings in split {split}; choose another with --split, or all")
    return rankings


def evaluate_rankings(
    model: RewardModel,
    tokenizer: PreTrainedTokenizerBase,
    rankings: Sequence[Ranking],
    *,
    token_budget: int,
    seed: int = 0,
) -> tuple[Evaluation, TokenizedRankings]:
    """The figures, and the tokens they are of: what did not fit the model, and how many prompts were cut to fit."""
    tokenized = tokenize_rankings(rankings, tokenizer, max_tokens=context_of(model.backbone))
    if not tokenized.comparisons:
        raise DataError(f"none of the {len(rankings)} rankings fits the model's {context_of(model.backbone)} tokens")
    scored = list(score_comparisons(model, tokenized.comparisons, token_budget=token_budget))
    evaluation = evaluate_scores(scored, seed=seed)
    return evaluation, tokenized


def evaluate_scores(scored: Sequence[tuple[Comparison, Sequence[float]]], *, seed: int = 0) -> Evaluation:
    """Every figure from comparisons and the scores of their completions."""
    comparisons = [comparison for comparison, _ in scored]
    scores = torch.tensor([score for _, row in scored for score in row], dtype=torch.float64)
    lengths = torch.tensor([n for member in comparisons for n in member.num_characters], dtype=torch.float64)
    owners = torch.tensor([i for i, member in enumerate(comparisons) for _ in member.completion_ids])
    pairs = _scored_pairs(comparisons, scores, lengths)
    right, longer = correctness(pairs.gaps), correctness(pairs.length_gaps)
    bins = calibration_bins(pairs.gaps)
    shorter = pairs.length_gaps < 0
    return Evaluation(
        num_rankings=sum(len(member.tiers) for member in comparisons),
        num_comparisons=len(comparisons),
        accuracy=estimate_mean(right, pairs.prompts, seed=seed),
        longer_baseline=estimate_mean(longer, pairs.prompts, seed=seed),
        over_longer=estimate_mean(right - longer, pairs.prompts, seed=seed),
        when_shorter_is_better=_estimate_where(shorter, right, pairs.prompts, seed),
        log_loss=log_loss(pairs.gaps),
        calibration_error=calibration_error(bins),
        calibration=bins,
        length_correlation=within_group_correlation(scores, lengths, owners),
        length_correlation_overall=correlation(scores, lengths),
        by_num_completions=_by(pairs.num_completions, right, pairs.prompts, seed),
        by_tier_gap=_by(pairs.tier_gaps, right, pairs.prompts, seed),
        score_mean=float(scores.mean()),
        score_std=float(scores.std(correction=0)),
    )


def summarise(evaluation: Evaluation) -> str:
    """The report for a reader, with the verdict on length spelled out."""
    accuracy = evaluation.accuracy
    lines = [
        f"{accuracy.num_pairs} pairs of {evaluation.num_rankings} rankings over {accuracy.num_prompts} prompts",
        f"accuracy                {_show(accuracy)}",
        f"longer one wins         {_show(evaluation.longer_baseline)}",
        f"difference              {_show(evaluation.over_longer)}   {verdict(evaluation)}",
    ]
    if evaluation.when_shorter_is_better:
        lines.append(f"where shorter is better {_show(evaluation.when_shorter_is_better)}")
    lines.append(f"log loss                {evaluation.log_loss:.4f}   (indifference: 0.6931)")
    lines.append(f"calibration error       {evaluation.calibration_error:.3f}")
    if evaluation.length_correlation is not None:
        lines.append(f"score–length r          {evaluation.length_correlation:+.2f} within prompts")
    for title, group in (("K", evaluation.by_num_completions), ("tiers apart", evaluation.by_tier_gap)):
        lines += [
            f"{title} = {key:<2} {_show(estimate)}   {estimate.num_pairs} pairs" for key, estimate in group.items()
        ]
    return "\n".join(lines)


def verdict(evaluation: Evaluation) -> str:
    """Whether the model is shown to do better than length alone."""
    low, high = evaluation.over_longer.low, evaluation.over_longer.high
    if low is not None and low > 0:
        return "better than length alone"
    if high is not None and high < 0:
        return "worse than length alone"
    return "not shown to differ from length alone"


def _drawn_fraction(model: RewardModel, path: Path) -> float:
    """The share that training drew for validation, where this is the very data that the model was trained on."""
    trained_on = model.facts.get("data", {})
    same = trained_on.get("sha256") == find_source(path, RANKINGS_FILE).sha256
    return float(trained_on["validation_fraction"]) if same else 0.0


def _scored_pairs(
    comparisons: Sequence[Comparison], scores: Float[Tensor, " completions"], lengths: Float[Tensor, " completions"]
) -> _ScoredPairs:
    pairs = pairs_of(comparisons)
    chosen, rejected = pairs.pairs[:, 0], pairs.pairs[:, 1]
    prompt_numbers: dict[tuple[int, ...], int] = {}
    prompt_of, num_completions = [], []
    for comparison in comparisons:
        number = prompt_numbers.setdefault(comparison.prompt_ids, len(prompt_numbers))
        prompt_of += [number] * len(comparison.completion_ids)
        num_completions += [len(comparison.completion_ids)] * len(comparison.completion_ids)
    return _ScoredPairs(
        gaps=scores[chosen] - scores[rejected],
        length_gaps=lengths[chosen] - lengths[rejected],
        tier_gaps=pairs.tier_gaps,
        num_completions=torch.tensor(num_completions)[chosen],
        prompts=torch.tensor(prompt_of)[chosen],
    )


def _by(
    keys: Int[Tensor, " pairs"], right: Float[Tensor, " pairs"], prompts: Int[Tensor, " pairs"], seed: int
) -> dict[str, Estimate]:
    found = {int(key): _estimate_where(keys == key, right, prompts, seed) for key in torch.unique(keys)}
    return {str(key): estimate for key, estimate in found.items() if estimate is not None}


def _estimate_where(
    chosen: Tensor, right: Float[Tensor, " pairs"], prompts: Int[Tensor, " pairs"], seed: int
) -> Estimate | None:
    return estimate_mean(right[chosen], prompts[chosen], seed=seed) if bool(chosen.any()) else None


def _show(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f} [one prompt: no interval]"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


if __name__ == "__main__":
    run(main, EvaluateConfig)
