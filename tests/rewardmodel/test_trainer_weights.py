"""Rankings are weighed by how well whoever made them ranks, and the weights reach the loss."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from language.checkpoints import load_tokenizer
from language.options import OptionError
from records import Ranking, write_jsonl
from rewardmodel.comparisons import tokenize_rankings
from rewardmodel.data import DataError
from rewardmodel.material import load_material
from rewardmodel.model import start_reward_model
from rewardmodel.train import Learner, take_step
from rewardmodel.train_config import TrainConfig, require_options
from rewardmodel.trainer_weights import FEWEST, CannotWeigh, weigh_trainers
from tests.judging.planted import planted_orders
from tests.rewardmodel.factories import make_ranking

PLANTED = {"sharp": 1.8, "clear": 1.2, "coin": 0.0}


def rankings_of(planted: dict[str, float], *, each: int = 60) -> Iterator[Ranking]:
    for number, order in enumerate(planted_orders(planted, seed=3, each=each, at_once=3)):
        tiers = [
            [int(name) for name, tier in order.places.items() if tier == wanted]
            for wanted in sorted(set(order.places.values()))
        ]
        if len(tiers) > 1:
            yield make_ranking(
                id=f"r-{number}",
                prompt=f"Question {order.comparison}?",
                comparison_id=order.comparison,
                completions=[f"Answer {letter} to {order.comparison}." for letter in "abcd"],
                tiers=tiers,
                trainer=order.trainer,
                split="train",
            )


def test_whoever_ranks_like_a_coin_counts_less_and_weights_average_one() -> None:
    rankings = list(rankings_of(PLANTED))
    found = weigh_trainers(rankings)
    weight = {ranking.trainer: found.by_ranking[ranking.id] for ranking in rankings}
    assert weight["coin"] < 0.5 * weight["clear"]
    assert sum(found.by_ranking.values()) == pytest.approx(len(rankings))
    assert found.facts()["coin"]["num_rankings"] > FEWEST


def test_who_is_not_known_counts_as_one_of_the_middle() -> None:
    rankings = list(rankings_of(PLANTED))
    few = replace(rankings[0], id="few", trainer="newcomer")
    nobody = replace(rankings[0], id="nobody", trainer=None)
    settled = replace(rankings[0], id="settled", trainer="sharp", adjudication="taste")
    found = weigh_trainers([*rankings, few, nobody, settled])
    assert found.by_ranking["few"] == found.by_ranking["nobody"] == found.by_ranking["settled"] > 0
    assert found.by_ranking[rankings[0].id] != found.by_ranking["few"]
    assert "newcomer" not in found.facts()


def test_two_trainers_cannot_be_weighed(tmp_path: Path, tiny_policy: Path) -> None:
    two = [ranking for ranking in rankings_of(PLANTED) if ranking.trainer != "coin"]
    with pytest.raises(CannotWeigh, match="2 trainers"):
        weigh_trainers(two)
    path = tmp_path / "two.jsonl"
    write_jsonl(path, two)
    with pytest.raises(DataError, match=r"two\.jsonl.*leave --weigh-trainers out"):
        load_material(
            path, load_tokenizer(tiny_policy), max_tokens=200, demonstrations=None, validation_fraction=0.0, seed=0,
            weighs_trainers=True,
        )  # fmt: skip


def test_the_weights_reach_the_loss(tmp_path: Path, tiny_policy: Path) -> None:
    """A step's loss is the weighted mean of what each ranking alone would cost."""
    path = tmp_path / "rankings.jsonl"
    write_jsonl(path, list(rankings_of(PLANTED, each=24)))
    tokenizer = load_tokenizer(tiny_policy)
    material = load_material(
        path, tokenizer, max_tokens=200, demonstrations=None, validation_fraction=0.0, seed=0, weighs_trainers=True
    )
    assert material.trainer_weights is not None
    batch = list(material.comparisons[:3])
    config = TrainConfig(data=path, model=tiny_policy, out=tmp_path / "out")
    model = start_reward_model(tiny_policy, seed=0)
    standing = torch.optim.SGD(model.parameters(), lr=0.0)
    rankings = {ranking.id: ranking for ranking in material.training}
    costs = []
    for comparison in batch:
        for identifier, weight in zip(comparison.ranking_ids, comparison.weights, strict=True):
            assert weight == material.trainer_weights.by_ranking[identifier]
            alone = tokenize_rankings([rankings[identifier]], tokenizer, max_tokens=200).comparisons
            costs.append(weight * take_step(model, standing, list(alone), Learner(config), 0)["loss"])
    assert len({weight for one in batch for weight in one.weights}) > 1
    found = take_step(model, standing, batch, Learner(config), 0)["loss"]
    assert found == pytest.approx(sum(costs) / len(costs), rel=1e-5)


def test_merged_rankings_have_no_trainer_to_weigh(tmp_path: Path) -> None:
    config = TrainConfig(data=tmp_path, model=tmp_path, out=tmp_path / "out", soft_labels=True, weigh_trainers=True)
    with pytest.raises(OptionError, match="exclude one another"):
        require_options(config)
