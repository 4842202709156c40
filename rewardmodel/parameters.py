"""Which parameters of a reward model are trained: all, adapters, or the last few layers."""

from typing import cast

from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel

from language.lora import merge_lora, wrap_with_lora
from rewardmodel.model import RewardModel


def choose_parameters(model: RewardModel, *, lora_rank: int | None, last_layers: int, head_only: bool = False) -> None:
    """Freeze what is not to be trained. `lora_rank` None is no LoRA; `last_layers` 0 is all layers.

    The head's bias is always frozen: no pair can tell its value, and normalisation does without it.
    """
    model.head.bias.requires_grad_(False)
    backbone = cast(PreTrainedModel, model.backbone)
    if lora_rank is not None:
        model.backbone = wrap_with_lora(backbone, rank=lora_rank)
    elif head_only:
        backbone.requires_grad_(False)
    elif last_layers:
        train_last_layers(backbone, last_layers)


def merge_adapters(model: RewardModel) -> None:
    """Make a plain trunk of one with adapters; any other stays as it is."""
    if isinstance(model.backbone, PeftModel):
        model.backbone = merge_lora(model.backbone)


def train_last_layers(backbone: PreTrainedModel, num_layers: int) -> None:
    """Freeze all but the last `num_layers` decoder layers and the final norm.

    Nothing below the lowest trained layer needs gradients, so its backward pass is not computed either.
    """
    layers = decoder_layers(backbone)
    if num_layers > len(layers):
        raise ValueError(f"the model has {len(layers)} layers, fewer than {num_layers}")
    backbone.requires_grad_(False)
    for layer in layers[-num_layers:]:
        layer.requires_grad_(True)
    for child in backbone.children():
        if child is not layers and not isinstance(child, nn.Embedding):
            child.requires_grad_(True)


def decoder_layers(backbone: PreTrainedModel) -> nn.ModuleList:
    """The trunk's stack of layers, by its length and not by its name."""
    depth = backbone.config.get_text_config().num_hidden_layers
    stacks = [child for child in backbone.children() if isinstance(child, nn.ModuleList) and len(child) == depth]
    if len(stacks) != 1:
        raise ValueError(f"cannot tell the layers of a {type(backbone).__name__}; train all of it, or with --lora")
    return stacks[0]
