"""The options of DPO, each with where its default comes from.

RF marks what Rafailov et al. 2023 printed (arXiv 2305.18290, App. B).
"""

from dataclasses import dataclass
from pathlib import Path

from language.commandline import Precision
from language.model_kinds import PolicyDirectory
from language.options import KeepsWork, OptionError, require_not_negative, require_positive, require_share
from language.parallel import ShardingKind
from policy.learner import Trainable


@dataclass(frozen=True)
class DpoConfig(KeepsWork):
    """DPO on an export of rankings: no reward model and no sampling. RF marks what Rafailov et al. 2023 printed."""

    data: Path
    """An export of rankings, or a .jsonl file of them."""
    model: PolicyDirectory
    """Directory of the policy to start from; it is the reference policy as well. RF: the SFT model."""
    out: Path
    """Where the trained policy is published, whole or not at all."""
    work: Path | None = None
    """Where resumable states, reference log-probabilities and metrics are kept; <out>.work unless given."""
    seed: int = 0
    """Seed of the adapters and of the order of batches."""
    beta: float = 0.1
    """β, the price of a nat of KL to the reference policy: the larger, the nearer the policy stays. RF."""
    whole_tiers: bool = False
    """Plackett–Luce over whole tiers instead of the mean over pairs. RF App. A.3; RF's experiments have pairs."""
    margin_per_strength: float = 0.0
    """Ask for this much implicit reward, in nats, per strength of preference between two completions: per gap of tiers
    where none was said. ODPO, Amini et al. 2024; 0 is RF."""
    epochs: int = 1
    """Passes over the data; that of the lowest held-out loss is published. RF prints none; trl 1.16 takes 3."""
    max_records: int = 0
    """Learn from at most so many training rankings, chosen by the hashes of their ids; 0 is all."""
    max_steps: int = 0
    """End after so many optimizer steps, if --epochs has not by then; 0 is no limit."""
    batch_size: int = 64
    """Rankings per optimizer step. RF, in pairs."""
    lr: float = 1e-6
    """Peak learning rate, with AdamW. RF, with RMSprop. LoRA wants about thirty times that."""
    warmup_share: float = 0.1
    """Share of all optimizer steps over which the rate rises from a tenth; then it is constant. RF: 150 steps."""
    weight_decay: float = 0.0
    """AdamW's decay of matrices. Not printed in RF."""
    max_grad_norm: float = 10.0
    """Gradients are clipped to this norm. RF's code."""
    max_tokens: int = 1024
    """Comparisons with a longer prompt and completion are left out. trl cuts there."""
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


def require_options(config: DpoConfig) -> None:
    """Refuse contradictions before anything is read."""
    if config.lora and config.train_last_layers:
        raise OptionError("--lora and --train-last-layers exclude one another; choose one")
    if config.whole_tiers and config.margin_per_strength:
        raise OptionError("--whole-tiers and --margin-per-strength exclude one another: margins are of pairs")
    require_positive(config, "beta", "epochs", "batch_size", "lr", "max_grad_norm", "max_tokens", "microbatch_tokens")
    require_positive(config, "lora_rank", "save_every")
    require_not_negative(config, "margin_per_strength", "max_records", "max_steps", "weight_decay")
    require_share(config, "validation_fraction")
    require_share(config, "warmup_share")
