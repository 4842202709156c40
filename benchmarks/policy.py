"""PPO beside trl's last PPOTrainer (1.12): same models, prompts, batch, updates and precision, in one run.

trl needs an environment of its own, under var/bench. Both sides are processes with one thread each, timed in
CPU seconds from the second update on, since other work on the machine would move wall time more than anything
measured here. One pass over an update's rollouts, as InstructGPT trains; a full network for policy, reference,
reward and value on both sides. Two updates learn nothing: benchmarks.policy_curves compares scores, in the same run.
"""

import json
import os
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import dpo, rloo
from benchmarks.beside_trl import oasst_trees, run_side
from benchmarks.figures import Figure, summarise
from benchmarks.policy_curves import score_at_equal_kl, trl_ppo
from language.bundled import ensure_bundled_policy
from language.chat import render_prompt
from language.checkpoints import load_causal_lm, load_tokenizer, publish_checkpoint
from records import Message, Prompt, write_jsonl
from records.store import model_store
from rewardmodel.model import publish_reward_model, start_reward_model

ROLLOUTS = int(os.environ.get("PARLEY_BENCH_ROLLOUTS", "8"))
MAX_NEW_TOKENS = 32
PROMPT_TOKENS = (40, 160)
UPDATES = 2  # the first warms up
REPEATS = 1

Run = tuple[dict[str, Any], dict[str, Any]]


@dataclass(frozen=True)
class Load:
    """What an update of both sides is made of, what its figure shows, and what it ought to be."""

    completions_per_prompt: int
    minibatches: int
    shows: str
    goal: float | None = None


ONE_PIECE = "one minibatch in one piece, so that what is recorded of it and what it trains from are one forward"
LOADS = {
    "policy.ppo_speedup": Load(4, 1, f"{ONE_PIECE}; every prompt once for four completions", goal=3.0),
    "policy.ppo_speedup_one_rollout": Load(1, 1, f"{ONE_PIECE}; no prompt is shared", goal=1.8),
    "policy.ppo_speedup_8_minibatches": Load(
        1, 8, "InstructGPT's eight minibatches of an update, one completion a prompt: no forward is spared, none shared"
    ),
}


def figures() -> Iterator[Figure]:
    """Samples a CPU second under each load, peak memory, and the score at equal KL."""
    python = trl_ppo()
    bundled = ensure_bundled_policy(model_store())[0]
    runs: dict[str, list[Run]] = {}
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        place = Path(folder)
        tokenizer = load_tokenizer(bundled)  # with a pad token that is not the end token
        publish_checkpoint(place / "policy", model=load_causal_lm(bundled), tokenizer=tokenizer)
        publish_reward_model(place / "reward", model=start_reward_model(bundled, seed=0), tokenizer=tokenizer, facts={})
        for name, load in LOADS.items():
            runs[name] = [_both(python, place, load) for _ in range(REPEATS)]
            yield _speedup(name, runs[name], load)
        yield from rloo.figures(
            lambda: run_rloo(place),
            [theirs["peak_bytes"] for _, theirs in runs["policy.ppo_speedup"]],
            samples=ROLLOUTS * (UPDATES - 1),
            repeats=REPEATS,
        )
    both = runs["policy.ppo_speedup"] + runs["policy.ppo_speedup_one_rollout"]
    yield summarise(
        "policy.peak_memory_ratio",
        [ours["peak_bytes"] / theirs["peak_bytes"] for ours, theirs in both],
        unit="times",
        ours_gb=[ours["peak_bytes"] / 1e9 for ours, _ in both],
        trl_gb=[theirs["peak_bytes"] / 1e9 for _, theirs in both],
        means="peak resident memory of the whole process: four networks, two of them with gradients and Adam's moments",
        goal=0.5,
    )
    yield from dpo.figures()
    yield score_at_equal_kl(python)


def run_rloo(folder: Path) -> Run:
    """Both sides of RLOO on the load of four completions a prompt."""
    with written_job(folder, LOADS["policy.ppo_speedup"]) as path:
        return rloo.run_sides(str(path))


def _both(python: Path, folder: Path, load: Load) -> Run:
    with written_job(folder, load) as path:
        ours = run_side([sys.executable, "-m", "benchmarks.policy_ours", str(path)])
        return ours, run_side([str(python), "-m", "benchmarks.policy_trl", str(path)])


@contextmanager
def written_job(folder: Path, load: Load) -> Iterator[Path]:
    """The job file that both sides read, in a folder of its own while they do."""
    prompts = real_prompts(ROLLOUTS // load.completions_per_prompt)
    tokenizer = load_tokenizer(folder / "policy")
    with tempfile.TemporaryDirectory(dir=folder) as work:
        write_jsonl(Path(work) / "prompts.jsonl", prompts)
        job = {
            "seed": 0,
            "folder": work,
            "policy": str(folder / "policy"),
            "reward": str(folder / "reward"),
            "prompts": str(Path(work) / "prompts.jsonl"),
            "prompt_ids": [render_prompt(tokenizer, prompt.messages) for prompt in prompts],
            "completions_per_prompt": load.completions_per_prompt,
            "rollouts": ROLLOUTS,
            "minibatches": load.minibatches,
            "updates": UPDATES,
            "epochs": 1,
            "max_new_tokens": MAX_NEW_TOKENS,
            "kl_coef": 0.02,
            "lr": 3e-6,
        }
        path = Path(work) / "job.json"
        path.write_text(json.dumps(job), encoding="utf-8")
        yield path


def real_prompts(count: int) -> list[Prompt]:
    """First questions of Open-Assistant trees of 40 to 160 characters times four, drawn by a fixed seed."""
    low, high = (4 * tokens for tokens in PROMPT_TOKENS)
    texts = [str(tree["text"]) for tree in oasst_trees()]
    fitting = [text for text in texts if low <= len(text) <= high]
    return [
        Prompt(id=f"p-{i}", messages=(Message(role="user", content=text),), split="train")
        for i, text in enumerate(random.Random(0).sample(fitting, count))
    ]


def _speedup(name: str, runs: Sequence[Run], load: Load) -> Figure:
    """Samples a CPU second, ours over trl's."""
    samples = ROLLOUTS * (UPDATES - 1)
    sides = {"ours": [ours for ours, _ in runs], "trl": [theirs for _, theirs in runs]}
    return summarise(
        name,
        [theirs["cpu_seconds"] / ours["cpu_seconds"] for ours, theirs in runs],
        unit="times",
        precision="fp32, both",
        completions_per_prompt=load.completions_per_prompt,
        rollouts_per_update=ROLLOUTS,
        minibatches=load.minibatches,
        epochs=1,
        updates_timed=UPDATES - 1,
        shows=load.shows,
        **({} if load.goal is None else {"goal": load.goal}),
        samples_per_cpu_second={side: [samples / run["cpu_seconds"] for run in found] for side, found in sides.items()},
        wall_seconds={side: [run["wall_seconds"] for run in found] for side, found in sides.items()},
        score={side: [run["score"] for run in found] for side, found in sides.items()},
        kl={side: [run["kl"] for run in found] for side, found in sides.items()},
        phases_of_ours=[run["phases"] for run in sides["ours"]],
    )
