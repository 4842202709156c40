"""The options of supervised fine-tuning, each with where its default comes from. IG marks what InstructGPT printed."""

from dataclasses import dataclass
from pathlib import Path

from language.commandline import Precision
from language.model_kinds import PolicyDirectory, RewardModelDirectory
from language.options import KeepsWork, OptionError, require_not_negative, require_positive, require_share
from language.parallel import ShardingKind
from policy.learner import Trainable


@dataclass(frozen=True)
class SftConfig(KeepsWork):
    """Supervised fine-tuning on an export of demonstrations. IG marks what InstructGPT printed."""

    data: Path
    """An export of demonstrations, or a .jsonl file of them."""
    model: PolicyDirectory
    """Directory of the language model to start from."""
    out: Path
    """Where the trained policy is published, whole or not at all."""
    work: Path | None = None
    """Where resumable states and metrics are kept; <out>.work unless given."""
    mix_data: Path | None = None
    """Instruction data to mix in: an export of demonstrations, or a .jsonl of them or of instruction and output."""
    mix_ratio: float = 0.0
    """Dialogues of --mix-data per dialogue of --data, in every epoch. Not printed by OpenAI."""
    select_reward: RewardModelDirectory | None = None
    """Directory of a reward model: every epoch is kept and sampled; the one it scores highest is published. IG C.1."""
    select_prompts: Path | None = None
    """Prompts (split validation) to sample then; the prompts of the validation dialogues unless given."""
    select_max_prompts: int = 0
    """Sample only the first so many of them; 0 is all."""
    select_max_new_tokens: int = 256
    """Longest completion sampled then, in tokens."""
    seed: int = 0
    """Seed of the adapters, of the order of batches and of the answers to select by."""
    epochs: int = 2
    """Passes over the data. IG C.3, for PPO's start; its baseline has 16 (C.1)."""
    max_records: int = 0
    """Learn from at most so many training dialogues, chosen by the hashes of their ids; 0 is all."""
    max_steps: int = 0
    """End after so many optimizer steps, if --epochs has not by then; 0 is no limit."""
    batch_size: int = 32
    """Dialogues per optimizer step. IG C.1."""
    lr: float = 9.65e-6
    """Peak learning rate; a cosine takes it to a tenth. IG C.1, for 1.3B and 6B. LoRA wants about thirty times that."""
    weight_decay: float = 0.0
    """AdamW's decay of matrices. Not printed in IG."""
    max_grad_norm: float = 1.0
    """Gradients are clipped to this norm. Not printed in IG."""
    max_tokens: int = 1024
    """Longer dialogues are left out. IG: a context of 2k, prompts over 1k removed."""
    packing: bool = True
    """Lay dialogues end to end instead of padding them; none sees another, and the loss is the same."""
    microbatch_tokens: int = 2048
    """Positions forwarded at once: memory, and of the result its rounding only, which is coarser in bf16."""
    validation_fraction: float = 0.1
    """Share of dialogues held out where records carry no split."""
    precision: Precision = "fp32"
    """bf16 computes in bf16 over fp32 weights."""
    lora: bool = False
    """Train adapters only; the published weights have them merged in."""
    lora_rank: int = 16
    """Rank of the adapters."""
    train_last_layers: int = 0
    """Train only that many of the last layers; 0 trains all."""
    activation_checkpointing: bool = False
    """Compute each layer again on the way back instead of keeping it: less memory, a third more time."""
    sharding: ShardingKind = "auto"
    """How several processes (torchrun) share the run: replicate keeps whole networks in each, full shares them out
    (FSDP); auto is replicate, and none where one is alone."""
    save_every: int = 50
    """Optimizer steps between resumable states."""
    resume: bool = False
    """Go on from the newest state in the work directory, or begin where there is none."""
    device: str = "auto"
    """cpu, cuda, cuda:1 …; auto takes the GPU where there is one."""

    @property
    def trainable(self) -> Trainable:
        """Which parameters move."""
        return Trainable(lora_rank=self.lora_rank if self.lora else 0, last_layers=self.train_last_layers)


def require_options(config: SftConfig) -> None:
    """Refuse contradictions before anything is read."""
    if config.lora and config.train_last_layers:
        raise OptionError("--lora and --train-last-layers exclude one another; choose one")
    require_positive(config, "epochs", "batch_size", "lr", "max_tokens", "microbatch_tokens", "save_every", "lora_rank")
    require_positive(config, "select_max_new_tokens")
    if (config.mix_ratio > 0) != (config.mix_data is not None):
        raise OptionError("--mix-ratio (above 0) and --mix-data go together; give both or neither")
    if config.select_prompts is not None and config.select_reward is None:
        raise OptionError("--select-prompts needs --select-reward, which scores the answers")
    require_not_negative(config, "select_max_prompts", "max_records", "max_steps")
    require_share(config, "validation_fraction")
