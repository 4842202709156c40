"""The reward model: a language model's trunk and one linear head, read at the last real token.

The score of a completion is the head's value at its end token. The same head has a value at every
token, which a value model starts from (InstructGPT, App. C.4). Dropout is off, here and in training.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Bool, Float, Int
from peft import PeftModel
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from language.batching import position_ids
from language.checkpoints import CheckpointError, load_backbone, publish_checkpoint
from rewardmodel.classifier import as_classifier, ending_at_end_token, read_head_weight

HEAD_FILE = "head.safetensors"
FACTS_FILE = "reward_model.json"

Backbone = PreTrainedModel | PeftModel


class RewardModel(nn.Module):
    """`backbone` and `head`. Of a trained model the bias is 0: rewardmodel.normalisation keeps it in the weights.

    `facts` is what the card says of a published model: its data, its settings, how well it does.
    """

    def __init__(self, backbone: Backbone, head: nn.Linear, facts: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.backbone: Backbone = backbone
        self.head = head
        self.facts = dict(facts or {})
        self.shares_prompts: bool | None = None  # not known yet; rewardmodel.packing finds out

    @property
    def device(self) -> torch.device:
        """Where the head lives, and so where token ids must be."""
        return self.head.weight.device

    def hidden_states(
        self, input_ids: Int[Tensor, "batch length"], attention_mask: Bool[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length hidden"]:
        """The trunk's last hidden states. `attention_mask` is True on real tokens; padding may be on either side."""
        hidden: Tensor = self.backbone(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids(attention_mask),
            use_cache=False,
        ).last_hidden_state
        return hidden

    def values_of(self, hidden: Float[Tensor, "*batch hidden"]) -> Float[Tensor, "*batch"]:
        """The head's value of each hidden state, in the head's own precision whatever autocast says."""
        with torch.autocast(hidden.device.type, enabled=False):
            values: Tensor = self.head(hidden.to(self.head.weight.dtype)).squeeze(-1)
        return values

    def forward(
        self, input_ids: Int[Tensor, "batch length"], attention_mask: Bool[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length"]:
        """The head's value at every token; values at padding mean nothing."""
        return self.values_of(self.hidden_states(input_ids, attention_mask))


def last_states(
    model: RewardModel, input_ids: Int[Tensor, "batch length"], attention_mask: Bool[Tensor, "batch length"]
) -> Float[Tensor, "batch hidden"]:
    """The hidden state of each row's last real token, where its score is read.

    That token is the end token where the completion has one (Stiennon et al. 2020; summarize-from-feedback
    `reward_model.py`).
    """
    hidden = model.hidden_states(input_ids, attention_mask)
    rows = torch.arange(len(hidden), device=hidden.device)
    return hidden[rows, last_token_index(attention_mask)]


def last_token_index(attention_mask: Bool[Tensor, "batch length"]) -> Int[Tensor, " batch"]:
    """The column of each row's last real token, wherever the padding is and whatever its id."""
    if not bool(attention_mask.any(dim=1).all()):
        raise ValueError("a row of attention_mask has no real token to read a score at")
    return attention_mask.shape[1] - 1 - attention_mask.flip(1).long().argmax(dim=1)


def make_head(hidden_size: int, *, seed: int = 0) -> nn.Linear:
    """The linear head d → 1: weights N(0, std 1/√(d+1)), bias 0.

    Stiennon et al. 2020, App. B.1, whose "N(0, 1/(d+1))" gives the variance; lm-human-preferences
    `language/model.py` and summarize-from-feedback `query_response_model.py` have this deviation.
    """
    head = nn.Linear(hidden_size, 1)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        head.weight.copy_(torch.randn(1, hidden_size, generator=generator) / math.sqrt(hidden_size + 1))
        head.bias.zero_()
    return head


def start_reward_model(
    directory: str | os.PathLike[str],
    *,
    seed: int,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> RewardModel:
    """A reward model to be trained, from a policy's directory; from a reward model's, its head goes on too."""
    if (Path(directory) / FACTS_FILE).exists():
        return load_reward_model(directory, dtype=dtype, device=device)
    backbone = load_backbone(directory, dtype=dtype, device=device)
    return RewardModel(backbone, make_head(hidden_size_of(backbone), seed=seed).to(device))


def load_reward_model(
    directory: str | os.PathLike[str],
    *,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
    expected_sha256: str | None = None,
) -> RewardModel:
    """The reward model of a published directory, normalisation included, without dropout.

    `dtype` is the trunk's; the head stays in fp32. Raises CheckpointError that says what is wrong.
    """
    directory = Path(directory)
    if directory.is_dir() and not (directory / FACTS_FILE).exists():
        raise CheckpointError(
            f"{directory}: not a reward model (no {FACTS_FILE}); train one with python -m rewardmodel.train"
        )
    backbone = load_backbone(directory, dtype=dtype, device=device, expected_sha256=expected_sha256)
    head = _load_head(directory, hidden_size_of(backbone))
    return RewardModel(backbone, head.to(device), _read_facts(directory)).eval()


def publish_reward_model(
    target: str | os.PathLike[str],
    *,
    model: RewardModel,
    tokenizer: PreTrainedTokenizerBase,
    facts: Mapping[str, Any],
    extra_files: Mapping[str, bytes] | None = None,
) -> str:
    """Publish trunk, head, tokenizer and facts by one rename; returns the SHA-256 of the manifest.

    As the sequence classifier of the trunk's family wherever that gives these very scores. A head with a
    bias, or of a family without one, is written apart instead, for `load_reward_model` alone.
    """
    text = json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    extra: dict[str, Any] = {FACTS_FILE: text.encode(), **(extra_files or {})}
    published = as_classifier(cast(PreTrainedModel, model.backbone), model.head, tokenizer)
    if published is None:
        head = {"weight": model.head.weight.detach().float().cpu(), "bias": model.head.bias.detach().float().cpu()}
        extra[HEAD_FILE] = head
    return publish_checkpoint(
        target,
        model=published or cast(PreTrainedModel, model.backbone),
        tokenizer=ending_at_end_token(tokenizer),
        extra_files=extra,
        kind="reward_model",
    )


def hidden_size_of(backbone: Backbone) -> int:
    """Width of the trunk's hidden states."""
    return int(backbone.config.get_text_config().hidden_size)


def context_of(backbone: Backbone) -> int:
    """How many tokens the trunk was made for."""
    return int(backbone.config.get_text_config().max_position_embeddings)


def _load_head(directory: Path, hidden_size: int) -> nn.Linear:
    path = directory / HEAD_FILE
    tensors = load_file(path) if path.is_file() else _head_without_bias(directory)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if shapes != {"weight": (1, hidden_size), "bias": (1,)}:
        raise CheckpointError(
            f"{directory}: its head is {shapes}, but this trunk needs weight (1, {hidden_size}) and bias (1,)"
        )
    head = nn.Linear(hidden_size, 1)
    head.load_state_dict(tensors)
    return head


def _head_without_bias(directory: Path) -> dict[str, Tensor]:
    weight = read_head_weight(directory)
    if weight is None:
        raise CheckpointError(f"{directory}: holds no head; restore the directory or train again")
    return {"weight": weight, "bias": torch.zeros(1)}


def _read_facts(directory: Path) -> dict[str, Any]:
    path = directory / FACTS_FILE
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path}: not readable JSON: {error}") from error
    if not isinstance(facts, dict):
        raise CheckpointError(f"{path}: expected a JSON object")
    return facts
