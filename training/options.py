"""The options that a training job may carry, by kind: a name, its type, and nothing else.

Paths are not among them: what a job reads and writes is named by its request alone, as places in the store; which
options take one more of these is said apart. Kept apart from
the trainers, so that a worker which only follows them imports no torch; a test holds the two together.
"""

from records.types import TrainingKind

_SHARED: dict[str, type] = {
    "seed": int,
    "epochs": int,
    "max_records": int,
    "lr": float,
    "max_grad_norm": float,
    "precision": str,
    "lora": bool,
    "lora_rank": int,
    "train_last_layers": int,
    "activation_checkpointing": bool,
    "sharding": str,
    "save_every": int,
    "device": str,
}

# Of learning from a set that does not change: demonstrations, rankings, thumbs, the best of what was sampled.
_LEARNING: dict[str, type] = {
    **_SHARED,
    "batch_size": int,
    "max_steps": int,
    "weight_decay": float,
    "microbatch_tokens": int,
    "validation_fraction": float,
}
_PREFERENCE: dict[str, type] = {**_LEARNING, "beta": float, "warmup_share": float, "max_tokens": int}
# Of sampling and training in turns, scored by one reward model or several.
_ROLLOUTS: dict[str, type] = {
    **_SHARED,
    "updates": int,
    "rollouts_per_update": int,
    "completions_per_prompt": int,
    "minibatch_size": int,
    "microbatch_size": int,
    "max_new_tokens": int,
    "max_prompt_tokens": int,
    "temperature": float,
    "kl_coef": float,
    "missing_end_score": float,
    "clip_range": float,
    "ensemble": str,
    "ensemble_variance_coef": float,
    "schedule": str,
    "warmup_updates": int,
    "adam_eps": float,
    "ptx_coef": float,
    "ptx_ratio": float,
    "ptx_text_tokens": int,
    "ptx_microbatch_tokens": int,
    "length_only_tokens": int,
    "watch_max_prompts": int,
}

OPTIONS: dict[TrainingKind, dict[str, type]] = {
    "sft": {
        **_LEARNING,
        "mix_ratio": float,
        "select_max_prompts": int,
        "select_max_new_tokens": int,
        "max_tokens": int,
        "packing": bool,
    },
    "reward_model": {
        **_LEARNING,
        "margin_per_tier": float,
        "evaluate_every": int,
        "soft_labels": bool,
        "weigh_trainers": bool,
        "length_debias": bool,
        "probe": bool,
        "max_tokens": int,
        "split_by": str,
    },
    "ppo": {
        **_ROLLOUTS,
        "adaptive_kl": bool,
        "kl_target": float,
        "kl_horizon": int,
        "discount": float,
        "gae_lambda": float,
        "value_clip_range": float,
        "value_lr": float,
        "value_init": str,
        "whiten_advantages": bool,
        "keep_unended_scores": bool,
        "ema_decay": float,
    },
    "rloo": {**_ROLLOUTS, "advantage": str},
    "dpo": {**_PREFERENCE, "whole_tiers": bool, "margin_per_strength": float},
    "kto": {**_PREFERENCE, "desirable_weight": float, "undesirable_weight": float},
    "rejection_sampling": {
        **_LEARNING,
        "num_samples": int,
        "max_new_tokens": int,
        "max_prompt_tokens": int,
        "temperature": float,
        "missing_end_score": float,
        "packing": bool,
    },
    "filter": {
        "seed": int,
        "num_folds": int,
        "strength_vectors": float,
        "strength_ngrams": float,
        "harmless_weight": float,
    },
}

FURTHER_PATHS: dict[TrainingKind, frozenset[str]] = {
    "sft": frozenset({"mix_data", "select_reward", "select_prompts"}),
    "reward_model": frozenset({"demonstrations"}),
    "ppo": frozenset({"ptx_data", "watch_reward", "watch_prompts"}),
    "rloo": frozenset({"ptx_data", "watch_reward", "watch_prompts"}),
    "dpo": frozenset(),
    "kto": frozenset(),
    "rejection_sampling": frozenset(),
    "filter": frozenset(),
}
