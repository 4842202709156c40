"""How much each ranking counts where trainers are weighed: by how well whoever made it ranks.

Abilities are fitted anew from the very rankings that are learnt from (judging.abilities): nothing of them is in the
export, and what is held out has no part in them. The ability is the weight: of voters whose votes are their ability
times what is true, and noise alike, weights in proportion to it let the least noise through (the matched filter). Who
ranks no better than a coin counts nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from statistics import fmean

from judging import Ability, WeakOrder, fit_abilities
from records import Ranking

FEWEST = 20  # rankings of comparisons that others ranked too; below, a trainer counts as one of the middle


class CannotWeigh(ValueError):
    """Rankings from which trainers cannot be told apart: why, and what to do."""


@dataclass(frozen=True)
class TrainerWeights:
    """The weight of each ranking by its id, 1 on average, and the abilities of those who are weighed, by trainer."""

    by_ranking: dict[str, float]
    abilities: dict[str, Ability]

    def facts(self) -> dict[str, object]:
        """For the model's card: whose rankings counted how much."""
        return {
            trainer: {"ability": one.value, "low": one.low, "high": one.high, "num_rankings": one.num_rankings}
            for trainer, one in sorted(self.abilities.items())
        }


def weigh_trainers(rankings: Sequence[Ranking]) -> TrainerWeights:
    """Weights of these rankings. Whoever is not known, and whoever ranked too little beside others, counts 1.

    Raises CannotWeigh where fewer than three trainers ranked comparisons together, or where all are worth nothing.
    """
    found = fit_abilities(weak_orders(rankings))
    if not found.tells_apart:
        raise CannotWeigh(
            f"{len(found.trainers)} trainers ranked comparisons that others of them ranked too; three are needed to "
            "tell them apart; leave --weigh-trainers out"
        )
    known = {name: one for name, one in found.trainers.items() if one.num_rankings >= FEWEST}
    weights = {
        ranking.id: max(0.0, known[ranking.trainer].value)
        if ranking.trainer in known and _has_trainer(ranking)
        else 1.0
        for ranking in rankings
    }
    mean = fmean(weights.values())
    if mean == 0:
        raise CannotWeigh("no trainer ranks better than a coin, so no ranking would count; leave --weigh-trainers out")
    return TrainerWeights({name: weight / mean for name, weight in weights.items()}, known)


def weak_orders(rankings: Sequence[Ranking]) -> list[WeakOrder]:
    """The orders that trainers gave. A completion goes by its text, so that comparisons of a prompt can share it."""
    return [
        WeakOrder(
            trainer=ranking.trainer or "",
            prompt=_hash("\0".join(f"{message.role}\0{message.content}" for message in ranking.messages)),
            comparison=ranking.comparison_id,
            places=_places(ranking),
        )
        for ranking in rankings
        if _has_trainer(ranking) and ranking.abstained is None and not ranking.choice
    ]


def _has_trainer(ranking: Ranking) -> bool:
    """An adjudication settles what trainers ranked differently, and is none of theirs."""
    return ranking.trainer is not None and ranking.adjudication is None


def completion_names(ranking: Ranking) -> dict[str, str]:
    """What each completion of a ranking goes by in its weak order, by the completion's id."""
    names: dict[str, str] = {}
    for completion in sorted(ranking.completions, key=lambda one: one.id):
        name = _hash(completion.content)
        while name in names.values():  # the same text twice: two completions all the same
            name += "+"
        names[completion.id] = name
    return names


def _places(ranking: Ranking) -> dict[str, int]:
    names = completion_names(ranking)
    return {names[identifier]: tier for tier, members in enumerate(ranking.tiers) for identifier in members}


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]
