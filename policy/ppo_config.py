"""The options of PPO, each with where its default comes from.

IG marks what InstructGPT printed (App. C.4). It prints no policy learning rate, GAE λ, value clip, Adam
eps, whitening, gradient clip or end-token rule: those defaults are substitutes, each with its source.
ST is Stiennon et al. 2020, LMHP openai/lm-human-preferences, N+ Huang et al. 2024.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from language.commandline import Precision
from language.model_kinds import PolicyDirectory, RewardModelDirectory
from language.options import OptionError, flag, require_not_negative, require_positive, require_share
from language.parallel import ShardingKind
from language.seeds import derived_seed
from policy.ensembles import require_ensemble
from policy.learner import Trainable
from policy.objective import Ensemble
from policy.rollout_options import SampledElsewhere, require_server_options
from records import SamplingParams
from records.ppo_sizes import COMPLETIONS_PER_PROMPT, MAX_PROMPT_TOKENS, MICROBATCH_SIZE, size_problems


@dataclass(frozen=True)
class PpoConfig(SampledElsewhere):
    """PPO from prompts, a policy and a reward model. IG marks what InstructGPT printed."""

    policy: PolicyDirectory
    """Directory of the policy to start from; it is the reference as well. IG: the SFT model."""
    reward: RewardModelDirectory
    """Directory of the reward model, which the value model starts from. Its tokenizer must be the policy's."""
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
    """Times of sampling and training. IG: 256k episodes, 512 at a time."""
    rollouts_per_update: int = 512
    """Completions sampled per update. IG."""
    completions_per_prompt: int = COMPLETIONS_PER_PROMPT
    """Completions of each prompt within an update. IG: 1; more share the prompt's computation."""
    minibatch_size: int = 64
    """Rollouts per optimizer step. IG."""
    microbatch_size: int = MICROBATCH_SIZE
    """Rollouts forwarded at once, at most: memory, never the result. Multiples of --completions-per-prompt
    forward every prompt once."""
    epochs: int = 1
    """Passes over an update's rollouts. IG; 4 in ST and LMHP, with one minibatch each."""
    max_new_tokens: int = 256
    """Longest completion, in tokens. IG: 1k."""
    max_prompt_tokens: int = MAX_PROMPT_TOKENS
    """Longer prompts are left out. IG: those over 1k."""
    temperature: float = 1.0
    """Temperature of sampling, and of every log-probability. IG."""

    kl_coef: float = 0.02
    """β, the price of a nat of KL to the reference. IG: fixed."""
    adaptive_kl: bool = False
    """Move β to hold the KL at --kl-target, as LMHP's code does; IG kept it fixed."""
    kl_target: float = 6.0
    """Nats per completion that an adaptive β aims at. LMHP."""
    kl_horizon: int = 10_000
    """Episodes over which an adaptive β acts. LMHP."""
    missing_end_score: float = -1.0
    """The score of a completion without an end token, instead of its own. LMHP and N+; needs a reward model
    that scores good answers at about 0, as ours do."""
    keep_unended_scores: bool = False
    """A control: leave the score of a completion without an end token as it is."""
    discount: float = 1.0
    """γ of the returns. IG."""
    gae_lambda: float = 0.95
    """λ of the advantages. ST and LMHP."""
    whiten_advantages: bool = True
    """Advantages with mean 0 and deviation 1 over an update's tokens. LMHP; not printed in IG."""
    value_init: Literal["reward", "policy"] = "reward"
    """What the value model starts from: the reward model (IG), or the policy with a head drawn by the seed, which ST
    found worse."""
    clip_range: float = 0.2
    """ε of the policy's ratio. IG."""
    value_clip_range: float = 0.2
    """How far a value may move from the one recorded with the rollout. LMHP."""

    ensemble_rewards: tuple[RewardModelDirectory, ...] = ()
    """Directories of further reward models beside --reward, each with the policy's tokenizer and its own memory."""
    ensemble: Ensemble = "mean"
    """One score of all of them: their mean, the worst, or the mean less --ensemble-variance-coef times their variance.
    Coste et al. 2023."""
    ensemble_variance_coef: float = 0.1
    """λ of variance-penalised. Coste et al. 2023, for PPO."""

    lr: float = 3e-6
    """Peak learning rate of the policy. N+; IG searched 2.55e-6 to 2.55e-5. LoRA wants about thirty times that."""
    value_lr: float = 9e-6
    """Peak learning rate of the value model. IG. LoRA wants about thirty times that."""
    schedule: Literal["constant", "linear"] = "constant"
    """After the warm-up: constant (IG), or linear to 0 (ST, LMHP)."""
    warmup_updates: int = 10
    """Updates over which both rates rise from a tenth. IG."""
    adam_eps: float = 1e-5
    """Adam's ε, betas being IG's (0.9, 0.95). LMHP's, whose TensorFlow form makes smaller first steps."""
    max_grad_norm: float = 1.0
    """Gradients of policy and value model are each clipped to this norm. N+ and most successors."""
    ema_decay: float = 0.0
    """Publish an average of the weights over updates with this decay; 0 is off. IG: 0.992."""

    ptx_coef: float = 0.0
    """γ, the weight of mixed-in text's loss in the policy's gradient. IG: 0 is PPO, 27.8 is PPO-ptx."""
    ptx_text: Path | None = None
    """Pretraining text to mix in, plain or .jsonl with a "text". IG."""
    ptx_data: Path | None = None
    """Demonstrations to mix in, an export or a .jsonl file; beside text, in proportion to their numbers. Ours."""
    ptx_ratio: float = 8.0
    """Pieces of text or dialogues mixed in per rollout. IG."""
    ptx_text_tokens: int = 512
    """Longer texts are cut into pieces of this many tokens. Not printed in IG, whose context is 2k."""
    ptx_microbatch_tokens: int = 2048
    """Positions of mixed-in text forwarded at once, packed; longer dialogues are left out."""

    length_only_tokens: int = 0
    """A control: the score is 1 − |tokens/this − 1|, ended or not; the reward model only starts the value model.
    0 is off. Singhal et al. 2023."""
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
    """Train adapters only; the reference and the reward model are then the same networks without them."""
    lora_rank: int = 16
    """Rank of the adapters."""
    train_last_layers: int = 0
    """Train only that many of the last layers of both networks; 0 trains all."""
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
        """Which parameters move, of the policy and of the value model."""
        return Trainable(lora_rank=self.lora_rank if self.lora else 0, last_layers=self.train_last_layers)

    def sampling_params(self, update: int) -> SamplingParams:
        """Pure sampling; every completion of every update has a seed of its own."""
        seed = derived_seed(self.seed, "rollouts", update)
        return SamplingParams(temperature=self.temperature, max_new_tokens=self.max_new_tokens, seed=seed)


def require_options(config: PpoConfig) -> None:
    """Refuse contradictions before anything is read."""
    if config.lora and config.train_last_layers:
        raise OptionError("--lora and --train-last-layers exclude one another; choose one")
    if (config.ptx_coef > 0) != (config.ptx_data is not None or config.ptx_text is not None):
        raise OptionError("--ptx-coef and --ptx-text or --ptx-data go together; give both or neither")
    require_positive(
        config,
        *("updates", "rollouts_per_update", "completions_per_prompt", "minibatch_size", "microbatch_size", "epochs"),
        *("max_new_tokens", "max_prompt_tokens", "temperature", "lr", "value_lr", "kl_target", "kl_horizon"),
        *("max_grad_norm", "ptx_ratio", "lora_rank", "save_every", "ptx_text_tokens"),
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
    require_not_negative(config, "watch_max_prompts", "length_only_tokens", "max_records")
    require_share(config, "ema_decay")
    require_ensemble(config)
    require_server_options(config)
