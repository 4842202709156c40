"""Every figure about a reward model's scores on people's rankings; it knows scores, not models.

Intervals are 95 % bootstraps that resample prompts. Lengths are in characters.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from judging import PeopleAgreement, people_agreement
from records import Ranking
from rewardmodel.agreement import agreement_with_others
from rewardmodel.comparisons import Comparison, pairs_of
from rewardmodel.selection import BestOfN, best_of_n_curve
from rewardmodel.statistics import (
    CalibrationBin,
    Estimate,
    calibration_bins,
    calibration_error,
    correctness,
    correlation,
    estimate_mean,
    estimate_within_correlation,
    log_loss,
)
from rewardmodel.trainer_weights import completion_names, weak_orders

# Chosen − rejected: where each bin of length differences ends, and its name. 30 is AlpacaEval's "as long".
LENGTH_BINS = (
    (-200.5, "shorter by more than 200"),
    (-30.5, "shorter by 31 to 200"),
    (30.5, "as long, within 30"),
    (200.5, "longer by 31 to 200"),
    (float("inf"), "longer by more than 200"),
)
_LENGTH_NAMES = [name for _, name in LENGTH_BINS]


@dataclass(frozen=True)
class Evaluation:
    """Figures over the pairs of some rankings. Lengths are in characters."""

    num_rankings: int
    num_comparisons: int
    accuracy: Estimate
    """Share of pairs whose chosen completion has the higher score; level scores count half."""
    longer_baseline: Estimate
    """The same for "the longer one is better"."""
    random_baseline: float
    """The same for a coin."""
    over_longer: Estimate
    """accuracy − longer_baseline, pair by pair: shown to be better only where `low` is above 0."""
    when_shorter_is_better: Estimate | None
    """accuracy on the pairs whose chosen completion is the shorter one."""
    trainers_agreement: Estimate | None
    """How often other trainers order a pair alike, where several ranked it: the ceiling. None where nobody did."""
    accuracy_beside_trainers: Estimate | None
    """accuracy on those very pairs."""
    beside_people: PeopleAgreement | None
    """The model and "the longer one wins" on the votes of comparisons that several people ranked, beside those people;
    intervals draw prompts and people. None where no two people ordered the same pair.
    """
    log_loss: float
    calibration_error: float
    calibration: list[CalibrationBin]
    length_correlation: float | None
    """Pearson's r of score and length between the completions of one prompt."""
    length_correlation_overall: float | None
    intervals: dict[str, Estimate]
    """The intervals of log_loss and length_correlation."""
    by_num_completions: dict[str, Estimate]
    by_tier_gap: dict[str, Estimate]
    by_trainer: dict[str, Estimate]
    by_topic: dict[str, Estimate]
    by_agreement: dict[str, Estimate]
    """alone: one trainer ranked it; agreed: all others order the pair alike; disputed: another does not."""
    by_length_difference: dict[str, Estimate]
    """By how much longer the chosen completion is."""
    best_of_n: list[BestOfN]
    score_mean: float
    score_std: float
    out_of_distribution: dict[str, Estimate] = field(default_factory=dict)
    """How often a completion scores above a spoiled copy of itself, by how it was spoiled."""


@dataclass(frozen=True)
class _ScoredPairs:
    """Parallel columns over pairs."""

    gaps: Float[Tensor, " pairs"]
    length_gaps: Float[Tensor, " pairs"]
    tier_gaps: Int[Tensor, " pairs"]
    num_completions: Int[Tensor, " pairs"]
    prompts: Int[Tensor, " pairs"]
    rankings: tuple[str, ...]
    agreements: Float[Tensor, " pairs"]
    """Share of other trainers who order the pair alike; NaN where none did."""


def evaluate_scores(
    scored: Sequence[tuple[Comparison, Sequence[float]]],
    *,
    rankings: Iterable[Ranking] = (),
    out_of_distribution: Mapping[str, Estimate] | None = None,
    seed: int = 0,
) -> Evaluation:
    """Every figure from comparisons and the scores of their completions.

    `rankings` says who ranked and of which topic; what is not among them counts as unknown.
    """
    comparisons = [comparison for comparison, _ in scored]
    scores = torch.tensor([score for _, row in scored for score in row], dtype=torch.float64)
    lengths = torch.tensor([n for member in comparisons for n in member.num_characters], dtype=torch.float64)
    owners = torch.tensor([i for i, member in enumerate(comparisons) for _ in member.completion_ids])
    pairs = _scored_pairs(comparisons, scores, lengths)
    right, longer = correctness(pairs.gaps), correctness(pairs.length_gaps)
    bins = calibration_bins(pairs.gaps, pairs.prompts, seed=seed)
    shared = ~pairs.agreements.isnan()
    follows_length = estimate_within_correlation(scores, lengths, owners, seed=seed)
    known = {ranking.id: ranking for ranking in rankings}
    who, what = (_named(pairs.rankings, known, name) for name in ("trainer", "topic"))

    def by(names: Sequence[str], *, order: Callable[[str], Any] = str) -> dict[str, Estimate]:
        return _by(names, right, pairs.prompts, seed, order)

    def where(chosen: Tensor, values: Tensor = right) -> Estimate | None:
        return _estimate_where(chosen, values, pairs.prompts, seed)

    intervals = {"log_loss": estimate_mean(_surprise(pairs.gaps), pairs.prompts, seed=seed)}
    return Evaluation(
        num_rankings=sum(len(member.tiers) for member in comparisons),
        num_comparisons=len(comparisons),
        accuracy=estimate_mean(right, pairs.prompts, seed=seed),
        longer_baseline=estimate_mean(longer, pairs.prompts, seed=seed),
        random_baseline=0.5,
        over_longer=estimate_mean(right - longer, pairs.prompts, seed=seed),
        when_shorter_is_better=where(pairs.length_gaps < 0),
        trainers_agreement=where(shared, pairs.agreements),
        accuracy_beside_trainers=where(shared),
        beside_people=_beside_people(scored, list(known.values()), seed),
        log_loss=log_loss(pairs.gaps),
        calibration_error=calibration_error(bins),
        calibration=bins,
        length_correlation=follows_length.value if follows_length else None,
        length_correlation_overall=correlation(scores, lengths),
        intervals=intervals | ({"length_correlation": follows_length} if follows_length else {}),
        by_num_completions=by([str(count) for count in pairs.num_completions.tolist()], order=int),
        by_tier_gap=by([str(gap) for gap in pairs.tier_gaps.tolist()], order=int),
        by_trainer=by(who),
        by_topic=by(what),
        by_agreement=by([_agreed(share) for share in pairs.agreements.tolist()]),
        by_length_difference=by([_length_bin(gap) for gap in pairs.length_gaps.tolist()], order=_LENGTH_NAMES.index),
        best_of_n=best_of_n_curve(scored, seed=seed),
        score_mean=float(scores.mean()),
        score_std=float(scores.std(correction=0)),
        out_of_distribution=dict(out_of_distribution or {}),
    )


