"""Packed rows against separate forwards: the same scores, the same gradients, fewer tokens."""

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModel,
    BloomConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

from language.chat import render_completion, render_prompt
from language.checkpoints import load_tokenizer
from records import Message
from rewardmodel.comparisons import Comparison
from rewardmodel.loss import ranking_losses
from rewardmodel.model import RewardModel, hidden_size_of, make_head, start_reward_model
from rewardmodel.packing import completion_mask, pack, packed_scores, padded_scores, shares_prompts
from rewardmodel.scoring import score_comparisons, scores_of
from tests.separate_forwards import score_tokens

Scorer = Callable[[RewardModel, Sequence[Comparison]], torch.Tensor]

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 320}
LLAMA_SIZES = {**SIZES, "intermediate_size": 48, "num_key_value_heads": 2, "max_position_embeddings": 256}


def comparison(prompt: Sequence[int], *completions: Sequence[int]) -> Comparison:
    lengths = tuple(map(len, completions))
    tiers = (tuple(range(len(completions))),)
    return Comparison(f"c-{len(prompt)}", tuple(prompt), tuple(map(tuple, completions)), lengths, ("r",), tiers)


RAGGED = [
    comparison(range(3, 40), range(50, 63), [7, 2], range(100, 141), range(60, 65)),
    comparison([5], [9, 2], [10, 11, 12, 2]),
    comparison(range(200, 212), range(40, 49), range(41, 50), [2]),
]


def build(config: PreTrainedConfig) -> RewardModel:
    torch.manual_seed(0)
    for name in vars(config):
        if "dropout" in name or name.endswith("pdrop"):
            setattr(config, name, 0.0)
    backbone = AutoModel.from_config(config).eval()
    return RewardModel(backbone, make_head(hidden_size_of(backbone)))


def one_by_one(model: RewardModel, comparisons: Sequence[Comparison]) -> torch.Tensor:
    sequences = [[*member.prompt_ids, *ids] for member in comparisons for ids in member.completion_ids]
    return torch.cat(
        [score_tokens(model, torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.bool)) for ids in sequences]
    )


def gradient_by(model: RewardModel, comparisons: Sequence[Comparison], scorer: Scorer) -> torch.Tensor:
    from rewardmodel.comparisons import pairs_of

    model.zero_grad()
    pairs = pairs_of(comparisons)
    losses = ranking_losses(scorer(model, comparisons), pairs.pairs, pairs.ranking_of_pair, pairs.num_rankings)
    losses.mean().backward()
    found = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    return torch.cat([gradient.flatten() for gradient in found]).clone()


def require_equal_to_separate_forwards(model: RewardModel, comparisons: Sequence[Comparison]) -> None:
    expected = one_by_one(model, comparisons)
    for scorer in (padded_scores, packed_scores):
        assert (scorer(model, comparisons) - expected).abs().max().item() < 1e-5
        straight = gradient_by(model, comparisons, one_by_one)
        found = gradient_by(model, comparisons, scorer)
        assert ((found - straight).norm() / straight.norm()).item() < 1e-5


@pytest.mark.parametrize(
    "config",
    [
        LlamaConfig(**LLAMA_SIZES),
        Qwen2Config(**LLAMA_SIZES),
        Qwen3Config(**LLAMA_SIZES, head_dim=8),
        MistralConfig(**LLAMA_SIZES, sliding_window=128),
        GPT2Config(**{**SIZES, "n_positions": 256}),
    ],
    ids=lambda config: config.model_type,
)
def test_scores_and_gradients_equal_those_of_separate_forwards(config: PreTrainedConfig) -> None:
    model = build(config)
    assert shares_prompts(model, RAGGED)
    require_equal_to_separate_forwards(model, RAGGED)


def test_they_are_equal_on_real_ragged_dialogues_too(tiny_policy: Path, real_data: Path) -> None:
    tokenizer = load_tokenizer(tiny_policy)
    model = start_reward_model(tiny_policy, seed=0)
    with gzip.open(real_data / "oasst_trees.jsonl.gz", "rt", encoding="utf-8") as lines:
        trees = [json.loads(line)["prompt"] for line in lines]
    dialogues = [(tree["text"], [reply["text"] for reply in tree["replies"]]) for tree in trees]
    comparisons = []
    for prompt, replies in dialogues:
        ids = render_prompt(tokenizer, [Message(role="user", content=prompt)])
        completions = [render_completion(tokenizer, text) for text in replies if len(text) < 400]
        if len(completions) >= 2 and len(ids) < 150:
            comparisons.append(comparison(ids, *completions))
    assert len(comparisons) >= 5
    require_equal_to_separate_forwards(model, comparisons[:8])


