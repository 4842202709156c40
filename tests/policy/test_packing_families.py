"""Families of models, each by its configuration: packed where that is exact, else apart, and always as alone."""

import copy
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
    GptOssConfig,
    Llama4TextConfig,
    LlamaConfig,
    MistralConfig,
    MixtralConfig,
    OPTConfig,
    Phi3Config,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen3Config,
)

from language.checkpoints import without_dropout
from policy.dialogues import TokenizedDialogue, target_nlls
from policy.packing import packs
from policy.shared_prompt import PromptGroups, completion_logprobs
from rewardmodel.comparisons import Comparison
from rewardmodel.model import RewardModel, hidden_size_of, make_head
from rewardmodel.packing import shares_prompts
from rewardmodel.reach import reach_of
from rewardmodel.scoring import scores_of

SHORT = (tuple(range(3, 8)), ((9, 10, 11), (12, 13)))
LONG = (tuple(range(3, 24)), ((9, 10, 11, 30, 31, 32), (12, 13)))
GROUPS = PromptGroups((SHORT[0], LONG[0]), (SHORT[1], LONG[1]), torch.device("cpu"))


def of(config_class: Any, **options: Any) -> PreTrainedConfig:
    sizes = {
        "vocab_size": 64,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
        "pad_token_id": 0,
    }
    config: PreTrainedConfig = config_class(**(sizes | options))
    return config


def rope(kind: str, **options: Any) -> dict[str, Any]:
    return {"rope_type": kind, "rope_theta": 10000.0, **options}


LONGROPE = rope(
    "longrope", short_factor=[1.0] * 4, long_factor=[4.0] * 4, original_max_position_embeddings=16, factor=4.0
)
GPT2 = GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=64)
OPT = OPTConfig(
    vocab_size=64, hidden_size=32, ffn_dim=48, num_hidden_layers=2, num_attention_heads=4,
    max_position_embeddings=64, word_embed_proj_dim=32,
)  # fmt: skip
BLOOM = BloomConfig(vocab_size=64, hidden_size=32, n_layer=2, n_head=4)
YARN = rope("yarn", factor=4.0, original_max_position_embeddings=16)
LLAMA4 = {"head_dim": 8, "intermediate_size_mlp": 48, "num_local_experts": 2}

# What packs sequences of up to 27 tokens, and what does not.
FAMILIES = {
    "llama": (of(LlamaConfig), True),
    "llama yarn": (of(LlamaConfig, rope_parameters=YARN), True),
    "llama dynamic within its context": (of(LlamaConfig, rope_parameters=rope("dynamic", factor=4.0)), True),
    "llama dynamic beyond": (
        of(LlamaConfig, max_position_embeddings=16, rope_parameters=rope("dynamic", factor=4.0)),
        False,
    ),
    "phi3 longrope beyond": (of(Phi3Config, original_max_position_embeddings=16, rope_parameters=LONGROPE), False),
    "mistral window 8": (of(MistralConfig, sliding_window=8), False),
    "mistral window 64": (of(MistralConfig, sliding_window=64), True),
    "qwen2": (of(Qwen2Config), True),
    "qwen2 windows in some layers": (
        of(Qwen2Config, use_sliding_window=True, sliding_window=8, max_window_layers=1),
        False,
    ),
    "qwen2 with a window that no layer uses": (of(Qwen2Config, sliding_window=8, max_window_layers=2), True),
    "qwen3": (of(Qwen3Config, head_dim=8), True),
    "gemma2": (of(Gemma2Config, head_dim=8, query_pre_attn_scalar=8, attn_logit_softcapping=0.5), False),
    "gemma3": (of(Gemma3TextConfig, head_dim=8, query_pre_attn_scalar=8, sliding_window=8), False),
    "gpt2": (GPT2, True),
    "gpt_neox": (of(GPTNeoXConfig), True),
    "opt": (OPT, True),
    "bloom": (BLOOM, False),
    "mixtral": (of(MixtralConfig, num_local_experts=4, sliding_window=None), True),
    "gpt_oss": (of(GptOssConfig, head_dim=8, num_local_experts=4, sliding_window=64), False),
    "llama4 chunks of 8": (of(Llama4TextConfig, attention_chunk_size=8, **LLAMA4), False),
    "llama4 chunks of 64": (of(Llama4TextConfig, attention_chunk_size=64, **LLAMA4), True),
    "llama4 scaled by place": (of(Llama4TextConfig, attention_chunk_size=64, floor_scale=16, **LLAMA4), False),
}


def build(config: PreTrainedConfig) -> PreTrainedModel:
    torch.manual_seed(0)
    config._attn_implementation = "eager" if config.model_type in ("gpt_oss", "gemma2", "bloom") else "sdpa"
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(8.0)  # random weights are so small that wrong attention would hardly show
    return without_dropout(model).eval()  # type: ignore[return-value]


def trunk_of(model: PreTrainedModel) -> Any:
    """The network without its unembedding: Llama 4 names it otherwise than it says."""
    return getattr(model, "model", model.base_model)


def alone(model: PreTrainedModel, ids: tuple[int, ...]) -> torch.Tensor:
    """Log-probabilities of every token but the first, by a network that has seen nothing else before."""
    logits = copy.deepcopy(model)(input_ids=torch.tensor([ids])).logits[0, :-1]
    return logits.log_softmax(-1).gather(1, torch.tensor(ids[1:])[:, None])[:, 0]


@torch.no_grad()
@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_packed_where_that_is_exact_and_equals_separate_forwards(name: str) -> None:
    config, does_pack = FAMILIES[name]
    model = build(copy.deepcopy(config))
    untouched = copy.deepcopy(model)
    assert packs(model, longest=GROUPS.longest, row=GROUPS.num_tokens) is does_pack
    found = completion_logprobs(model, GROUPS, temperature=1.0)
    for row, (prompt, completion) in enumerate(GROUPS.pairs):
        expected = alone(untouched, prompt + completion)[-len(completion) :]
        torch.testing.assert_close(found[row, : len(completion)], expected, atol=2e-4, rtol=1e-4)

    dialogues = [
        TokenizedDialogue(str(i), prompt + ids, (True,) * len(prompt + ids))
        for i, (prompt, ids) in enumerate(GROUPS.pairs)
    ]
    nlls = target_nlls(model, dialogues, packing=True)
    whole = torch.cat([alone(untouched, prompt + ids) for prompt, ids in GROUPS.pairs])
    torch.testing.assert_close(nlls, -whole, atol=2e-4, rtol=1e-4)

    reward_model = RewardModel(trunk_of(model), make_head(hidden_size_of(trunk_of(model))))
    comparisons = [Comparison(str(i), prompt, own, (), (), ()) for i, (prompt, own) in enumerate((SHORT, LONG))]
    assert shares_prompts(reward_model, comparisons) is packs(
        trunk_of(model), longest=GROUPS.longest, row=GROUPS.num_tokens
    )
    states = [
        copy.deepcopy(trunk_of(untouched))(input_ids=torch.tensor([prompt + ids])).last_hidden_state[0, -1]
        for prompt, ids in GROUPS.pairs
    ]
    expected_scores = reward_model.values_of(torch.stack(states))
    torch.testing.assert_close(scores_of(reward_model, comparisons), expected_scores, atol=2e-4, rtol=1e-4)


def test_a_nested_configuration_is_looked_into() -> None:
    from transformers import Gemma3Config

    nested = Gemma3Config(text_config=of(Gemma3TextConfig, head_dim=8, sliding_window=8).to_dict())

    class Network(torch.nn.Module):
        config = nested

    assert reach_of(Network()).sequence == 8