def verdict(evaluation: Evaluation) -> str:
    """Whether the model is shown to do better than length alone."""
    low, high = evaluation.over_longer.low, evaluation.over_longer.high
    if low is not None and low > 0:
        return "better than length alone"
    if high is not None and high < 0:
        return "worse than length alone"
    return "not shown to differ from length alone"


def validation_figures(evaluation: Evaluation | None) -> dict[str, float]:
    """The figures as plain numbers, `validation/…`, intervals as `…_low` and `…_high`: for charts over time."""
    if evaluation is None:
        return {}
    flat: dict[str, float | None] = {}
    for name, value in vars(evaluation).items():
        if isinstance(value, Estimate):
            flat |= _spread(name, value)
        elif isinstance(value, dict):
            for key, estimate in value.items():
                flat |= _spread(f"{name}/{key}", estimate)
        elif isinstance(value, PeopleAgreement):
            flat |= _beside(value)
        elif isinstance(value, (int, float)):
            flat[name] = float(value)
    return {f"validation/{name}": value for name, value in flat.items() if value is not None}


def _spread(name: str, estimate: Estimate) -> dict[str, float | None]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _beside(people: PeopleAgreement) -> dict[str, float | None]:
    found = {"two_people": people.of_two, "person_with_majority": people.with_majority}
    found |= {f"{name}_with_majority": judge.with_majority for name, judge in people.judges.items()}
    return {f"beside_people/{name}": agreement.value for name, agreement in found.items()}


def _beside_people(
    scored: Sequence[tuple[Comparison, Sequence[float]]], rankings: Sequence[Ranking], seed: int
) -> PeopleAgreement | None:
    """Of the comparisons that are scored; the same text twice in one comparison is scored alike."""
    kept = {identifier for comparison, _ in scored for identifier in comparison.ranking_ids}
    judged = [ranking for ranking in rankings if ranking.id in kept]
    scores: dict[str, float] = {}
    lengths: dict[str, float] = {}
    by_id = {ranking.id: ranking for ranking in judged}
    for comparison, values in scored:
        own = [by_id[identifier] for identifier in comparison.ranking_ids if identifier in by_id]
        if len(own) < 2:  # one person agrees with nobody
            continue
        names = completion_names(own[0])
        for completion, score in zip(own[0].completions, values, strict=True):
            place = f"{own[0].comparison_id}/{names[completion.id]}"
            scores[place] = float(score)
            lengths[place] = float(len(completion.content))
    return people_agreement(weak_orders(judged), {"model": scores, "longer": lengths}, seed=seed)


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
    ids = [identifier for comparison in comparisons for identifier in comparison.ranking_ids]
    return _ScoredPairs(
        gaps=scores[chosen] - scores[rejected],
        length_gaps=lengths[chosen] - lengths[rejected],
        tier_gaps=pairs.tier_gaps,
        num_completions=torch.tensor(num_completions)[chosen],
        prompts=torch.tensor(prompt_of)[chosen],
        rankings=tuple(ids[owner] for owner in pairs.ranking_of_pair.tolist()),
        agreements=torch.cat([agreement_with_others(one.tiers, adjudicated=one.adjudicated) for one in comparisons]),
    )


def _named(rankings: Sequence[str], known: Mapping[str, Ranking], field_name: str) -> list[str]:
    return [str(getattr(known.get(identifier), field_name, None) or "unknown") for identifier in rankings]


def _agreed(share: float) -> str:
    if share != share:  # NaN: no other trainer
        return "alone"
    return "agreed" if share == 1.0 else "disputed"


def _length_bin(gap: float) -> str:
    return next(name for end, name in LENGTH_BINS if gap < end)


def _surprise(gaps: Float[Tensor, " pairs"]) -> Float[Tensor, " pairs"]:
    return torch.nn.functional.softplus(-gaps)


def _by(
    names: Sequence[str],
    right: Float[Tensor, " pairs"],
    prompts: Int[Tensor, " pairs"],
    seed: int,
    order: Callable[[str], Any],
) -> dict[str, Estimate]:
    found = {}
    for name in sorted(set(names), key=order):
        members = torch.tensor([other == name for other in names])
        found[name] = estimate_mean(right[members], prompts[members], seed=seed)
    return found


def _estimate_where(
    chosen: Tensor, values: Float[Tensor, " pairs"], prompts: Int[Tensor, " pairs"], seed: int
) -> Estimate | None:
    return estimate_mean(values[chosen], prompts[chosen], seed=seed) if bool(chosen.any()) else None
