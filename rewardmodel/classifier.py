"""A reward model as the rest of the ecosystem knows it: a sequence classifier of transformers with one label.

Such a classifier reads one linear head, without a bias, at the last token that is not padding. Here is
what makes that the same score: which trunks have such a class, the pad token, and the chat template.
"""

import copy
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from language.chat import end_token_id

_HEAD_WEIGHT = "score.weight"


def as_classifier(
    backbone: PreTrainedModel, head: nn.Linear, tokenizer: PreTrainedTokenizerBase
) -> PreTrainedModel | None:
    """A classifier of these very weights; None where the family has none like it, or the head has a bias."""
    if head.bias.detach().any():
        return None
    config = copy.deepcopy(backbone.config)
    config.num_labels, config.id2label, config.label2id = 1, {0: "score"}, {"score": 0}
    config.get_text_config().pad_token_id = tokenizer.pad_token_id
    try:
        with torch.device("meta"):
            classifier = cast(Any, AutoModelForSequenceClassification).from_config(config)
    except ValueError:
        return None  # transformers knows no sequence classifier of this family
    score = getattr(classifier, "score", None)
    trunk = getattr(classifier, classifier.base_model_prefix, None)
    if (
        not isinstance(score, nn.Linear)
        or "bias" in dict(score.named_parameters())
        or type(trunk) is not type(backbone)
    ):
        return None
    setattr(classifier, classifier.base_model_prefix, backbone)
    score.weight = nn.Parameter(head.weight.detach().clone())
    return cast(PreTrainedModel, classifier)


def read_head_weight(directory: Path) -> Float[Tensor, "1 hidden"] | None:
    """The head's weight in fp32 from a published classifier, one file or sharded; None where it has none."""
    for path in sorted(directory.glob("model*.safetensors")):
        with safe_open(path, framework="pt") as file:
            if _HEAD_WEIGHT in file.keys():  # noqa: SIM118  not a mapping
                weight: Tensor = file.get_tensor(_HEAD_WEIGHT)
                return weight.float()
    return None


def ending_at_end_token(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """The same tokenizer, whose template stops a dialogue at its end token, and which pads on the right.

    A score is read there and nowhere else; most templates put a line break after it, at which a reader
    that takes the last token would find another number.
    """
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.padding_side = "right"
    template = tokenizer.chat_template
    if not isinstance(template, str) or _ends_well(tokenizer):
        return tokenizer
    body = template.removesuffix("\n")
    tokenizer.chat_template = (
        "{%- set dialogue %}" + body + "{% endset %}{{ dialogue if add_generation_prompt else dialogue.rstrip() }}"
    )
    if not _ends_well(tokenizer):
        tokenizer.chat_template = template
    return tokenizer


def _ends_well(tokenizer: PreTrainedTokenizerBase) -> bool:
    said = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]
    text = tokenizer.apply_chat_template(said, tokenize=False)
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids[-1] == end_token_id(tokenizer)
