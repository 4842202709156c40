"""The options of KTO, each with where its default comes from.

ET marks what Ethayarajh et al. 2024 printed (arXiv 2402.01306) or their code (ContextualAI/HALOs) has.
"""

from dataclasses import dataclass
from pathlib import Path

from language.commandline import Precision
from language.model_kinds import PolicyDirectory
from language.options import KeepsWork, OptionError, require_not_negative, require_positive, require_share
from language.parallel import ShardingKind
from policy.learner import Trainable


@dataclass(frozen=True)
class KtoConfig(KeepsWork):
    """KTO on an export of thumbs: verdicts on single completions. ET marks what Ethayarajh et al. 2024 printed."""

    data: Path
    """An export of thumbs, or a .jsonl file of them."""
    model: PolicyDirectory
    """Directory of the policy to start from; it is the reference policy as well. ET: the SFT model."""
    out: Path
    """Where the trained policy is published, whole or not at all."""
    work: Path | None = None
    """Where resumable states, reference log-probabilities and metrics are kept; <out>.work unless given."""
    seed: int = 0
    """Seed of the adapters, of the order of batches and of which completion is set to which other prompt."""
    beta: float = 0.1
    """β, how soon a gain or a loss against the reference point is felt to be enough. ET."""
    desirable_weight: float = 0.0
    """λ_D, the weight of a thumb up; 0 is by the numbers of both, as ET Eq. 9 has it."""
    undesirable_weight: float = 0.0
    """λ_U, the weight of a thumb down; 0 is by the numbers of both, as ET Eq. 9 has it."""
    epochs: int = 1
    """Passes over the data; that of the lowest held-out loss is published. ET."""
    max_records: int = 0
    """Learn from at most so many training thumbs, chosen by the hashes of their ids; 0 is all."""
    max_steps: int = 0
    """End after so many optimizer steps, if --epochs has not by then; 0 is no limit."""
    batch_size: int = 32
    """Thumbs per optimizer step; the reference point is estimated over them all. ET."""
    lr: float = 5e-6
    """Peak learning rate. ET. LoRA wants about thirty times that."""
    warmup_share: float = 0.1
    """Share of all optimizer steps over which the rate rises from a tenth; then it is constant. ET's code."""
    weight_decay: float = 0.0
    """AdamW's decay of matrices. Not printed in ET."""
    max_grad_norm: float = 10.0
    """Gradients are clipped to this norm. ET's code."""
    max_tokens: int = 1024
    """Longer prompts with their completion are left out. trl cuts there."""
    microbatch_tokens: int = 2048
    """Tokens forwarded at once: memory, never the result."""
    validation_fraction: float = 0.1
    """Share of dialogues held out where records carry no split."""
    precision: Precision = "fp32"
    """bf16 computes in bf16 over fp32 weights; with LoRA the frozen weights are kept in bf16 too."""
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
    save_every: int = 20
    """Optimizer steps between resumable states."""
    resume: bool = False
    """Go on from the newest state in the work directory, or begin where there is none."""
    device: str = "auto"
    """cpu, cuda, cuda:1 …; auto takes the GPU where there is one."""

    @property
    def trainable(self) -> Trainable:
        """Which parameters move."""
        return Trainable(lora_rank=self.lora_rank if self.lora else 0, last_layers=self.train_last_layers)


def require_options(config: KtoConfig) -> None:
    """Refuse contradictions before anything is read."""
    if config.lora and config.train_last_layers:
        raise OptionError("--lora and --train-last-layers exclude one another; choose one")
    if (config.desirable_weight > 0) != (config.undesirable_weight > 0):
        raise OptionError("--desirable-weight and --undesirable-weight go together; give both, or neither for Eq. 9")
    require_positive(config, "beta", "epochs", "batch_size", "lr", "max_grad_norm", "max_tokens", "microbatch_tokens")
    require_positive(config, "lora_rank", "save_every")
    require_not_negative(config, "desirable_weight", "undesirable_weight", "max_records", "max_steps")
    require_not_negative(config, "weight_decay")
    require_share(config, "validation_fraction")
    require_share(config, "warmup_share")
