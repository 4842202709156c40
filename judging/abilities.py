"""How well each trainer ranks: Davidson's model of ties with a scale and a leniency of every trainer's own.

Completion i of a prompt has a quality s_i, drawn from N(0, spread²). Trainer t prefers i to j in proportion to
exp(a_t (s_i − s_j) / 2), j to i in proportion to exp(−a_t (s_i − s_j) / 2), and ties them in proportion to ν_t
(Davidson 1970, equations 2.3 and 2.4, with the trainer's own scale). The ability a_t is 1 for the trainer of the
middle and 0 for one who tosses coins; below 0 somebody ranks upside down. A scale of each ranker's own is the adherence
of Raman & Joachims 2014 and Turner et al. 2020; Chen et al. 2013 (Crowd-BT) have a probability of ranking upside down
in its place, which cannot tell a careless trainer from a contrary one by the size of the difference.

Abilities and leniencies have priors N(1, σ²) and N(μ, ω²), whose parameters are estimated too: who ranked little stands
near the middle. Qualities are integrated out, not maximised: of two rankings a comparison they are not known, and at
their maximum everybody would look abler than they are (Neyman & Scott 1948; Bock & Aitkin 1981).
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist, fmean

from judging.qualities import Block, blocks_of
from judging.tied_orders import Information
from judging.weak_orders import WeakOrder, of_several

_MOST_STEPS = 60
_PRECISION = 0.01  # change of an ability or a leniency at which the fit has converged: a tenth of what is shown
# Deviations between trainers. They are set, not estimated: of a dozen trainers with thirty rankings each, Laplace's
# estimate of the first falls to 0 even where the ablest rank ten times as sharply as the least able.
_DEVIATION, _LENIENCY_DEVIATION = 0.5, 1.0
_ALIKE = 0.01  # the deviation of trainers that are held alike
_MIDDLE_LENIENCY, _MIDDLE_DEVIATION = -1.0, 2.0  # the prior of the middle leniency, which is finite without any tie
_LEAST_KNOWN = 0.05  # of the information that seen qualities would give: where less is left it is rounding
_PER_TRAINER = 3  # trainers below which nobody can be told from the others: two who disagree are both in doubt
# Gauss and Hermite's three nodes and weights.
_NODES = ((-math.sqrt(3.0), 1 / 6), (0.0, 2 / 3), (math.sqrt(3.0), 1 / 6))
_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ability:
    """One trainer. `value` is 1 in the middle and 0 for a coin, with its 95 % interval.

    `ties` is the share of ties that the trainer would give between completions of equal quality. Both shrink towards
    the others' where the trainer ranked little. `num_rankings` counts rankings of comparisons that others ranked too.
    """

    trainer: str
    value: float
    low: float
    high: float
    ties: float
    ties_low: float
    ties_high: float
    num_rankings: int

    @property
    def leniency(self) -> float:
        """λ = log ν: of two equals, ν / (2 + ν) are tied."""
        return math.log(2 * self.ties / (1 - self.ties))


@dataclass(frozen=True, kw_only=True)
class Abilities:
    """The trainers by name, the deviation of qualities, and what is known of a completion's quality."""

    trainers: dict[str, Ability]
    spread: float
    middle: Ability
    """A trainer of whom nothing is known."""
    blocks: dict[tuple[str, str], Block] = field(repr=False)
    """Where a completion's quality is known, by prompt and completion."""

    @property
    def tells_apart(self) -> bool:
        """Whether there are people enough for an ability to be more than agreement with one other person."""
        return len(self.trainers) >= _PER_TRAINER

    def probabilities(self, prompt: str, first: str, second: str, trainer: str) -> tuple[float, float, float]:
        """P(first better), P(tie), P(second better) of this trainer; of somebody unknown, the middle one's.

        Raises KeyError where the orders of the fit say nothing of how the two stand to each other.
        """
        who = self.trainers.get(trainer, self.middle)
        block = self.blocks[prompt, first]
        if self.blocks[prompt, second] is not block:
            raise KeyError((prompt, second))
        mean, variance = block.difference(block.names.index(first), block.names.index(second))
        better = tied = 0.0
        for node, weight in _NODES:
            half = who.value * (mean + node * math.sqrt(variance)) / 2
            total = math.exp(half) + math.exp(-half) + math.exp(who.leniency)
            better += weight * math.exp(half) / total
            tied += weight * math.exp(who.leniency) / total
        return better, tied, 1 - better - tied


@dataclass(slots=True)
class _Trainer:
    """Ability and log ν as they stand, and the inverse of their information, row by row."""

    ability: float = 1.0
    leniency: float = _MIDDLE_LENIENCY
    variance: float = 1.0
    covariance: float = 0.0
    leniency_variance: float = 1.0


@dataclass(slots=True)
class _Priors:
    """Of qualities, abilities and log ν."""

    spread: float = 1.5
    leniency: float = _MIDDLE_LENIENCY
    deviation: float = _DEVIATION
    leniency_deviation: float = _LENIENCY_DEVIATION


