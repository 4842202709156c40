"""The value model: a network of its own that starts as the reward model, bias included, unless told otherwise.

Separate and started from the reward model is what InstructGPT (App. C.4) did, and what Stiennon et al.
2020 (App. G.1) found clearly better than a head on the policy. Its start *is* the reward model, so both
are kept here, on one trunk where adapters or frozen layers allow it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import cast

import torch
from jaxtyping import Float
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from language.chat import render_dialogue
from language.commandline import Precision
from language.lora import without_adapter
from language.options import OptionError
from language.parallel import ALONE, Sharing
from policy.learner import Trainable, frozen_copy, frozen_start
from policy.placing import place_scorer
from policy.shared_prompt import PromptGroups, completion_states
from records import Message
from rewardmodel.model import RewardModel


class ValueLearner:
    """The value model as it is trained, and the reward model: what it was, unless `start` is another network."""

    def __init__(
        self,
        reward_model: RewardModel,
        trainable: Trainable,
        precision: Precision = "fp32",
        *,
        start: RewardModel | None = None,
        sharing: Sharing = ALONE,
    ) -> None:
        self.model = start or reward_model
        self.model.backbone = trainable.choose(cast(PreTrainedModel, self.model.backbone))
        self.model.head.requires_grad_(True)
        if start is not None:
            self._start = reward_model.requires_grad_(False).eval()
        else:
            trunk = self.model.backbone
            if not trainable.lora_rank:
                trunk = frozen_start(trunk, trainable, precision, sharing)
            self._start = RewardModel(trunk, frozen_copy(self.model.head), reward_model.facts)
        for model in (self.model, self._start):
            place_scorer(sharing, model)

    @contextmanager
    def as_reward_model(self) -> Iterator[RewardModel]:
        """Inside, the reward model. Its parameters never change."""
        trunk = self._start.backbone
        with without_adapter(trunk) if isinstance(trunk, PeftModel) else nullcontext():
            yield self._start


def completion_values(model: RewardModel, groups: PromptGroups) -> Float[Tensor, "rows length"]:
    """V of the state before each completion token: what its advantage is measured from."""
    return model.values_of(completion_states(model.backbone, groups)[:, :-1])


def completion_scores(model: RewardModel, groups: PromptGroups) -> Float[Tensor, " rows"]:
    """The score of each completion, read after its last token (Stiennon et al. 2020; method reference §2.3).

    Control tokens inside it, which people are not shown, are not read.
    """
    groups = groups.as_shown
    states = completion_states(model.backbone, groups)
    rows = torch.arange(len(states), device=states.device)
    return model.values_of(states[rows, groups.mask.sum(dim=1)])


def require_same_tokens(
    policy_tokenizer: PreTrainedTokenizerBase,
    reward_tokenizer: PreTrainedTokenizerBase,
    *,
    where: Path,
    reader: str = "the value model that starts from it",
) -> None:
    """Raise OptionError unless both tokenizers say the same: `reader` sees the policy's tokens as they were sampled."""
    said = (Message(role="user", content="Qu'est-ce? 1 + 1 = 2\n"), Message(role="assistant", content="“Naïve” 你好"))
    probes = (said, (Message(role="system", content="Be kind."), *said))
    alike = policy_tokenizer.get_vocab() == reward_tokenizer.get_vocab()
    if not (alike and all(_render(policy_tokenizer, one) == _render(reward_tokenizer, one) for one in probes)):
        raise OptionError(
            f"{where}: this reward model has another tokenizer or chat template than the policy, and {reader} must see "
            "the policy's own tokens; train a reward model from this policy's family"
        )


def _render(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> tuple[list[int], list[bool]] | None:
    """The dialogue's ids and targets; None where the template refuses its roles, as some do a system message."""
    try:
        return render_dialogue(tokenizer, messages)
    except ValueError:
        return None
