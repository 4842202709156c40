"""What can be said of a reward model's scores on people's pairs: pure functions of numbers.

Pairs of one prompt are dependent, so every interval resamples prompts, never pairs. It knows neither
models nor records; `rewardmodel.evaluate` joins the two.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

_ROUNDS_AT_ONCE = 64  # resamplings per tensor operation: bounds memory on large evaluation sets


@dataclass(frozen=True)
class Estimate:
    """A mean over pairs with its 95 % interval; the ends are None where one prompt alone gives no interval."""

    value: float
    low: float | None
    high: float | None
    num_pairs: int
    num_prompts: int


@dataclass(frozen=True)
class CalibrationBin:
    """Pairs whose score gaps are alike: how often the higher score was right, and how often it should be."""

    gap_from: float
    gap_to: float
    predicted: float
    observed: float
    num_pairs: int
    observed_low: float | None = None
    observed_high: float | None = None


def correctness(gaps: Float[Tensor, " pairs"]) -> Float[Tensor, " pairs"]:
    """1 where the chosen completion is ahead, 0 where it is behind, ½ where the two are level.

    `gaps` is chosen − rejected, of scores or of lengths: the same rule scores "longer wins".
    """
    return 0.5 * (torch.sign(gaps) + 1.0)


def estimate_mean(
    values: Float[Tensor, " pairs"], prompts: Int[Tensor, " pairs"], *, seed: int = 0, rounds: int = 1000
) -> Estimate:
    """The mean over pairs, and the 2.5 and 97.5 % points of its bootstrap over prompts.

    `prompts[i]` says which prompt pair i came from. Method reference §7 and §9 F9: a prompt is drawn with
    all its pairs, so doubling the pairs within every prompt leaves the interval as it was.
    """
    if len(values) == 0:
        raise ValueError("no pairs to average over")
    _, owner = torch.unique(prompts, return_inverse=True)
    num_prompts = int(owner.max()) + 1
    exact = values.double()
    totals = exact.new_zeros(num_prompts).index_add(0, owner, exact)
    counts = exact.new_zeros(num_prompts).index_add(0, owner, torch.ones_like(exact))
    low = high = None
    if num_prompts > 1:
        means = _resampled_means(totals, counts, seed=seed, rounds=rounds)
        low, high = (float(torch.quantile(means, q)) for q in (0.025, 0.975))
    return Estimate(float(totals.sum() / counts.sum()), low, high, len(values), num_prompts)


def log_loss(gaps: Float[Tensor, " pairs"]) -> float:
    """Mean −log σ(gap) in nats; ln 2 = 0.6931 is what indifference costs."""
    return float(torch.nn.functional.softplus(-gaps.double()).mean())


def calibration_bins(
    gaps: Float[Tensor, " pairs"],
    prompts: Int[Tensor, " pairs"] | None = None,
    *,
    num_bins: int = 10,
    seed: int = 0,
) -> list[CalibrationBin]:
    """Accuracy against the size of the score gap, in bins of equal count (Bai et al. 2022, §3.3, Fig. 9).

    A calibrated model is right with probability 1/(1 + e^−|gap|): `predicted` is its mean over the bin.
    With `prompts` what was observed has its interval.
    """
    order = torch.argsort(gaps.abs(), stable=True)
    bins = []
    for members in torch.tensor_split(order, min(num_bins, len(gaps))):
        if len(members):
            size = gaps[members].double().abs()
            predicted = float(torch.sigmoid(size).mean())
            observed = float(correctness(gaps[members].double()).mean())
            found = None
            if prompts is not None:
                found = estimate_mean(correctness(gaps[members].double()), prompts[members], seed=seed)
            low, high = (found.low, found.high) if found else (None, None)
            ends = float(size.min()), float(size.max())
            bins.append(CalibrationBin(*ends, predicted, observed, len(members), low, high))
    return bins


def calibration_error(bins: list[CalibrationBin]) -> float:
    """Mean |predicted − observed| over pairs: the expected calibration error of Guo et al. 2017, Eq. 3."""
    total = sum(bin_.num_pairs for bin_ in bins)
    return sum(bin_.num_pairs * abs(bin_.predicted - bin_.observed) for bin_ in bins) / total


def correlation(x: Float[Tensor, " items"], y: Float[Tensor, " items"]) -> float | None:
    """Pearson's r; None where either side does not vary."""
    a, b = x.double() - x.double().mean(), y.double() - y.double().mean()
    scale = float(a.norm() * b.norm())
    return float(a @ b) / scale if scale > 0 else None


def within_group_correlation(
    x: Float[Tensor, " items"], y: Float[Tensor, " items"], groups: Int[Tensor, " items"]
) -> float | None:
    """Pearson's r after taking each group's own mean from both sides.

    Between the completions of one prompt, which are all that a ranking compares (method reference §6.1).
    """
    return correlation(_centred(x.double(), groups), _centred(y.double(), groups))


def estimate_within_correlation(
    x: Float[Tensor, " items"],
    y: Float[Tensor, " items"],
    groups: Int[Tensor, " items"],
    *,
    seed: int = 0,
    rounds: int = 1000,
) -> Estimate | None:
    """`within_group_correlation` and its interval, groups resampled whole; None where a side does not vary."""
    a, b = _centred(x.double(), groups), _centred(y.double(), groups)
    value = correlation(a, b)
    if value is None:
        return None
    _, owner = torch.unique(groups, return_inverse=True)
    num_groups = int(owner.max()) + 1
    sums = a.new_zeros(num_groups, 3).index_add(0, owner, torch.stack([a * b, a * a, b * b], dim=1))
    low = high = None
    if num_groups > 1:
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.stack(
            [sums[torch.randint(num_groups, (num_groups,), generator=generator)].sum(0) for _ in range(rounds)]
        )
        found = (drawn[:, 0] / (drawn[:, 1] * drawn[:, 2]).sqrt()).nan_to_num(0.0)
        low, high = (float(torch.quantile(found, q)) for q in (0.025, 0.975))
    return Estimate(value, low, high, len(a), num_groups)


def _resampled_means(
    totals: Float[Tensor, " prompts"], counts: Float[Tensor, " prompts"], *, seed: int, rounds: int
) -> Float[Tensor, " rounds"]:
    generator = torch.Generator().manual_seed(seed)
    means = []
    for start in range(0, rounds, _ROUNDS_AT_ONCE):
        size = (min(_ROUNDS_AT_ONCE, rounds - start), len(totals))
        drawn = torch.randint(len(totals), size, generator=generator)
        means.append(totals[drawn].sum(dim=1) / counts[drawn].sum(dim=1))
    return torch.cat(means)


def _centred(values: Float[Tensor, " items"], groups: Int[Tensor, " items"]) -> Float[Tensor, " items"]:
    _, owner = torch.unique(groups, return_inverse=True)
    size = int(owner.max()) + 1
    sums = values.new_zeros(size).index_add(0, owner, values)
    counts = values.new_zeros(size).index_add(0, owner, torch.ones_like(values))
    return values - (sums / counts)[owner]
