"""Outside this package: transformers alone reads a published reward model, and reads the same scores."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    GPT2Config,
    LlamaConfig,
    PreTrainedConfig,
    Qwen2Config,
    Qwen3Config,
    pipeline,
)

from language.chat import render_completion, render_prompt
from language.checkpoints import CheckpointError, load_tokenizer, publish_checkpoint
from records import Message, encode, write_jsonl
from rewardmodel.comparisons import tokenize_comparison
from rewardmodel.model import load_reward_model, start_reward_model
from rewardmodel.scoring import score_comparisons
from rewardmodel.train import main
from rewardmodel.train_config import TrainConfig
from tests.rewardmodel.factories import make_toy_rankings
from tests.tiny import build_tiny_tokenizer

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
LLAMA_SIZES = {**SIZES, "intermediate_size": 48, "num_key_value_heads": 2, "max_position_embeddings": 256}
CONFIGS = [
    LlamaConfig(**LLAMA_SIZES),
    Qwen2Config(**LLAMA_SIZES),
    Qwen3Config(**LLAMA_SIZES, head_dim=8),
    GPT2Config(**SIZES, n_positions=256),
]
PROMPT = [Message(role="user", content="Where is the sea?")]
ANSWERS = ["Paris is blue.", "I", "The sea is wide and the sky is blue, I would try that first."]


def train(config: PreTrainedConfig, folder: Path) -> Path:
    tokenizer = build_tiny_tokenizer()
    config.vocab_size, config.initializer_range = len(tokenizer), 0.1
    config.pad_token_id, config.eos_token_id, config.bos_token_id = 0, tokenizer.eos_token_id, None
    torch.manual_seed(0)
    publish_checkpoint(folder / "policy", model=AutoModelForCausalLM.from_config(config), tokenizer=tokenizer)
    write_jsonl(folder / "rankings.jsonl", make_toy_rankings(64, split="train"))
    main(
        TrainConfig(
            data=folder / "rankings.jsonl",
            model=folder / "policy",
            out=folder / "rm",
            lr=1e-2,
            batch_size=16,
            device="cpu",
        )
    )
    return folder / "rm"


def our_scores(directory: Path) -> list[float]:
    tokenizer = load_tokenizer(directory)
    fitted = tokenize_comparison("c", PROMPT, ANSWERS, tokenizer, max_tokens=256)
    assert fitted is not None
    ((_, scores),) = score_comparisons(load_reward_model(directory), [fitted.comparison], token_budget=4096)
    return scores


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.model_type)
def test_transformers_gives_the_scores_that_training_published(config: PreTrainedConfig, tmp_path: Path) -> None:
    directory = train(config, tmp_path)
    expected = our_scores(directory)
    assert len({round(score, 3) for score in expected}) == 3
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model, loading = AutoModelForSequenceClassification.from_pretrained(
        directory, num_labels=1, output_loading_info=True
    )
    assert not loading["missing_keys"]
    assert not loading["unexpected_keys"]
    dialogues = [[*map(encode, PROMPT), {"role": "assistant", "content": answer}] for answer in ANSWERS]
    texts = [tokenizer.apply_chat_template(dialogue, tokenize=False) for dialogue in dialogues]
    batch = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
    with torch.no_grad():
        found = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, 0]
    assert found.tolist() == pytest.approx(expected, abs=1e-5)
    classify = pipeline("text-classification", model=str(directory), function_to_apply="none", device="cpu")
    piped = classify(texts, batch_size=3)
    assert [answer["score"] for answer in piped] == pytest.approx(expected, abs=1e-5)
    assert not list(directory.glob("*.py"))
    assert not (directory / "head.safetensors").exists()


def test_its_template_ends_where_the_score_is_read(tiny_reward_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_reward_model)
    said = [*map(encode, PROMPT), {"role": "assistant", "content": ANSWERS[0]}]
    ids = tokenizer(tokenizer.apply_chat_template(said, tokenize=False), add_special_tokens=False)["input_ids"]
    assert ids == render_prompt(tokenizer, PROMPT) + render_completion(tokenizer, ANSWERS[0])
    opened = tokenizer.apply_chat_template(said[:1], tokenize=False, add_generation_prompt=True)
    assert opened.endswith("<|im_start|>assistant\n")
    again = AutoTokenizer.from_pretrained(tiny_reward_model)
    assert again.chat_template.count("endset") == 1


def test_a_reward_model_trained_on_from_one_is_wrapped_once(tiny_reward_model: Path, tmp_path: Path) -> None:
    from rewardmodel.model import publish_reward_model

    model = start_reward_model(tiny_reward_model, seed=1)
    target = tmp_path / "second"
    publish_reward_model(target, model=model, tokenizer=load_tokenizer(tiny_reward_model), facts={})
    assert AutoTokenizer.from_pretrained(target).chat_template.count("endset") == 1
    assert our_scores(target) == our_scores(tiny_reward_model)


def test_a_directory_with_its_head_apart_is_still_read(tiny_reward_model: Path, tmp_path: Path) -> None:
    """What earlier versions wrote, and what is written for a trunk that has no classifier."""
    tensors = load_file(tiny_reward_model / "model.safetensors")
    old = tmp_path / "old"
    old.mkdir()
    for path in tiny_reward_model.iterdir():
        if path.name not in ("manifest.json", "model.safetensors"):
            (old / path.name).write_bytes(path.read_bytes())
    weight = tensors.pop("score.weight")
    trunk = {name.removeprefix("model."): tensor for name, tensor in tensors.items()}
    save_file(trunk, old / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="holds no head"):
        load_reward_model(old)
    save_file({"weight": weight, "bias": torch.tensor([0.5])}, old / "head.safetensors")
    assert our_scores(old) == pytest.approx([score + 0.5 for score in our_scores(tiny_reward_model)], abs=1e-5)


def test_a_head_with_a_bias_is_never_published_where_it_would_be_lost(tiny_policy: Path, tmp_path: Path) -> None:
    from rewardmodel.model import publish_reward_model

    model = start_reward_model(tiny_policy, seed=0)
    torch.nn.init.constant_(model.head.bias, 1.0)
    publish_reward_model(tmp_path / "rm", model=model, tokenizer=load_tokenizer(tiny_policy), facts={})
    config = json.loads((tmp_path / "rm" / "config.json").read_text())
    assert config["architectures"] == ["LlamaModel"]
    assert load_reward_model(tmp_path / "rm").head.bias.item() == 1.0