def test_only_the_trained_layers_need_gradients_for_the_two_ways_to_agree(tiny_policy: Path) -> None:
    from rewardmodel.parameters import choose_parameters

    for options in ({"lora_rank": 4, "last_layers": 0}, {"lora_rank": None, "last_layers": 1}):
        model = start_reward_model(tiny_policy, seed=0)
        choose_parameters(model, **options)
        assert shares_prompts(model, RAGGED)
        straight, found = (gradient_by(model, RAGGED, scorer) for scorer in (one_by_one, packed_scores))
        assert ((found - straight).norm() / straight.norm()).item() < 1e-5


def test_in_bf16_it_is_as_close_to_fp32_as_separate_forwards_are(tiny_policy: Path) -> None:
    model = start_reward_model(tiny_policy, seed=0)
    exact, straight = one_by_one(model, RAGGED), gradient_by(model, RAGGED, one_by_one)

    def in_bf16(scorer: Scorer) -> Scorer:
        def scored(model: RewardModel, comparisons: Sequence[Comparison]) -> torch.Tensor:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return scorer(model, comparisons)

        return scored

    errors = {}
    for scorer in (one_by_one, packed_scores):
        scores, gradient = in_bf16(scorer)(model, RAGGED), gradient_by(model, RAGGED, in_bf16(scorer))
        errors[scorer] = (
            ((scores - exact).norm() / exact.norm()).item(),
            ((gradient - straight).norm() / straight.norm()).item(),
        )
    assert errors[packed_scores][0] < 0.05
    assert errors[packed_scores][1] < max(0.05, 1.5 * errors[one_by_one][1])


def test_a_neighbour_in_the_row_changes_nothing(tiny_policy: Path) -> None:
    model = start_reward_model(tiny_policy, seed=0)
    alone = packed_scores(model, RAGGED[:1])
    poisoned = comparison([300, 301], [302] * 30, [303])
    assert torch.allclose(packed_scores(model, [poisoned, *RAGGED, poisoned])[2:6], alone, atol=1e-5)
    other_completions = comparison(RAGGED[0].prompt_ids, RAGGED[0].completion_ids[2], [300] * 50)
    assert torch.allclose(packed_scores(model, [other_completions])[:1], alone[2:3], atol=1e-5)


def test_a10_the_prompt_and_each_completion_are_forwarded_once(tiny_policy: Path) -> None:
    model = start_reward_model(tiny_policy, seed=0)
    nine = comparison(range(3, 60), *(range(70 + i, 80 + 2 * i) for i in range(9)))
    shapes: list[torch.Size] = []
    assert shares_prompts(model, [nine])
    model.backbone.register_forward_pre_hook(
        lambda module, args, kwargs: shapes.append(kwargs["input_ids"].shape), with_kwargs=True
    )
    assert len(scores_of(model, [nine])) == 9
    assert shapes == [torch.Size([1, 57 + sum(map(len, nine.completion_ids))])]


def test_positions_go_on_after_the_prompt_for_every_completion() -> None:
    row = pack([comparison([10, 11, 12], [20, 21], [30]), comparison([13], [22])], torch.device("cpu"))
    assert row.input_ids.tolist() == [[10, 11, 12, 20, 21, 30, 13, 22]]
    assert row.position_ids.tolist() == [[0, 1, 2, 3, 4, 3, 0, 1]]
    assert row.read_at.tolist() == [4, 5, 7]


def test_a_completion_sees_its_prompt_and_itself_up_to_each_token() -> None:
    assert completion_mask(2, 3).long().tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]


def test_a_trunk_with_attention_of_its_own_is_scored_the_plain_way() -> None:
    model = build(BloomConfig(hidden_size=32, n_layer=2, n_head=4, vocab_size=320))
    assert not shares_prompts(model, RAGGED)
    assert torch.allclose(scores_of(model, RAGGED), one_by_one(model, RAGGED), atol=1e-5)


def test_a_window_narrower_than_a_completion_reaches_back_is_scored_the_plain_way() -> None:
    model = build(MistralConfig(**LLAMA_SIZES, sliding_window=16))
    assert shares_prompts(model, RAGGED[1:2])
    assert not shares_prompts(model, RAGGED)
    assert torch.allclose(scores_of(model, RAGGED), one_by_one(model, RAGGED), atol=1e-5)


def test_the_model_is_left_as_it_was_for_others_to_use(tiny_policy: Path) -> None:
    model = start_reward_model(tiny_policy, seed=0)
    before = model.backbone.config._attn_implementation
    packed_scores(model, RAGGED)
    assert model.backbone.config._attn_implementation == before
    with pytest.raises(IndexError):
        packed_scores(model, [comparison([5], [100_000])])
    assert model.backbone.config._attn_implementation == before


def test_pieces_of_any_size_give_each_comparison_its_own_scores(tiny_policy: Path) -> None:
    model = start_reward_model(tiny_policy, seed=0)
    expected = {member.id: one_by_one(model, [member]).tolist() for member in RAGGED}
    for budget in (1, 60, 10_000):
        found = {member.id: row for member, row in score_comparisons(model, RAGGED, token_budget=budget)}
        assert found == {name: pytest.approx(scores, abs=1e-5) for name, scores in expected.items()}
