"""The model itself: where the score is read, what cannot move it, and that it comes back as it was saved."""

import json
import math
from pathlib import Path

import pytest
import torch

from language.batching import pad_left, pad_right
from language.checkpoints import CheckpointError, load_tokenizer
from rewardmodel.comparisons import Comparison
from rewardmodel.model import (
    RewardModel,
    last_token_index,
    load_reward_model,
    make_head,
    publish_reward_model,
    start_reward_model,
)
from rewardmodel.packing import padded_scores
from tests.separate_forwards import score_tokens

SEQUENCES = [[5, 6, 7, 8, 2], [9, 10, 2], [11, 12, 13, 14, 15, 16, 2]]


@pytest.fixture
def model(tiny_policy: Path) -> RewardModel:
    return start_reward_model(tiny_policy, seed=0)


@pytest.mark.parametrize(("width", "deviation"), [(768, 0.036061), (4096, 0.015623)])
def test_a8_the_head_starts_with_deviation_one_over_the_root_of_d_plus_one(width: int, deviation: float) -> None:
    assert 1 / math.sqrt(width + 1) == pytest.approx(deviation, abs=1e-6)
    weights = torch.cat([make_head(width, seed=seed).weight.detach() for seed in range(200)])
    assert float(weights.std()) == pytest.approx(deviation, rel=0.02)
    assert float(weights.mean()) == pytest.approx(0, abs=deviation / 50)
    head = make_head(width, seed=3)
    assert head.bias.item() == 0.0
    assert torch.equal(head.weight, make_head(width, seed=3).weight)


def test_a8_a_head_of_zeros_costs_exactly_ln_2(model: RewardModel) -> None:
    from rewardmodel.loss import ranking_losses

    torch.nn.init.zeros_(model.head.weight)
    scores = padded_scores(model, [Comparison("c", (5, 6), ((7, 2), (8, 9, 2)), (1, 2), ("r",), ((0, 1),))])
    assert ranking_losses(scores, torch.tensor([[0, 1]]), torch.tensor([0]), 1).item() == pytest.approx(
        math.log(2), abs=1e-7
    )


def test_a9_the_score_is_read_at_the_last_real_token() -> None:
    mask = torch.tensor([[1, 1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1, 1], [0, 1, 1, 0, 0, 0, 0]], dtype=torch.bool)
    assert last_token_index(mask).tolist() == [4, 6, 2]
    with pytest.raises(ValueError, match="no real token"):
        last_token_index(torch.zeros(1, 3, dtype=torch.bool))


def test_a9_padding_and_batch_mates_do_not_move_a_score(model: RewardModel) -> None:
    alone = [score_tokens(model, torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.bool)) for ids in SEQUENCES]
    expected = torch.cat(alone)
    for batch in (
        pad_right(SEQUENCES, pad_token_id=0),
        pad_left(SEQUENCES, pad_token_id=0),
        pad_right([*SEQUENCES, list(range(3, 40))], pad_token_id=2),  # padding that looks like the end token
    ):
        scores = score_tokens(model, batch.input_ids, batch.attention_mask)[: len(SEQUENCES)]
        assert (scores - expected).abs().max().item() < 1e-5


def test_a10_nine_completions_are_nine_sequences(model: RewardModel) -> None:
    rows: list[int] = []
    model.backbone.register_forward_pre_hook(
        lambda module, args, kwargs: rows.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    nine = Comparison("c", (5, 6, 7), tuple((8 + i, 2) for i in range(9)), (1,) * 9, ("r",), (tuple(range(9)),))
    assert len(padded_scores(model, [nine])) == 9
    assert sum(rows) == 9


def test_c18_the_value_at_the_last_token_is_the_score(model: RewardModel) -> None:
    torch.nn.init.constant_(model.head.bias, 0.7)
    batch = pad_right(SEQUENCES, pad_token_id=0)
    values = model(batch.input_ids, batch.attention_mask)
    last = values[torch.arange(3), last_token_index(batch.attention_mask)]
    assert torch.allclose(last, score_tokens(model, batch.input_ids, batch.attention_mask), atol=1e-6)


def test_scoring_twice_gives_the_same_scores_even_in_training_mode(model: RewardModel) -> None:
    batch = pad_right(SEQUENCES, pad_token_id=0)
    model.train()
    first = score_tokens(model, batch.input_ids, batch.attention_mask)
    assert torch.equal(first, score_tokens(model, batch.input_ids, batch.attention_mask))


def test_a_published_model_comes_back_with_its_bias_and_facts(model: RewardModel, tiny_policy: Path, tmp_path) -> None:
    torch.nn.init.constant_(model.head.bias, -1.25)
    batch = pad_right(SEQUENCES, pad_token_id=0)
    before = score_tokens(model, batch.input_ids, batch.attention_mask)
    target = tmp_path / "rewardmodels" / "first"
    sha256 = publish_reward_model(target, model=model, tokenizer=load_tokenizer(tiny_policy), facts={"note": "kept"})
    loaded = load_reward_model(target, expected_sha256=sha256)
    assert torch.equal(before, score_tokens(loaded, batch.input_ids, batch.attention_mask))
    assert loaded.facts == {"note": "kept"}
    assert loaded.head.bias.item() == -1.25
    again = start_reward_model(target, seed=9)
    assert torch.equal(again.head.weight, model.head.weight)


def test_what_is_not_a_reward_model_is_refused_with_what_to_do(
    model: RewardModel, tiny_policy: Path, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match="not a reward model"):
        load_reward_model(tiny_policy)
    with pytest.raises(CheckpointError, match="no such directory"):
        load_reward_model(tmp_path / "nowhere")
    with torch.no_grad():
        model.head.weight[0, 0] = math.nan
    with pytest.raises(CheckpointError, match="not finite"):
        publish_reward_model(tmp_path / "nan", model=model, tokenizer=load_tokenizer(tiny_policy), facts={})
    assert not (tmp_path / "nan").exists()


def test_a_head_that_does_not_fit_its_trunk_is_refused(model: RewardModel, tiny_policy: Path, tmp_path: Path) -> None:
    wide = RewardModel(model.backbone, make_head(48))
    target = tmp_path / "wide"
    publish_reward_model(target, model=wide, tokenizer=load_tokenizer(tiny_policy), facts={})
    with pytest.raises(CheckpointError, match=r"this trunk needs weight \(1, 32\)"):
        load_reward_model(target)
    assert json.loads((target / "manifest.json").read_text())["kind"] == "reward_model"


def test_a_head_is_read_in_its_own_precision_whatever_the_trunk_computes_in(model: RewardModel) -> None:
    hidden = torch.randn(4, model.head.in_features, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = model.values_of(hidden)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(model.values_of(hidden), expected)


def test_a_run_of_another_seed_begins_with_another_head(tiny_policy: Path) -> None:
    heads = [start_reward_model(tiny_policy, seed=seed).head.weight for seed in (0, 0, 1)]
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])
