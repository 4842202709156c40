"""What is trained of a network, and what the network was at the start.

Three ways: all parameters, the last layers, or LoRA adapters. The start is kept without keeping it
twice where that can be: with adapters it is the same network with them switched off, with the last
layers it shares all the others.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import torch
from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel

from language.checkpoints import load_causal_lm
from language.lora import without_adapter, wrap_with_lora
from rewardmodel.commandline import Precision
from rewardmodel.parameters import train_last_layers

Network = TypeVar("Network", bound=nn.Module)

# Up to here plain attention is faster than the fused kernel in bf16 on CPUs, and its memory, quadratic in
# this length, is small.
_SHORT = 512


@dataclass(frozen=True)
class Trainable:
    """Which parameters move: adapters of rank `lora_rank`, the last `last_layers` layers, or (0 and 0) all."""

    lora_rank: int = 0
    last_layers: int = 0

    def trunk_dtype(self, precision: Precision) -> torch.dtype:
        """The type in which weights are kept: only what is never stepped may be kept in bf16.

        A step of PPO moves a weight by less than bf16 can tell apart.
        """
        return torch.bfloat16 if self.lora_rank and precision == "bf16" else torch.float32

    def choose(self, model: PreTrainedModel) -> PreTrainedModel | PeftModel:
        """`model` with the parameters that move requiring gradients, wrapped where it has adapters."""
        if self.lora_rank:
            return wrap_with_lora(model, rank=self.lora_rank)
        if self.last_layers:
            model.requires_grad_(False)
            train_last_layers(cast(PreTrainedModel, model.base_model), self.last_layers)
        else:
            model.requires_grad_(True)
        return model


class PolicyLearner:
    """The policy as it is trained, and the reference policy: what it was."""

    def __init__(self, model: PreTrainedModel, trainable: Trainable) -> None:
        self.model = trainable.choose(model)
        self._start = None if trainable.lora_rank else frozen_copy(self.model)

    @contextmanager
    def as_reference(self) -> Iterator[nn.Module]:
        """Inside, the reference policy. Its parameters never change."""
        if self._start is not None:
            yield self._start
            return
        assert isinstance(self.model, PeftModel)
        with without_adapter(self.model) as reference:
            yield reference


def load_policy(
    directory: Path, *, trainable: Trainable, precision: Precision, device: torch.device, longest: int
) -> PreTrainedModel:
    """The policy of a checkpoint, kept as `trainable` allows and attending as suits `longest` tokens."""
    model = load_causal_lm(directory, dtype=trainable.trunk_dtype(precision), device=device)
    choose_attention(model, precision=precision, longest=longest)
    return model


def choose_attention(model: nn.Module, *, precision: Precision, longest: int) -> None:
    """Plain attention for short sequences in bf16 on a CPU: a quarter of an update's time less than fused."""
    model = cast(PreTrainedModel, model)
    if model.device.type == "cpu" and precision == "bf16" and longest <= _SHORT:
        model.set_attn_implementation("eager")


@contextmanager
def for_sampling(model: PreTrainedModel | PeftModel, *, precision: Precision) -> Iterator[nn.Module]:
    """Inside, `model` as the sampling engine wants it: attending by the fused kernel, whole in one number format.

    In bf16 a model of fp32 weights is sampled from through a bf16 copy that lives as long: under autocast
    every token would cast every weight again. Adapters stay as they are, for in bf16 they would be others.
    """
    network = cast(PreTrainedModel, model.get_base_model() if isinstance(model, PeftModel) else model)
    if precision == "bf16" and network.dtype != torch.bfloat16:
        network = model = bf16_copy(network)
    usual = network.config._attn_implementation
    network.set_attn_implementation("sdpa")
    try:
        yield model
    finally:
        network.set_attn_implementation(usual)


def bf16_copy(network: Network) -> Network:
    """A frozen copy in bf16, made without an fp32 one in between."""
    rounded = {
        id(parameter): nn.Parameter(parameter.detach().to(torch.bfloat16), requires_grad=False)
        for parameter in network.parameters()
    }
    return copy.deepcopy(network, rounded)


def frozen_copy(network: Network) -> Network:
    """A copy that will not be trained; parameters that the original does not train either are shared with it."""
    shared = {id(parameter): parameter for parameter in network.parameters() if not parameter.requires_grad}
    return copy.deepcopy(network, shared).requires_grad_(False).eval()
