"""The options of RLOO and of GRPO, one loop's two estimators, each with where its default comes from.

AH is Ahmadian et al. 2024 (RLOO), DSM Shao et al. 2024 (DeepSeekMath: GRPO). What is not theirs is as in
`policy.ppo_config`, so that runs of PPO and RLOO compare.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from language.commandline import Precision
from language.model_kinds import PolicyDirectory, RewardModelDirectory
from language.options import OptionError, flag, require_not_negative, require_positive
from language.parallel import ShardingKind
from language.seeds import derived_seed
from policy.ensembles import require_ensemble
from policy.learner import Trainable
from policy.objective import Ensemble
from policy.rollout_options import SampledElsewhere, require_server_options
from records import SamplingParams
from records.ppo_sizes import MAX_PROMPT_TOKENS, MICROBATCH_SIZE, size_problems

Advantage = Literal["leave-one-out", "group-normalised"]


@dataclass(frozen=True)
class RlooConfig(SampledElsewhere):
    """RLOO, or GRPO, from prompts, a policy and a reward model: no value model, several completions a prompt."""

    policy: PolicyDirectory
    """Directory of the policy to start from; it is the reference as well."""
    reward: RewardModelDirectory
    """Directory of the reward model. Its tokenizer must be the policy's."""
    prompts: Path
    """An export of prompts, or a .jsonl file of them."""
    out: Path
    """Where the trained policy is published, whole or not at all."""
    work: Path | None = None
    """Where resumable states and metrics are kept; <out>.work unless given."""
    seed: int = 0
    """Seed of the prompts' order, the samples, the minibatches and the adapters."""

    max_records: int = 0
    """Learn from at most so many training prompts, chosen by the hashes of their ids; 0 is all."""
    updates: int = 500
    """Times of sampling and training."""
    rollouts_per_update: int = 512
    """Completions sampled per update."""
    completions_per_prompt: int = 4
    """K: completions of each prompt within an update, judged against one another; at least 2. AH: 2 and 4; DSM: 64."""
    minibatch_size: int = 64
    """Rollouts per optimizer step."""
    microbatch_size: int = MICROBATCH_SIZE
    """Rollouts forwarded at once: memory, never the result."""
    epochs: int = 1
    """Passes over an update's rollouts. DSM: one step an update."""
    max_new_tokens: int = 256
    """Longest completion, in tokens."""
    max_prompt_tokens: int = MAX_PROMPT_TOKENS
    """Longer prompts are left out."""
    temperature: float = 1.0
    """Temperature of sampling, and of every log-probability."""

    advantage: Advantage = "leave-one-out"
    """leave-one-out is RLOO: a completion's score less the mean of its siblings', the KL a part of the score, a ratio
    a completion. group-normalised is GRPO: by the group's mean and deviation, the KL in the loss, a ratio a token."""
    kl_coef: float = 0.02
    """β, the price of a nat of KL to the reference: within the score (AH), or of each token in GRPO's loss (DSM: 0.04,
    with scores of deviation 1)."""
    missing_end_score: float = -1.0
    """The score of a completion without an end token, instead of its own, as in PPO; needs a reward model that scores
    good answers at about 0, as ours do."""
    clip_range: float = 0.2
    """ε of the ratio; it acts from the second step of an update on. AH found it seldom needed."""

    ensemble_rewards: tuple[RewardModelDirectory, ...] = ()
    """Directories of further reward models beside --reward, each with the policy's tokenizer and its own memory."""
    ensemble: Ensemble = "mean"
    """One score of all of them: their mean, the worst, or the mean less --ensemble-variance-coef times their variance.
    Coste et al. 2023."""
    ensemble_variance_coef: float = 0.1
    """λ of variance-penalised. Coste et al. 2023, for PPO."""

    lr: float = 3e-6
    """Peak learning rate. LoRA wants about thirty times that."""
    schedule: Literal["constant", "linear"] = "constant"
    """After the warm-up: constant, or linear to 0."""
    warmup_updates: int = 10
    """Updates over which the rate rises from a tenth."""
    adam_eps: float = 1e-5
    """Adam's ε, betas being (0.9, 0.95)."""
    max_grad_norm: float = 1.0
    """Gradients are clipped to this norm."""

    ptx_coef: float = 0.0
    """γ, the weight of mixed-in text's loss in the gradient, as in PPO-ptx; 0 is off."""
    ptx_text: Path | None = None
    """Pretraining text to mix in, plain or .jsonl with a "text"."""
    ptx_data: Path | None = None
    """Demonstrations to mix in, an export or a .jsonl file; beside text, in proportion to their numbers."""
    ptx_ratio: float = 8.0
    """Pieces of text or dialogues mixed in per rollout."""
    ptx_text_tokens: int = 512
    """Longer texts are cut into pieces of this many tokens."""
    ptx_microbatch_tokens: int = 2048
    """Positions of mixed-in text forwarded at once, packed; longer dialogues are left out."""

    length_only_tokens: int = 0
    """A control: the score is 1 − |tokens/this − 1|, ended or not, whatever the reward model says; 0 is off."""
    watch_reward: RewardModelDirectory | None = None
    """Directory of a second reward model, of other rankings than --reward, which watches every kept state and
    suggests a stop where its scores turn. Text is its input: its tokenizer may be another."""
    watch_prompts: Path | None = None
    """Prompts to watch, of split validation; those of --prompts unless given."""
    watch_max_prompts: int = 64
    """Watch only the first so many of them; 0 is all."""

    precision: Precision = "fp32"
    """bf16 computes in bf16 over fp32 weights; with LoRA the frozen weights are kept in bf16 too."""
    lora: bool = False
    """Train adapters only; the reference is then the same network without them."""
    lora_rank: int = 16
    """Rank of the adapters."""
    train_last_layers: int = 0
    """Train only that many of the last layers; 0 trains all."""
    activation_checkpointing: bool = False
    """Compute each layer again on the way back instead of keeping it: less memory, a third more time."""
    sharding: ShardingKind = "auto"
    """How several processes (torchrun) share the run: replicate keeps whole networks in each, full shares them out
    (FSDP); auto is replicate, and none where one is alone."""
    save_every: int = 10
    """Updates between resumable states."""
    resume: bool = False
    """Go on from the newest state in the work directory, or begin where there is none."""
    device: str = "auto"
    """cpu, cuda, cuda:1 …; auto takes the GPU where there is one."""

    @property
    def trainable(self) -> Trainable:
        """Which of the policy's parameters move."""
        return Trainable(lora_rank=self.lora_rank if self.lora else 0, last_layers=self.train_last_layers)

    def sampling_params(self, update: int) -> SamplingParams:
        """Pure sampling; every completion of every update has a seed of its own."""
        seed = derived_seed(self.seed, "rollouts", update)
        return SamplingParams(temperature=self.temperature, max_new_tokens=self.max_new_tokens, seed=seed)


