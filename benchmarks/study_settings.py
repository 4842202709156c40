"""What the study of trainings runs: every size and option, declared here before anything is run, and nowhere else.

Two worlds: `small`, whose cells are minutes of one core, and `bundled`, the bundled 135M policy, whose cells are
tens of minutes. Which figures exist of which is said in docs/experiments.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from policy.objective import Ensemble

World = Literal["small", "bundled"]

RULES: tuple[Ensemble, ...] = ("mean", "worst", "variance-penalised")

# One option of PPO changed at a time; the rest is as in the study's own PPO, on the middle number of rankings.
ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "as-it-is": {},
    "four-passes": {"epochs": 4},
    "lambda-1": {"gae_lambda": 1.0},
    "lambda-0.8": {"gae_lambda": 0.8},
    "no-whitening": {"whiten_advantages": False},
    "value-from-policy": {"value_init": "policy"},
    "missing-end-kept": {"keep_unended_scores": True},
}


@dataclass(frozen=True)
class Method:
    """A way to train on the same judgements: its program, how much of it, and its own options.

    `amounts` is what makes a curve over KL and over CPU time: values of the option `amount`.
    """

    program: str
    amount: str
    amounts: tuple[int, ...]
    options: Mapping[str, float]


@dataclass(frozen=True)
class StudySettings:
    """One world's sizes. Minutes are of one core of the machine that docs/experiments.md names."""

    world: World
    rankings: tuple[int, ...]
    """Numbers of rankings that reward models learn from."""
    seeds: tuple[int, ...]
    """Of each number so many reward models, each with rankings, head, order and policies of its own."""
    num_train: int
    """Prompts that are ranked and trained on; at least the largest of `rankings`."""
    num_held_out: int
    """Prompts of the watched looks and of every result; as many again of the reward models' accuracy."""
    num_completions: int
    """Completions a prompt that are ranked."""
    best_of: int
    """N of best-of-n."""
    num_answers: int
    """Answers of each method's policy to each held-out prompt."""
    max_new_tokens: int
    max_prompt_tokens: int
    reward: Mapping[str, Any]
    """Options of rewardmodel.train."""
    ppo: Mapping[str, Any]
    """Options of PPO against every reward model, β 0: the far end is what is looked for."""
    look_every: int
    control_tokens: int
    """L of the control that is trained on length alone."""
    methods: Mapping[str, Method]
    kl_targets: tuple[float, ...]
    """Nats an answer at which methods are compared."""
    start: Mapping[str, Any]
    """How the small world's policy is made."""
    minutes: Mapping[str, float]
    """Expected minutes of one core, by the kind of cell."""

    @property
    def middle(self) -> int:
        """The number of rankings that ablations learn from."""
        return self.rankings[len(self.rankings) // 2]


_SMALL_TRAINING = {"lr": 3e-4, "max_new_tokens": 32, "max_prompt_tokens": 160}

SMALL = StudySettings(
    world="small",
    rankings=(40, 160, 640),
    seeds=(0, 1, 2, 3, 4),
    num_train=640,
    num_held_out=64,
    num_completions=4,
    best_of=32,
    num_answers=2,
    max_new_tokens=32,
    max_prompt_tokens=160,
    reward={"epochs": 2, "batch_size": 8, "lr": 5e-4},
    ppo={
        "updates": 40,
        "rollouts_per_update": 32,
        "completions_per_prompt": 4,
        "minibatch_size": 16,
        "microbatch_size": 16,
        "kl_coef": 0.0,
        "warmup_updates": 0,
        "value_lr": 3e-4,
        **_SMALL_TRAINING,
    },
    look_every=4,
    control_tokens=30,
    methods={
        "ppo": Method("policy.ppo", "updates", (4, 8, 16), {**_SMALL_TRAINING, "value_lr": 3e-4}),
        "rloo": Method("policy.rloo", "updates", (4, 8, 16), _SMALL_TRAINING),
        "dpo": Method("policy.dpo", "epochs", (1, 2, 4), {"lr": 3e-4, "batch_size": 8, "max_tokens": 256}),
        "rejection": Method(
            "policy.rejection_sampling", "num_samples", (2, 8, 16), {**_SMALL_TRAINING, "epochs": 2, "batch_size": 8}
        ),
    },
    kl_targets=(1.0, 2.0, 4.0),
    start={"conversations": 4000, "layers": 2, "hidden": 96, "vocab_size": 2048, "epochs": 2, "lr": 3e-3},
    minutes={"start": 1.2, "samples": 0.4, "reward": 0.2, "best-of-n": 0.1, "ppo": 0.7, "train": 0.6, "answers": 0.1},
)

_BUNDLED_TRAINING = {"lr": 5e-5, "max_new_tokens": 48, "max_prompt_tokens": 200, "train_last_layers": 10}

BUNDLED = StudySettings(
    world="bundled",
    rankings=(60, 120, 480),
    seeds=(0, 1, 2),
    num_train=480,
    num_held_out=48,
    num_completions=4,
    best_of=16,
    num_answers=2,
    max_new_tokens=48,
    max_prompt_tokens=200,
    reward={"epochs": 1, "batch_size": 8, "lr": 5e-5, "train_last_layers": 10, "precision": "bf16"},
    ppo={
        "updates": 20,
        "rollouts_per_update": 32,
        "completions_per_prompt": 4,
        "minibatch_size": 8,
        "microbatch_size": 8,
        "kl_coef": 0.0,
        "warmup_updates": 0,
        "value_lr": 5e-5,
        "precision": "bf16",
        **_BUNDLED_TRAINING,
    },
    look_every=4,
    control_tokens=57,
    methods={
        "ppo": Method("policy.ppo", "updates", (4, 8, 16), {**_BUNDLED_TRAINING, "value_lr": 1e-4}),
        "rloo": Method("policy.rloo", "updates", (4, 8, 16), _BUNDLED_TRAINING),
        "dpo": Method(
            "policy.dpo", "epochs", (1, 2), {"lr": 5e-5, "batch_size": 8, "max_tokens": 256, "train_last_layers": 10}
        ),
        "rejection": Method(
            "policy.rejection_sampling",
            "num_samples",
            (4, 8),
            {**_BUNDLED_TRAINING, "epochs": 2, "batch_size": 8},
        ),
    },
    kl_targets=(0.5, 1.0, 2.0),
    start={},
    minutes={"start": 1, "samples": 7, "reward": 4, "best-of-n": 4, "ppo": 14, "train": 8, "answers": 3},
)

SETTINGS: Mapping[World, StudySettings] = {"small": SMALL, "bundled": BUNDLED}
