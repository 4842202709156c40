"""The trainer's options: each does what it says, and none changes what it should not."""

import json
import math
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch
from safetensors.torch import load_file

from language.activation_checkpointing import checkpoint_activations
from language.checkpoints import load_tokenizer
from language.options import OptionError
from records import write_jsonl
from rewardmodel.comparisons import pairs_of, tokenize_rankings
from rewardmodel.debiasing import LengthExpert, fit_length_expert
from rewardmodel.features import STATES_FILE, load_states
from rewardmodel.loss import merge_rankings, pair_loss
from rewardmodel.model import RewardModel, start_reward_model
from rewardmodel.train import Learner, main, take_step
from rewardmodel.train_config import TrainConfig
from tests.rewardmodel.factories import make_ranking, make_toy_rankings


@pytest.fixture
def config(tiny_policy: Path, tmp_path: Path) -> TrainConfig:
    data = tmp_path / "rankings.jsonl"
    write_jsonl(data, make_toy_rankings(120, split="train") + make_toy_rankings(40, seed=1, split="validation"))
    return TrainConfig(
        data=data, model=tiny_policy, out=tmp_path / "rm", lr=1e-2, batch_size=16, device="cpu", precision="fp32"
    )


def step_once(config: TrainConfig, *, checkpointed: bool = False) -> tuple[float, torch.Tensor, RewardModel]:
    model = start_reward_model(config.model, seed=0)
    if checkpointed:
        checkpoint_activations(model.backbone)
    comparisons = tokenize_rankings(make_toy_rankings(6), load_tokenizer(config.model), max_tokens=512).comparisons
    metrics = take_step(
        model,
        torch.optim.SGD(model.parameters(), lr=0.0),
        list(comparisons),
        Learner(replace(config, max_grad_norm=math.inf)),
        0,
    )
    return metrics["loss"], torch.cat([p.grad.flatten() for p in model.backbone.parameters()]), model


def test_merged_rankings_give_the_share_that_prefers_the_chosen_one() -> None:
    assert merge_rankings([(0, 1, 2), (1, 0, 2), (0, 0, 1)]) == [
        (0, 1, pytest.approx(0.5)),  # one for, one against, one tie
        (0, 2, 1.0),
        (1, 2, 1.0),
    ]
    assert merge_rankings([(1, 0), (1, 0), (0, 1)]) == [(1, 0, pytest.approx(2 / 3))]
    assert merge_rankings([(0, 0), (0, 0)]) == []


def test_the_soft_loss_is_the_cross_entropy_and_least_where_the_sigmoid_is_the_share() -> None:
    gap = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    zero = torch.zeros((), dtype=torch.float64)
    by_hand = -(0.8 * math.log(1 / (1 + math.exp(-0.7))) + 0.2 * math.log(1 / (1 + math.exp(0.7))))
    assert pair_loss(gap, zero, 0.0, 0.8).item() == pytest.approx(by_hand)
    best = torch.tensor(math.log(0.8 / 0.2), dtype=torch.float64, requires_grad=True)
    pair_loss(best, zero, 0.0, 0.8).backward()
    assert best.grad.item() == pytest.approx(0.0, abs=1e-12)
    assert pair_loss(torch.tensor(-100.0), torch.tensor(0.0), 0.0, 1.0).item() == 100.0


def test_soft_labels_count_a_comparison_once_however_many_ranked_it(config: TrainConfig, tiny_policy: Path) -> None:
    rankings = [make_ranking(id=f"r-{i}", comparison_id="c") for i in range(3)] + [make_ranking(id="other")]
    comparisons = tokenize_rankings(rankings, load_tokenizer(tiny_policy), max_tokens=512).comparisons
    merged = pairs_of(comparisons, soft_labels=True)
    assert (merged.num_rankings, len(merged.pairs)) == (2, 6)
    assert (pairs_of(comparisons).num_rankings, len(pairs_of(comparisons).pairs)) == (4, 12)
    main(replace(config, soft_labels=True))
    with pytest.raises(OptionError, match="exclude one another"):
        main(replace(config, soft_labels=True, margin_per_tier=1.0))


def test_a_step_with_soft_labels_has_the_mean_over_comparisons(config: TrainConfig) -> None:
    rankings = [make_ranking(id=f"r-{i}", comparison_id="c") for i in range(3)] + [make_ranking(id="other", prompt="?")]
    comparisons = tokenize_rankings(rankings, load_tokenizer(config.model), max_tokens=512).comparisons
    model = start_reward_model(config.model, seed=0)
    standing = torch.optim.SGD(model.parameters(), lr=0.0)
    learner = Learner(replace(config, soft_labels=True))
    both = take_step(model, standing, list(comparisons), learner, 0)["loss"]
    each = [take_step(model, standing, [comparison], learner, 0)["loss"] for comparison in comparisons]
    assert both == pytest.approx(sum(each) / 2, rel=1e-5)


