"""The options of rejection sampling: how many completions of which prompts, and how the best of them are learnt.

L2 marks what Llama 2 printed (Touvron et al. 2023, §3.2.2–3.2.3). Options of learning are those of policy.sft_config.
"""

from dataclasses import dataclass
from pathlib import Path

from language.commandline import Precision
from language.model_kinds import PolicyDirectory, RewardModelDirectory
from language.options import KeepsWork, OptionError, require_not_negative, require_positive, require_share
from language.parallel import ShardingKind
from policy.learner import Trainable


@dataclass(frozen=True)
class RejectionSamplingConfig(KeepsWork):
    """Sample, keep each prompt's best by a reward model, fine-tune on what was kept. L2 marks what Llama 2 printed."""

    policy: PolicyDirectory
    """Directory of the policy to sample from, and to fine-tune."""
    reward: RewardModelDirectory
    """Directory of the reward model that chooses. Text is its input: its tokenizer may be another."""
    prompts: Path
    """An export of prompts, or a .jsonl file of them; those of split train are answered."""
    out: Path
    """Where the trained policy is published, whole or not at all."""
    work: Path | None = None
    """Where samples, resumable states and metrics are kept; <out>.work unless given."""
    seed: int = 0
    """Seed of the samples, of the order of batches and of the adapters."""
    max_records: int = 0
    """Answer at most so many prompts, chosen by the hashes of their ids; 0 is all."""

    num_samples: int = 16
    """Completions of each prompt, of which one is learnt. L2: 10 to 100."""
    max_new_tokens: int = 256
    """Longest completion, in tokens; one that has not ended by then is never learnt."""
    max_prompt_tokens: int = 1024
    """Longer prompts are left out."""
    temperature: float = 1.0
    """Temperature of sampling. L2 searched it anew for every model: 1.2 to 1.3 for 10 to 100 samples."""
    missing_end_score: float = -1.0
    """The score of a completion without an end token, instead of its own, as in PPO: it counts in the means alone."""

    epochs: int = 2
    """Passes over the chosen answers."""
    max_steps: int = 0
    """End after so many optimizer steps, if --epochs has not by then; 0 is no limit."""
    batch_size: int = 32
    """Answers per optimizer step."""
    lr: float = 9.65e-6
    """Peak learning rate; a cosine takes it to a tenth. LoRA wants about thirty times that."""
    weight_decay: float = 0.0
    """AdamW's decay of matrices."""
    max_grad_norm: float = 1.0
    """Gradients are clipped to this norm."""
    packing: bool = True
    """Lay dialogues end to end instead of padding them; none sees another, and the loss is the same."""
    microbatch_tokens: int = 2048
    """Positions forwarded at once: memory, never the result."""
    validation_fraction: float = 0.1
    """Share of the prompts whose chosen answers are held out, to tell which epoch to publish."""
    precision: Precision = "fp32"
    """bf16 computes in bf16 over fp32 weights; sampling takes what is fastest on the device."""
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
    """Optimizer steps between resumable states; samples are kept prompt by prompt."""
    resume: bool = False
    """Go on from the samples and the newest state in the work directory, or begin where there is none."""
    device: str = "auto"
    """cpu, cuda, cuda:1 …; auto takes the GPU where there is one."""

    @property
    def trainable(self) -> Trainable:
        """Which parameters move."""
        return Trainable(lora_rank=self.lora_rank if self.lora else 0, last_layers=self.train_last_layers)


def require_options(config: RejectionSamplingConfig) -> None:
    """Refuse contradictions before anything is read."""
    if config.lora and config.train_last_layers:
        raise OptionError("--lora and --train-last-layers exclude one another; choose one")
    if config.num_samples < 2:
        raise OptionError(f"--num-samples must be at least 2, not {config.num_samples}: of one there is no best")
    require_positive(config, "max_new_tokens", "max_prompt_tokens", "temperature", "epochs", "batch_size", "lr")
    require_positive(config, "max_grad_norm", "microbatch_tokens", "lora_rank", "save_every")
    require_not_negative(config, "max_records", "max_steps", "weight_decay")
    require_share(config, "validation_fraction")