def fit_abilities(orders: Iterable[WeakOrder], *, alike: bool = False, lenient_alike: bool = False) -> Abilities:
    """Fit everybody's ability and leniency to orders of comparisons that several people ranked.

    `alike` holds all abilities at 1 and `lenient_alike` gives all trainers one leniency: with both, this is Davidson's
    model of the pooled votes. Qualities have a Gaussian around their mode (Laplace), renewed at every step. Over it,
    the gradient in abilities is that of their marginal likelihood (Fisher's identity), and the information is what
    seen qualities would give less what is missing of it (Louis 1982). Intervals do not know that the spread and the
    middle leniency are estimated.
    """
    shared = of_several(orders)
    blocks = blocks_of(shared)
    num_rankings: defaultdict[str, int] = defaultdict(int)
    for order in shared:
        num_rankings[order.trainer] += 1
    trainers = {name: _Trainer() for name in sorted(num_rankings)}
    priors = _Priors(leniency_deviation=_ALIKE if lenient_alike else _LENIENCY_DEVIATION)
    for _ in range(_MOST_STEPS if shared else 0):
        if _step(blocks, trainers, priors, alike=alike) < _PRECISION:
            break
    for name, information in _informations(blocks, trainers).items():
        _invert(trainers[name], information, priors)
    middle = _Trainer(1.0, priors.leniency, priors.deviation**2, 0.0, priors.leniency_deviation**2)
    return Abilities(
        trainers={name: _ability(name, one, num_rankings[name]) for name, one in trainers.items()},
        spread=priors.spread,
        middle=_ability("", middle, 0),
        blocks={(block.prompt, name): block for block in blocks for name in block.names},
    )


def _step(blocks: Sequence[Block], trainers: dict[str, _Trainer], priors: _Priors, *, alike: bool) -> float:
    """One step towards the highest posterior; returns the furthest that an ability or a leniency moved."""
    scales = {name: (one.ability, one.leniency) for name, one in trainers.items()}
    for block in blocks:
        block.settle(scales, priors.spread)
    for name, information in _informations(blocks, trainers).items():
        one = trainers[name]
        _invert(one, information, priors)
        slope = 0.0 if alike else information.scale - (one.ability - 1) / priors.deviation**2
        other = information.leniency - (one.leniency - priors.leniency) / priors.leniency_deviation**2
        ability = one.variance * slope + one.covariance * other
        leniency = one.covariance * slope + one.leniency_variance * other
        longest = max(abs(ability), abs(leniency), 1.0)
        one.ability += 0.0 if alike else ability / longest
        one.leniency += leniency / longest
    everybody = trainers.values()
    priors.spread = math.sqrt(fmean(square for block in blocks for square in block.squares()))
    if not alike:
        _fix_scale(blocks, everybody, priors)
    known, first = len(everybody) / priors.leniency_deviation**2, 1 / _MIDDLE_DEVIATION**2
    mean = fmean(one.leniency for one in everybody)
    priors.leniency = (known * mean + first * _MIDDLE_LENIENCY) / (known + first)
    moved = (
        max(abs(one.ability - scales[name][0]), abs(one.leniency - scales[name][1])) for name, one in trainers.items()
    )
    return max(moved)


def _fix_scale(blocks: Sequence[Block], trainers: Collection[_Trainer], priors: _Priors) -> None:
    """Let abilities average 1: only their products with qualities are seen, so that the scale is ours to choose.

    Without it a scale is settled by the priors alone, over thousands of steps (parameter expansion; Liu, Rubin & Wu
    1998).
    """
    mean = max(fmean(one.ability for one in trainers), 0.1)
    for one in trainers:
        one.ability /= mean
        one.variance /= mean * mean
        one.covariance /= mean
    for block in blocks:
        block.rescale(mean)
    priors.spread *= mean


def _informations(blocks: Sequence[Block], trainers: Mapping[str, _Trainer]) -> dict[str, Information]:
    """Of each trainer, over what is known of the qualities: the gradient of the marginal likelihood (Fisher's identity)
    and its information, less what qualities unseen hide of it (Louis 1982).
    """
    found = {name: Information() for name in trainers}
    for block in blocks:
        for group in block.groups:
            for weight, qualities in block.nodes(group):
                means = group.sets.means(qualities)
                for order in group.orders:
                    own = trainers[order.trainer]
                    into = found[order.trainer]
                    into.add(weight, order.stages, means, group.sets.joined, own.ability, own.leniency)
    seen = {name: (one.scale_scale, one.leniency_leniency) for name, one in found.items()}
    for block in blocks:
        for name, of_scale, of_both, of_leniency in block.missing():
            found[name].scale_scale -= of_scale
            found[name].scale_leniency -= of_both
            found[name].leniency_leniency -= of_leniency
    for name, (of_scale, of_leniency) in seen.items():
        found[name].scale_scale = max(found[name].scale_scale, _LEAST_KNOWN * of_scale)
        found[name].leniency_leniency = max(found[name].leniency_leniency, _LEAST_KNOWN * of_leniency)
    return found


def _invert(one: _Trainer, information: Information, priors: _Priors) -> None:
    """Set the variances of a trainer's two parameters: the inverse of information and priors."""
    aa = max(information.scale_scale, 0.0) + 1 / priors.deviation**2
    ll = max(information.leniency_leniency, 0.0) + 1 / priors.leniency_deviation**2
    al = information.scale_leniency
    determinant = aa * ll - al * al
    if determinant <= 0:  # rounding of what was taken away
        al, determinant = 0.0, aa * ll
    one.variance, one.covariance, one.leniency_variance = ll / determinant, -al / determinant, aa / determinant


def _ability(name: str, one: _Trainer, num_rankings: int) -> Ability:
    half = _Z * math.sqrt(one.variance)
    half_leniency = _Z * math.sqrt(one.leniency_variance)
    return Ability(
        trainer=name,
        value=one.ability,
        low=one.ability - half,
        high=one.ability + half,
        ties=_tied(one.leniency),
        ties_low=_tied(one.leniency - half_leniency),
        ties_high=_tied(one.leniency + half_leniency),
        num_rankings=num_rankings,
    )


def _tied(leniency: float) -> float:
    """ν / (2 + ν) from log ν."""
    return 1 / (1 + 2 * math.exp(-leniency))
