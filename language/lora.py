"""LoRA by peft: train a small adapter, reach the frozen model beneath it, merge for publishing."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import PreTrainedModel


def wrap_with_lora(model: PreTrainedModel, *, rank: int = 16, alpha: int | None = None) -> PeftModel:
    """Freeze `model` and add adapters to all its linear layers (Hu et al. 2021, arXiv 2106.09685).

    The adapters are drawn from torch's global generator and begin as the identity. `alpha` scales them by
    alpha / rank and is 2 x rank where not given. No dropout: log-probabilities must repeat.
    """
    config = LoraConfig(r=rank, lora_alpha=alpha or 2 * rank, lora_dropout=0.0, target_modules="all-linear")
    return get_peft_model(model, config)


@contextmanager
def without_adapter(model: PeftModel) -> Iterator[PeftModel]:
    """Inside, `model` is what it was before training: the reference policy at no cost of memory."""
    adapters = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    # Not peft's own way, which has the adapters require no gradients meanwhile: of a network that is shared out among
    # processes, the weights that are gathered for this pass would keep that for the passes to come.
    for module in adapters:
        module._disable_adapters = True
    try:
        yield model
    finally:
        for module in adapters:
            module._disable_adapters = False


def merge_lora(model: PeftModel) -> PreTrainedModel:
    """A plain model with the adapters added into its weights, for publishing; `model` stays as it is."""
    merged: PreTrainedModel = copy.deepcopy(model).merge_and_unload()
    return merged