def require_options(config: RlooConfig) -> None:
    """Refuse contradictions before anything is read."""
    if config.lora and config.train_last_layers:
        raise OptionError("--lora and --train-last-layers exclude one another; choose one")
    if (config.ptx_coef > 0) != (config.ptx_data is not None or config.ptx_text is not None):
        raise OptionError("--ptx-coef and --ptx-text or --ptx-data go together; give both or neither")
    require_positive(
        config,
        *("updates", "rollouts_per_update", "completions_per_prompt", "minibatch_size", "microbatch_size", "epochs"),
        *("max_new_tokens", "max_prompt_tokens", "temperature", "lr", "max_grad_norm", "lora_rank", "save_every"),
        *("ptx_ratio", "ptx_text_tokens"),
    )
    if config.completions_per_prompt < 2:
        raise OptionError(
            "--completions-per-prompt 1 leaves a completion without siblings to be judged against; give 2 or more"
        )
    for problem in size_problems(
        rollouts_per_update=config.rollouts_per_update,
        minibatch_size=config.minibatch_size,
        completions_per_prompt=config.completions_per_prompt,
        called=flag,
    ):
        raise OptionError(problem.sentence)
    if config.watch_prompts is not None and config.watch_reward is None:
        raise OptionError("--watch-prompts needs --watch-reward, which scores the answers")
    require_not_negative(config, "watch_max_prompts", "length_only_tokens", "max_records", "kl_coef", "clip_range")
    require_ensemble(config)
    require_server_options(config)
