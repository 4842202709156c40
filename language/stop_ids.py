"""Which tokens end a completion, and which of its tokens are text.

A model may have several end tokens: its chat template closes an answer by one, its generation configuration
names others (Llama 3.1: the end of a message, of a turn and of a text; Qwen: the end of a turn and of a text).
A completion stops at the first of any. Only the template's own means that the answer is finished as SFT
taught it; what stops at another one has no end in the sense of PPO's rule for missing ends, and its text is
what stands before that token.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from torch import nn
from transformers import PreTrainedTokenizerBase

from records.types import FinishReason

# How a completion ends that sampled a token to end by: at the template's own, or at another one.
STOPPED: frozenset[FinishReason] = frozenset({"stop", "other_stop"})


def stop_ids_of(model: nn.Module) -> frozenset[int]:
    """Every end token that the model's generation configuration and configuration name: an id or a list each."""
    config: Any = getattr(model, "config", None)
    text_config = config.get_text_config() if hasattr(config, "get_text_config") else None
    sources = (getattr(model, "generation_config", None), config, text_config)
    return frozenset(index for source in sources for index in _ids(getattr(source, "eos_token_id", None)))


def hidden_ids(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Control tokens: they have no text, so nobody who reads a completion sees them."""
    specials = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    return frozenset(specials | set(tokenizer.all_special_ids))


def shown_ids(token_ids: Sequence[int], *, hidden: Collection[int], end_token_id: int) -> tuple[int, ...]:
    """The tokens of a completion that a reader sees, and the end token where it closes them.

    What a reward model may read: of anything else a policy could learn to please it unseen.
    """
    last = len(token_ids) - 1
    return tuple(
        index
        for place, index in enumerate(token_ids)
        if index not in hidden or (place == last and index == end_token_id)
    )


def decode_text(tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int], stop_ids: Collection[int]) -> str:
    """The text of sampled tokens, without the token that ended them, control tokens, and NUL, which no record holds."""
    spoken = token_ids[:-1] if token_ids and token_ids[-1] in stop_ids else token_ids
    text = str(tokenizer.decode(list(spoken), skip_special_tokens=True, clean_up_tokenization_spaces=False))
    return text.replace("\x00", "\ufffd")


def _ids(value: int | Iterable[int] | None) -> frozenset[int]:
    if value is None:
        return frozenset()
    return frozenset({int(value)}) if isinstance(value, int) else frozenset(map(int, value))
