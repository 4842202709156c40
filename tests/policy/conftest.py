"""A policy that answers one of four ways, and a reward model that likes one of them: a world small enough to check."""

from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaModel

from language.checkpoints import load_tokenizer
from policy.ppo_config import PpoConfig
from policy.sft import main as run_sft
from policy.sft_config import SftConfig
from records import write_jsonl
from rewardmodel.model import RewardModel, make_head, publish_reward_model
from tests.policy.factories import QUESTIONS, make_demonstration, write_demonstrations, write_prompts

ANSWERS = ["a a a", "b b b", "c c c", "d d d"]
LIKED = " b"


@pytest.fixture(scope="session")
def toy_policy(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny policy taught to give each of the four answers about equally often; read-only."""
    folder = tmp_path_factory.mktemp("toy")
    pairs = [(question, answer) for question in QUESTIONS for answer in ANSWERS for _ in range(4)]
    write_jsonl(folder / "d.jsonl", [make_demonstration(*pair, id=f"d-{i}") for i, pair in enumerate(pairs)])
    out = folder / "toy"
    run_sft(SftConfig(data=folder / "d.jsonl", model=tiny_policy, out=out, lr=1e-2, epochs=12, device="cpu"))
    return out


@pytest.fixture(scope="session")
def toy_reward_model(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reward model worked by hand: its score grows with the share of LIKED among all tokens; read-only."""
    target = tmp_path_factory.mktemp("rewardmodels") / "toy"
    tokenizer = load_tokenizer(tiny_policy)
    (liked,) = tokenizer(LIKED, add_special_tokens=False)["input_ids"]
    publish_reward_model(target, model=counting_reward_model(len(tokenizer), liked), tokenizer=tokenizer, facts={})
    return target


@pytest.fixture(scope="session")
def toy_prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_prompts(tmp_path_factory.mktemp("prompts") / "prompts.jsonl", QUESTIONS)


def counting_reward_model(vocab_size: int, liked: int) -> RewardModel:
    """Score 40·m − 2, where m, nearly the share s of liked tokens, is s/√(1 + 8s²).

    One layer attends to all tokens alike (queries and keys are 0) and writes the mean of a flag, which only
    the liked token has, into the third place of the state, where the head reads it.
    """
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        max_position_embeddings=512,
    )
    backbone, head = LlamaModel(config), make_head(8)
    with torch.no_grad():
        for name, parameter in backbone.named_parameters():
            parameter.fill_(1.0 if "norm" in name else 0.0)
        backbone.embed_tokens.weight[:, 1] = 1.0
        backbone.embed_tokens.weight[liked] = torch.tensor([1.0, 0, 0, 0, 0, 0, 0, 0])
        backbone.get_parameter("layers.0.self_attn.v_proj.weight")[0, 0] = 1.0
        backbone.get_parameter("layers.0.self_attn.o_proj.weight")[2, 0] = 1.0
        head.weight.zero_()
        head.weight[0, 2] = 5.0
        head.bias.fill_(-2.0)
    return RewardModel(backbone, head)


@pytest.fixture
def config(toy_policy: Path, toy_reward_model: Path, toy_prompts: Path, tmp_path: Path) -> PpoConfig:
    """Three updates of 32 rollouts in two minibatches: enough for every rule, a second's work."""
    return PpoConfig(
        policy=toy_policy,
        reward=toy_reward_model,
        prompts=toy_prompts,
        out=tmp_path / "ppo",
        updates=3,
        rollouts_per_update=32,
        completions_per_prompt=4,
        minibatch_size=16,
        microbatch_size=8,
        max_new_tokens=10,
        lr=2e-3,
        value_lr=1e-2,
        warmup_updates=0,
        device="cpu",
    )


@pytest.fixture
def demonstrations(tmp_path: Path) -> Path:
    return write_demonstrations(tmp_path / "demonstrations.jsonl", [("Hello!", "a a a"), ("Who are you?", "d d")])
