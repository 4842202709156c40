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

from transformers import PreTrainedTokenizerBase

from language.checkpoints import load_tokenizer
from language.commandline import Precision, autocast, resolve_device, run
from language.model_kinds import RewardModelDirectory
from language.progress import Progress
from language.reading import say_read
from records import Ranking
from records.names import RANKINGS_FILE
from rewardmodel.comparisons import TokenizedRankings, tokenize_rankings
from rewardmodel.corruption import measure_corruptions
from rewardmodel.data import DataError, RankingSet, find_source, load_rankings
from rewardmodel.evaluation import Evaluation, evaluate_scores, verdict
from rewardmodel.model import RewardModel, context_of, load_reward_model
from rewardmodel.report import left_out_facts, people_rows, report_html, show_agreement
from rewardmodel.scoring import score_comparisons
from rewardmodel.splits import HELD_OUT, SplitBy
from rewardmodel.statistics import Estimate

# Four texts each: half a minute of a CPU for a model of 135M, and known to about ±0.15.
NUM_CORRUPTED = 40


@dataclass(frozen=True)
class EvaluateConfig:
    """What to evaluate on what."""

    model: RewardModelDirectory
    """Directory of a reward model."""
    data: Path
    """An export of rankings, or a .jsonl file of them, or of pairs (prompt, chosen, rejected) as RewardBench has."""
    split: Literal["held-out", "train", "validation", "test", "all"] = "held-out"
    """Which rankings; held-out is validation and test."""
    json: bool = False
    """Print the whole report as one JSON object."""
    html: Path | None = None
    """Write the report with charts to this file, too."""
    num_corrupted: int = NUM_CORRUPTED
    """Prompts on which completions are spoiled to see whether the model notices; 0 leaves that out."""
    seed: int = 0
    """Seed of the bootstrap."""
    token_budget: int = 8192
    """Tokens forwarded at once."""
    precision: Precision = "fp32"
    """bf16 halves the time on hardware that has it and moves scores by about 0.02."""
    device: str = "auto"
    """cpu, cuda, cuda:1 …; auto takes the GPU where there is one."""


def main(config: EvaluateConfig) -> None:
    """Load, score, report."""
    device = resolve_device(config.device)
    model = load_reward_model(config.model, device=device)
    fraction, split_by = drawn_split(model, config.data)
    data = load_rankings(config.data, validation_fraction=fraction, split_by=split_by)
    rankings = select_rankings(data, config.split)
    tokenizer = load_tokenizer(config.model)
    tokenized = fitting(rankings, model, tokenizer)
    left_out = {**data.left_out, "too_long": len(tokenized.too_long)}
    other = {"other_split": len(data.rankings) - len(rankings)}
    used = {f"to evaluate on ({config.split})": len(rankings) - len(tokenized.too_long)}
    say_read(config.data, "rankings", used, left_out | other, limit="the model's context")
    comparisons = len(tokenized.comparisons)
    # Of each spoiled prompt the best completion is scored with three worse ones: about a comparison's work.
    with (
        Progress(
            comparisons, description="evaluating", unit="comparisons", after=float(config.num_corrupted)
        ) as progress,
        autocast(device, config.precision),
    ):
        evaluation = evaluate_fitting(
            model,
            tokenizer,
            rankings,
            tokenized,
            token_budget=config.token_budget,
            num_corrupted=config.num_corrupted,
            seed=config.seed,
            progress=progress,
        )
    report = {
        "model": str(config.model),
        "data": {"path": str(data.source.path), "sha256": data.source.sha256, "export": data.source.export},
        "split": config.split,
        "left_out": left_out,
        "num_prompts_cut": tokenized.num_prompts_cut,
        **asdict(evaluation),
    }
    if config.html:
        facts = {"model": config.model, "data": data.source.path, "sha256": data.source.sha256, "split": config.split}
        facts |= left_out_facts(left_out, tokenized.num_prompts_cut)
        page = report_html(evaluation, title=f"Reward model {config.model.name}", facts=facts)
        config.html.write_text(page, encoding="utf-8")
    told = f"{config.split} split of {config.data}\n{summarise(evaluation)}"
    print(json.dumps(report, indent=1) if config.json else told)


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
    num_corrupted: int = 0,
    seed: int = 0,
) -> tuple[Evaluation, TokenizedRankings]:
    """The figures, and the tokens they are of: what did not fit the model, and how many prompts were cut to fit.

    `num_corrupted` prompts are scored once more with spoiled completions (rewardmodel.corruption).
    """
    tokenized = fitting(rankings, model, tokenizer)
    evaluation = evaluate_fitting(
        model, tokenizer, rankings, tokenized, token_budget=token_budget, num_corrupted=num_corrupted, seed=seed
    )
    return evaluation, tokenized


