"""Every option of rewardmodel.train, and which of them contradict one another."""

from dataclasses import dataclass
from pathlib import Path

from language.commandline import Precision
from language.model_kinds import ModelDirectory
from language.options import KeepsWork, OptionError, require_not_negative, require_positive, require_share
from language.parallel import ShardingKind
from rewardmodel.publishing import STATES
from rewardmodel.splits import SplitBy


@dataclass(frozen=True)
class TrainConfig(KeepsWork):
    """A reward model from an export of rankings. Defaults are InstructGPT's where it gives any."""

    data: Path
    """An export of rankings, or a .jsonl file of them."""
    model: ModelDirectory
    """Directory of the language model to start from; of a reward model, its head goes on too."""
    out: Path
    """Where the trained model is published, whole or not at all."""
    work: Path | None = None
    """Where resumable states and metrics are kept; <out>.work unless given."""
    demonstrations: Path | None = None
    """Demonstrations that are to average 0; without, the best-ranked completions of the training data do."""
    seed: int = 0
    """Seed of the head, the adapters, the order of batches and the bootstrap."""
    epochs: int = 1
    """Passes over the data; InstructGPT: more than one overfits."""
    max_records: int = 0
    """Learn from at most so many training rankings, chosen by the hashes of their ids; 0 is all."""
    max_steps: int = 0
    """End after so many optimizer steps, if --epochs has not by then; 0 is no limit."""
    batch_size: int = 64
    """Rankings per optimizer step."""
    lr: float = 9e-6
    """Peak learning rate; a cosine takes it to a tenth. LoRA wants about thirty times as much."""
    weight_decay: float = 0.0
    """AdamW's decay of matrices."""
    max_grad_norm: float = 1.0
    """Gradients are clipped to this norm."""
    margin_per_tier: float = 0.0
    """Ask for this much score per tier between two completions (Llama 2's margin); 0 is InstructGPT."""
    max_tokens: int = 0
    """Longest prompt and completion together, in tokens; 0 is the model's context."""
    soft_labels: bool = False
    """Merge the rankings of one comparison into a probability per pair, and count the comparison once."""
    weigh_trainers: bool = False
    """Count each ranking by how well its trainer ranks (rewardmodel.trainer_weights); needs three who shared work."""
    length_debias: bool = False
    """Learn only what length alone does not explain (rewardmodel.debiasing)."""
    microbatch_tokens: int = 2048
    """Tokens forwarded at once: memory, and of the result its rounding only, which is coarser in bf16."""
    validation_fraction: float = 0.1
    """Share of dialogues, or of trainers, held out where records carry no split."""
    split_by: SplitBy = "prompt"
    """What is held out where records carry no split; trainer: people whose rankings are not learnt from at all."""
    precision: Precision = "fp32"
    """bf16 computes in bf16 over fp32 weights."""
    lora: bool = False
    """Train adapters only; the published weights have them merged in."""
    lora_rank: int = 16
    """Rank of the adapters."""
    train_last_layers: int = 0
    """Train only that many of the last layers and the head; 0 trains all."""
    probe: bool = False
    """Train the head alone, on hidden states computed once and kept in the work directory; wants --lr near 1e-3."""
    activation_checkpointing: bool = False
    """Compute each layer again on the way back instead of keeping it: less memory, a third more time."""
    sharding: ShardingKind = "auto"
    """How several processes (torchrun) share the run: replicate keeps whole networks in each, full shares them out
    (FSDP); auto is replicate, and none where one is alone."""
    save_every: int = 20
    """Optimizer steps between resumable states."""
    evaluate_every: int = 0
    """Optimizer steps between evaluations on the validation split, shown in TensorBoard; 0 is once, at the end."""
    resume: bool = False
    """Go on from the newest state in the work directory, or begin where there is none."""
    device: str = "auto"
    """cpu, cuda, cuda:1 …; auto takes the GPU where there is one."""


def require_options(config: TrainConfig) -> None:
    """Refuse contradictions before anything is read."""
    chosen = [
        flag
        for flag, is_set in (
            ("--lora", config.lora),
            ("--train-last-layers", config.train_last_layers),
            ("--probe", config.probe),
        )
        if is_set
    ]
    if len(chosen) > 1:
        raise OptionError(f"{' and '.join(chosen)} exclude one another; choose one")
    if config.soft_labels and config.margin_per_tier:
        raise OptionError("--soft-labels and --margin-per-tier exclude one another: merged rankings have no tiers")
    if config.soft_labels and config.weigh_trainers:
        raise OptionError("--soft-labels and --weigh-trainers exclude one another: merged rankings have no trainer")
    require_positive(config, "epochs", "batch_size", "lr", "microbatch_tokens", "save_every", "lora_rank")
    require_not_negative(config, "max_records", "max_steps")
    require_share(config, "validation_fraction")
    states = config.work_directory / STATES
    if not config.resume and states.is_dir() and any(states.iterdir()):
        raise OptionError(f"{states} holds an earlier run; go on with --resume, or remove it")