def test_the_length_expert_is_fitted_to_length_alone(tiny_policy: Path) -> None:
    random = Random(0)
    texts = [("word " * random.randint(1, 20), "word " * random.randint(1, 20)) for _ in range(600)]
    # The longer one is the better with odds of 3 to 1 where the difference is large.
    rankings = []
    for index, pair in enumerate(texts):
        longer = max(pair, key=len)
        shorter = min(pair, key=len)
        order = (longer, shorter) if random.random() < 0.75 else (shorter, longer)
        rankings.append(make_ranking(id=f"r-{index}", prompt=f"{index}?", completions=order))
    comparisons = tokenize_rankings(rankings, load_tokenizer(tiny_policy), max_tokens=512).comparisons
    expert = fit_length_expert(comparisons)
    right = expert.logits(comparisons, pairs_of(comparisons).pairs).sigmoid()
    assert expert.weight > 0.8
    # A maximum-likelihood fit expects the very features that were seen.
    features = torch.atanh((right / (1 - right)).log() / expert.weight).tanh()
    assert (features * (1 - right)).sum().item() == pytest.approx(expert.weight, abs=0.05)  # the ridge's share
    level = make_ranking(completions=("same", "size"))
    assert fit_length_expert(
        tokenize_rankings([level], load_tokenizer(tiny_policy), max_tokens=512).comparisons
    ) == LengthExpert(0.0, 1.0)


def test_with_the_length_expert_scores_follow_length_less(config: TrainConfig) -> None:
    random = Random(3)
    rankings = []
    for index in range(300):
        short, long = "sea " * random.randint(1, 4), "sea " * random.randint(8, 12)
        order = (long, short) if random.random() < 0.85 else (short, long)
        split = "train" if index < 240 else "validation"
        rankings.append(make_ranking(id=f"r-{index}", prompt=f"{index}?", completions=order, split=split))
    write_jsonl(config.data, rankings)
    follows = {}
    for length_debias in (False, True):
        out = config.out.with_name(f"rm-{length_debias}")
        main(replace(config, length_debias=length_debias, out=out, epochs=2, lr=3e-3))
        facts = json.loads((out / "reward_model.json").read_text())["validation"]
        follows[length_debias] = facts["score_std"]
    assert follows[True] < 0.6 * follows[False]  # length was all there was to learn


@pytest.mark.parametrize("packed", [True, False])
def test_checkpointed_activations_change_no_gradient(config: TrainConfig, monkeypatch, *, packed: bool) -> None:
    import rewardmodel.scoring as scoring

    monkeypatch.setattr(scoring, "shares_prompts", lambda *arguments: packed)
    loss, gradient, _ = step_once(config)
    again, found, model = step_once(config, checkpointed=True)
    assert again == loss
    assert ((found - gradient).norm() / gradient.norm()).item() < 1e-6
    calls: list[int] = []
    model.backbone.layers[0].self_attn.register_forward_hook(lambda *arguments: calls.append(1))
    comparisons = tokenize_rankings(make_toy_rankings(2), load_tokenizer(config.model), max_tokens=512).comparisons
    take_step(model, torch.optim.SGD(model.parameters(), lr=0.0), list(comparisons), Learner(config), 0)
    assert len(calls) == 2  # forward, and once more on the way back


def test_checkpointing_and_lora_go_together(config: TrainConfig) -> None:
    main(replace(config, activation_checkpointing=True, lora=True, lora_rank=4))
    assert (config.out / "manifest.json").exists()


def test_a_probe_computes_states_once_and_trains_the_head_alone(config: TrainConfig, monkeypatch) -> None:
    import rewardmodel.features as features

    main(replace(config, probe=True, epochs=8))
    before = load_file(config.model / "model.safetensors")
    after = load_file(config.out / "model.safetensors")
    assert all(torch.equal(after[name], before[name]) for name in after if name in before)
    facts = json.loads((config.out / "reward_model.json").read_text())
    assert facts["validation"]["accuracy"]["value"] > 0.55
    assert (config.work_directory / STATES_FILE).exists()

    def refuse(*arguments, **named):
        raise AssertionError("computed again")

    monkeypatch.setattr(features, "_compute", refuse)
    main(replace(config, probe=True, epochs=8, out=config.out.with_name("again"), work=config.work_directory))
    again = load_file(config.out.with_name("again") / "model.safetensors")
    assert torch.equal(again["score.weight"], after["score.weight"])
    with pytest.raises(OptionError, match="--lora and --probe exclude"):
        main(replace(config, probe=True, lora=True))


def test_states_that_another_trunk_left_are_not_taken(config: TrainConfig) -> None:
    comparisons = tokenize_rankings(make_toy_rankings(4), load_tokenizer(config.model), max_tokens=512).comparisons
    model = start_reward_model(config.model, seed=0)
    first = load_states(config.work_directory, "one", model, comparisons, token_budget=500)
    assert torch.equal(
        load_states(config.work_directory, "one", model, comparisons, token_budget=500).values, first.values
    )
    with torch.no_grad():
        model.backbone.norm.weight.mul_(2)
    other = load_states(config.work_directory, "other", model, comparisons, token_budget=500)
    torch.testing.assert_close(other.values, 2 * first.values)


def test_a_probe_learns_what_the_whole_step_would_teach_the_head(config: TrainConfig) -> None:
    """Cached states and states computed on the way give the head one and the same gradient."""
    from rewardmodel.parameters import choose_parameters

    comparisons = tokenize_rankings(make_toy_rankings(6), load_tokenizer(config.model), max_tokens=512).comparisons
    gradients = []
    for cached in (False, True):
        model = start_reward_model(config.model, seed=0)
        choose_parameters(model, lora_rank=None, last_layers=0, head_only=True)
        states = load_states(config.work_directory, "k", model, comparisons, token_budget=50) if cached else None
        learner = Learner(config, states=states)
        take_step(model, torch.optim.SGD(model.head.parameters(), lr=0.0), list(comparisons), learner, 0)
        gradients.append(model.head.weight.grad.clone())
    assert torch.allclose(*gradients, atol=1e-5)