def fitting(rankings: Sequence[Ranking], model: RewardModel, tokenizer: PreTrainedTokenizerBase) -> TokenizedRankings:
    """The rankings as tokens, and which do not fit the model. DataError where none does."""
    tokenized = tokenize_rankings(rankings, tokenizer, max_tokens=context_of(model.backbone))
    if not tokenized.comparisons:
        raise DataError(f"none of the {len(rankings)} rankings fits the model's {context_of(model.backbone)} tokens")
    return tokenized


def evaluate_fitting(
    model: RewardModel,
    tokenizer: PreTrainedTokenizerBase,
    rankings: Sequence[Ranking],
    tokenized: TokenizedRankings,
    *,
    token_budget: int,
    num_corrupted: int,
    seed: int,
    progress: Progress | None = None,
) -> Evaluation:
    """The same of rankings that are tokens already; `progress` counts comparisons."""
    scored = []
    for one in score_comparisons(model, tokenized.comparisons, token_budget=token_budget):
        scored.append(one)
        if progress is not None:
            progress.advance()
    if progress is not None and num_corrupted:
        progress.say(f"scoring spoiled completions of at most {num_corrupted} prompts")
    spoiled = measure_corruptions(model, tokenizer, rankings, limit=num_corrupted, token_budget=token_budget, seed=seed)
    return evaluate_scores(scored, rankings=rankings, out_of_distribution=spoiled, seed=seed)


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
    if evaluation.trainers_agreement and evaluation.accuracy_beside_trainers:
        lines.append(f"other trainers agree    {_show(evaluation.trainers_agreement)}   the ceiling")
        lines.append(f"accuracy on those pairs {_show(evaluation.accuracy_beside_trainers)}")
    lines += _beside_people(evaluation)
    for title, group in _groups(evaluation):
        lines += [f"{title}{key:<2} {_show(estimate)}   {estimate.num_pairs} pairs" for key, estimate in group.items()]
    return "\n".join(lines)


def _beside_people(evaluation: Evaluation) -> list[str]:
    """People, the model and length on the same votes; nothing where no comparison has several rankings."""
    return (
        [
            "beside people, where several ranked the same (prompts and people resampled)",
            *(
                f"{name:<24}{show_agreement(found)}   {found.num_votes} votes of {found.num_people} people"
                for name, found in people_rows(evaluation)
            ),
        ]
        if evaluation.beside_people
        else []
    )


def _groups(evaluation: Evaluation) -> list[tuple[str, dict[str, Estimate]]]:
    """The slices, but those that hold everything in one piece."""
    named = [
        ("K = ", evaluation.by_num_completions),
        ("tiers apart = ", evaluation.by_tier_gap),
        ("the better one is ", evaluation.by_length_difference),
        ("trainers: ", evaluation.by_agreement),
        ("by ", evaluation.by_trainer),
        ("on ", evaluation.by_topic),
        ("above its copy: ", evaluation.out_of_distribution),
    ]
    return [(title, group) for title, group in named if len(group) > 1]


def drawn_split(model: RewardModel, path: Path) -> tuple[float, SplitBy]:
    """The share that training held out, and of what, where this is the very data that the model was trained on."""
    trained_on = model.facts.get("data", {})
    if trained_on.get("sha256") != find_source(path, RANKINGS_FILE).sha256:
        return 0.0, "prompt"
    return float(trained_on["validation_fraction"]), trained_on.get("split_by", "prompt")


def _show(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f} [one prompt: no interval]"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


if __name__ == "__main__":
    run(main, EvaluateConfig)
