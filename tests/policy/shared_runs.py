"""Every training program in small, for several processes to run one after another: what `test_shared_runs` starts.

`python -m tests.policy.shared_runs FOLDER all` under torchrun, where FOLDER holds the models and the data; `end` in
place of `all` goes on with the run that was left unfinished.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

import language.chunked_logprobs
import policy.sft
from language.parallel import ShardingKind
from language.training_state import save_training_state
from policy.dpo import main as run_dpo
from policy.dpo_config import DpoConfig
from policy.kto import main as run_kto
from policy.kto_config import KtoConfig
from policy.ppo import main as run_ppo
from policy.ppo_config import PpoConfig
from policy.rloo import main as run_rloo
from policy.rloo_config import RlooConfig
from policy.sft import main as run_sft
from policy.sft_config import SftConfig
from rewardmodel.train import main as run_reward_model
from rewardmodel.train_config import TrainConfig

Run = tuple[Callable[[Any], None], Any]


def runs(folder: Path, out: Path, sharding: ShardingKind) -> dict[str, Run]:
    """Three optimizer steps of each program, with pieces that two processes cannot share evenly."""
    shared: dict[str, Any] = {"device": "cpu", "sharding": sharding}
    learning = {"lr": 1e-4, "microbatch_tokens": 48, "save_every": 1, **shared}
    unwarmed = {"warmup_share": 0.0, **learning}
    dialogues, rankings, thumbs = (folder / f"{name}.jsonl" for name in ("dialogues", "rankings", "thumbs"))
    rollouts: dict[str, Any] = {
        "policy": folder / "policy",
        "reward": folder / "reward",
        "prompts": folder / "prompts.jsonl",
        "updates": 2,
        "rollouts_per_update": 24,
        "completions_per_prompt": 4,
        "minibatch_size": 12,
        "microbatch_size": 4,  # three pieces a minibatch, of which one process has one
        "max_new_tokens": 8,
        "lr": 1e-4,
        "warmup_updates": 0,
        "save_every": 1,
        **shared,
    }
    start = folder / "policy"
    sft = SftConfig(data=dialogues, model=start, out=out / "sft", epochs=1, batch_size=3, **learning)
    ppo = PpoConfig(
        out=out / "ppo", value_lr=1e-4, ema_decay=0.5, ptx_coef=0.1, ptx_data=dialogues, ptx_ratio=0.25, **rollouts
    )
    watched = {"watch_reward": folder / "reward", "watch_prompts": folder / "asked.jsonl"}
    return {
        "sft": (run_sft, sft),
        "sft-chunked": (partial(by_chunks, run_sft), replace(sft, out=out / "sft-chunked")),
        "sft-checkpointed": (run_sft, replace(sft, out=out / "sft-checkpointed", activation_checkpointing=True)),
        "sft-lora": (run_sft, replace(sft, out=out / "sft-lora", lora=True, lora_rank=4)),
        "reward": (
            run_reward_model,
            TrainConfig(data=rankings, model=start, out=out / "reward", batch_size=5, evaluate_every=2, **learning),
        ),
        "dpo": (
            run_dpo,
            DpoConfig(data=rankings, model=start, out=out / "dpo", batch_size=5, **unwarmed),
        ),
        "kto": (
            run_kto,
            KtoConfig(data=thumbs, model=start, out=out / "kto", batch_size=6, **unwarmed),
        ),
        "ppo": (run_ppo, ppo),
        "ppo-chunked": (partial(by_chunks, run_ppo), replace(ppo, out=out / "ppo-chunked")),
        "ppo-lora": (
            run_ppo,
            replace(ppo, out=out / "ppo-lora", lora=True, lora_rank=4, activation_checkpointing=True, **watched),
        ),
        "rloo": (run_rloo, RlooConfig(out=out / "rloo", activation_checkpointing=True, **rollouts, **watched)),
    }


def by_chunks(run: Callable[[Any], None], config: Any) -> None:
    """With logits computed a chunk at a time, as they are over a large vocabulary."""
    before = language.chunked_logprobs.MOST_LOGITS, language.chunked_logprobs.CHUNK_LOGITS
    language.chunked_logprobs.MOST_LOGITS, language.chunked_logprobs.CHUNK_LOGITS = 0, 2000
    try:
        run(config)
    finally:
        language.chunked_logprobs.MOST_LOGITS, language.chunked_logprobs.CHUNK_LOGITS = before


class Ended(Exception):
    """A run that is ended between two states, in every process alike."""


def until(step: int, config: SftConfig) -> None:
    """Fine-tuning that ends once the state of `step` is saved."""

    def save_and_end(*arguments: Any, **named: Any) -> Path:
        saved = save_training_state(*arguments, **named)
        if arguments[1].step == step:
            raise Ended
        return saved

    policy.sft.save_training_state = save_and_end  # type: ignore[attr-defined]
    try:
        run_sft(config)
    except Ended:
        return
    finally:
        policy.sft.save_training_state = save_training_state  # type: ignore[attr-defined]


def resumed(folder: Path, out: Path, sharding: ShardingKind = "full") -> SftConfig:
    """A run of six steps that is ended twice on its way."""
    _, config = runs(folder, out, sharding)["sft"]
    return replace(config, out=out / "resumed", epochs=2, resume=True)


def main() -> None:
    """All of a way, each as a program of its own would run; an interrupted run is begun, or ended."""
    torch.set_num_threads(1)
    folder, way = Path(sys.argv[1]), sys.argv[2]
    if way == "end":
        run_sft(resumed(folder, folder / "full"))
        return
    if way == "cuda":
        for kind in ("replicate", "full"):
            for name in ("sft", "reward", "ppo", "rloo", "dpo"):
                run, config = runs(folder, folder / "cuda" / kind, kind)[name]
                run(replace(config, device="auto"))
        return
    for kind in ("replicate", "full"):
        for name, (run, config) in runs(folder, folder / kind, kind).items():
            print(f"{kind} {name}", file=sys.stderr, flush=True)
            run(config)
    until(2, resumed(folder, folder / "full"))


if __name__ == "__main__":
    main()
