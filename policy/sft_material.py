"""What fine-tuning reads: dialogues, what is mixed in, and the reward model that epochs are selected by."""

from dataclasses import dataclass, replace

import torch
from transformers import PreTrainedTokenizerBase

from language.checkpoints import load_tokenizer
from language.options import OptionError
from language.parallel import Sharing
from language.reading import say_read
from language.seeds import derived_seed
from policy.dialogues import DialogueSet, load_dialogues
from policy.judging import load_judge
from policy.mixture import Mixture, load_mixture
from policy.prompts import TokenizedPrompt, load_prompts, prompts_of
from policy.selection import Examination
from policy.sft_config import SftConfig
from records import SamplingParams
from rewardmodel.limits import BEYOND, at_most
from rewardmodel.publishing import directory_sha256

# The score of an answer without an end token, as in PPO (LMHP, N+).
MISSING_END_SCORE = -1.0


@dataclass(frozen=True)
class Material:
    """What a run reads: dialogues, what is mixed in, how epochs are selected, and the lineage of all."""

    tokenizer: PreTrainedTokenizerBase
    dialogues: DialogueSet
    mixture: Mixture | None
    examination: Examination | None
    made_from: dict[str, dict[str, str]]

    @property
    def num_per_epoch(self) -> int:
        """Dialogues of one epoch, mixed-in ones included."""
        return len(self.dialogues.train) + (self.mixture.per_epoch if self.mixture else 0)


def load_material(config: SftConfig, device: torch.device) -> Material:
    """Tokenizer, dialogues, mixture and examination. Raises DataError, RecordError or OptionError."""
    tokenizer = load_tokenizer(config.model)
    dialogues = load_dialogues(
        config.data, tokenizer, max_tokens=config.max_tokens, validation_fraction=config.validation_fraction
    )
    learnt = at_most(dialogues.train, config.max_records, id_of=lambda dialogue: dialogue.id)
    if beyond := len(dialogues.train) - len(learnt):
        dialogues = replace(dialogues, train=learnt, left_out={**dialogues.left_out, BEYOND: beyond})
    limit = f"--max-tokens {config.max_tokens}"
    used = {"to learn from": len(dialogues.train), "held out": len(dialogues.validation)}
    say_read(config.data, "dialogues", used, dialogues.left_out, limit=limit)
    made_from = {"demonstrations": {"name": config.data.name, "sha256": dialogues.source.sha256}}
    mixture = examination = None
    if config.mix_data is not None:
        mixture = load_mixture(
            config.mix_data,
            tokenizer,
            per_epoch=round(config.mix_ratio * len(dialogues.train)),
            max_tokens=config.max_tokens,
            held_out=dialogues.held_out,
        )
        say_read(config.mix_data, "dialogues", {"to mix in": len(mixture.dialogues)}, mixture.left_out, limit=limit)
        made_from["mixed_in"] = {"name": config.mix_data.name, "sha256": mixture.source.sha256}
    if config.select_reward is not None:
        prompts = tuple(prompts_of(dialogues.held_out, tokenizer, max_tokens=config.max_tokens))
        if config.select_prompts is not None:
            chosen = load_prompts(config.select_prompts, tokenizer, max_tokens=config.max_tokens, split="validation")
            made_from["selection_prompts"] = {"name": config.select_prompts.name, "sha256": chosen.source.sha256}
            say_read(config.select_prompts, "prompts", {"held out": len(chosen.prompts)}, chosen.left_out, limit=limit)
            prompts = chosen.prompts
        examination = load_examination(config, prompts, tokenizer, device)
        reward = config.select_reward
        made_from["selecting_reward_model"] = {"name": reward.name, "sha256": directory_sha256(reward)}
    return Material(tokenizer, dialogues, mixture, examination, made_from)


def load_examination(
    config: SftConfig, prompts: tuple[TokenizedPrompt, ...], tokenizer: PreTrainedTokenizerBase, device: torch.device
) -> Examination:
    """The selecting reward model with its prompts. OptionError where there is none."""
    assert config.select_reward is not None
    if not prompts:
        raise OptionError(
            f"{config.data}: no validation dialogue to take prompts from for --select-reward; "
            "give --select-prompts, or a higher --validation-fraction"
        )
    judge = load_judge(config.select_reward, device, missing_end_score=MISSING_END_SCORE, precision=config.precision)
    seed = derived_seed(config.seed, "selection")
    params = SamplingParams(max_new_tokens=config.select_max_new_tokens, seed=seed)
    return Examination(judge, prompts[: config.select_max_prompts or None], tokenizer, params, config.precision)


def require_members(material: Material, config: SftConfig, sharing: Sharing) -> None:
    """Raise OptionError where there are more processes than dialogues, or than dialogues of a batch."""
    sharing.require_members(len(material.dialogues.train), f"training dialogues of {config.data}")
    sharing.require_members(config.batch_size, "dialogues of a batch (--batch-size)")
