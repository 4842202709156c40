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

from language.activation_checkpointing import checkpoint_activations
from language.checkpoints import load_causal_lm
from language.commandline import Precision
from language.cpu_linears import pack_linears
from language.lora import without_adapter, wrap_with_lora
from language.parallel import ALONE, Sharing, is_sharded
from language.parallel.whole import whole_copy
from policy.placing import place
from rewardmodel.parameters import train_last_layers

Network = TypeVar("Network", bound=nn.Module)


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


def load_learner(
    start: Path,
    trainable: Trainable,
    precision: Precision,
    device: torch.device,
    sharing: Sharing,
    *,
    activation_checkpointing: bool,
) -> PreTrainedModel | PeftModel:
    """The language model of a directory with the parameters that move, laid out among the processes."""
    where = sharing.loading_device(device)
    network = load_causal_lm(start, dtype=trainable.trunk_dtype(precision), device=where)
    if activation_checkpointing:
        checkpoint_activations(network)
    learner = trainable.choose(network)
    place(sharing, learner)
    return learner


class PolicyLearner:
    """The policy as it is trained, and the reference policy: what it was."""

    def __init__(
        self,
        model: PreTrainedModel,
        trainable: Trainable,
        precision: Precision = "fp32",
        *,
        sharing: Sharing = ALONE,
    ) -> None:
        self.model = trainable.choose(model)
        self._start = None if trainable.lora_rank else frozen_start(self.model, trainable, precision, sharing)
        for network in (self.model, self._start):
            if network is not None:
                place(sharing, network)

    @contextmanager
    def as_reference(self) -> Iterator[nn.Module]:
        """Inside, the reference policy. Its parameters never change."""
        if self._start is not None:
            yield self._start
            return
        assert isinstance(self.model, PeftModel)
        with without_adapter(self.model) as reference:
            yield reference


def sampling_model(model: PreTrainedModel | PeftModel, *, precision: Precision) -> nn.Module:
    """`model` as it is sampled from: on the CPU with packed layers, and in bf16, one of fp32 weights, as a bf16 copy.

    Under autocast every token would cast every weight again. Adapters stay as they are: they lie on weights
    that are in bf16 already, and rounded they would be others. Of a network that is shared out among processes, each
    gets a whole copy to sample from by itself, and all must ask.
    """
    has_adapters = isinstance(model, PeftModel)
    if is_sharded(model):
        sampler = whole_copy(model, dtype=torch.bfloat16 if precision == "bf16" and not has_adapters else None)
    elif has_adapters:
        # Where activations are checkpointed, layers are in training mode, in which transformers keeps no cache.
        return sharing_copy(model).eval() if model.is_activation_checkpointing else model
    else:
        sampler = (bf16_copy(model) if precision == "bf16" else sharing_copy(model)).eval()
    if not has_adapters:
        pack_linears(sampler)
    return sampler


def sharing_copy(network: Network) -> Network:
    """A copy whose modules can be replaced; its parameters are the network's own."""
    return copy.deepcopy(network, {id(parameter): parameter for parameter in network.parameters()})


def bf16_copy(network: Network) -> Network:
    """A frozen copy in bf16, made without an fp32 one in between."""
    rounded = {
        id(parameter): nn.Parameter(parameter.detach().to(torch.bfloat16), requires_grad=False)
        for parameter in network.parameters()
    }
    return copy.deepcopy(network, rounded)


def frozen_start(network: Network, trainable: Trainable, precision: Precision, sharing: Sharing = ALONE) -> Network:
    """A frozen copy to be measured by; in fp32 its linear layers are packed for the CPU where they are its own.

    Not under autocast, which would not reach them, not where lower layers are shared with what is trained, and not
    where it is to be shared out among processes.
    """
    start = frozen_copy(network)
    if precision == "fp32" and not trainable.last_layers and not sharing.is_sharded:
        pack_linears(start, tied=False)
    return start


def frozen_copy(network: Network) -> Network:
    """A copy that will not be trained; parameters that the original does not train either are shared with it."""
    shared = {id(parameter): parameter for parameter in network.parameters() if not parameter.requires_grad}
    return copy.deepcopy(network, shared).requires_grad_(False).eval()
