"""What PPO or RLOO is given to read, opened: every file is found and hashed, every directory verified, first.

So a path that is wrong, or a directory that is damaged, is refused at once. Knows no network: their weights are
loaded by `policy.ppo` and `policy.rloo`.
"""

from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from language.checkpoints import load_tokenizer
from language.options import OptionError
from policy.ensembles import find_members
from policy.ppo_config import PpoConfig
from policy.rloo_config import RlooConfig
from policy.texts import find_texts
from policy.value import require_same_tokens
from records.names import DEMONSTRATIONS_FILE, PROMPTS_FILE
from rewardmodel.data import Source, find_source
from rewardmodel.publishing import directory_sha256

# A run that samples from the policy it trains.
RolloutConfig = PpoConfig | RlooConfig


@dataclass(frozen=True)
class Inputs:
    """Files of records, the tokenizers of the networks, and the lineage of what is made of them."""

    prompts: Source
    watch_prompts: Source
    """What a watch answers: `prompts` unless the run has others for it."""
    demonstrations: Source | None
    text: Source | None
    tokenizer: PreTrainedTokenizerBase
    """The policy's, and the reward models' too."""
    watch_tokenizer: PreTrainedTokenizerBase | None
    made_from: dict[str, dict[str, str]]


def open_inputs(config: RolloutConfig) -> Inputs:
    """Everything that a run reads. Raises CheckpointError, DataError, ManifestError or OptionError."""
    text = find_texts(config.ptx_text) if config.ptx_text is not None else None
    demonstrations = find_source(config.ptx_data, DEMONSTRATIONS_FILE) if config.ptx_data is not None else None
    prompts = find_source(config.prompts, PROMPTS_FILE)
    watch_prompts = find_source(config.watch_prompts, PROMPTS_FILE) if config.watch_prompts is not None else prompts
    tokenizer, reward_tokenizer = load_tokenizer(config.policy), load_tokenizer(config.reward)
    watch_tokenizer = load_tokenizer(config.watch_reward) if config.watch_reward is not None else None
    require_same_tokens(tokenizer, reward_tokenizer, where=config.reward)
    made_from = {
        "reward_model": _named(config.reward, directory_sha256(config.reward)),
        **find_members(config, tokenizer),
        "prompts": _named(config.prompts, prompts.sha256),
    }
    if config.ptx_data is not None and demonstrations is not None:
        made_from["demonstrations"] = _named(config.ptx_data, demonstrations.sha256)
    if config.ptx_text is not None and text is not None:
        made_from["pretraining_text"] = _named(config.ptx_text, text.sha256)
    if config.watch_reward is not None:
        made_from["watching_reward_model"] = _named(config.watch_reward, directory_sha256(config.watch_reward))
    return Inputs(prompts, watch_prompts, demonstrations, text, tokenizer, watch_tokenizer, made_from)


def _named(path: Path, sha256: str) -> dict[str, str]:
    return {"name": path.name, "sha256": sha256}


def require_processes(config: RolloutConfig, count: int) -> None:
    """Refuse a share of nothing: every process takes part in every minibatch and samples some prompts."""
    pieces = -(-config.minibatch_size // config.microbatch_size)
    if min(pieces, config.rollouts_per_update // config.completions_per_prompt) < count:
        raise OptionError(
            f"{count} processes cannot share minibatches of {pieces} pieces (--minibatch-size over --microbatch-size); "
            "lower --microbatch-size, raise --rollouts-per-update, or start fewer processes"
        )
