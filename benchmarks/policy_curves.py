"""Score against KL, PPO's beside trl's: is what ours gains no less at the same distance from the start?

`python -m benchmarks.policy_curves`. The same tiny policy, reward model, prompts, rollouts, updates, learning rate and
KL coefficient on both sides, several seeds; each side's own Adam, whitening and position of the reward. trl 1.12 can
only lower the score of a completion without an end token, ours replaces it: here both leave it as it is.
"""

import json
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from benchmarks.beside_trl import run_side, trl_environment
from benchmarks.figures import Figure, summarise
from benchmarks.platform import CHECKOUT
from language.chat import render_prompt
from language.checkpoints import load_tokenizer
from records import Message, Prompt, write_jsonl
from rewardmodel.model import publish_reward_model, start_reward_model
from tests.tiny import build_tiny_policy

TRL_VERSION = "1.12.0"  # the last with PPO; 1.16 has none
SEEDS = tuple(range(5))
HIDDEN, LAYERS = 64, 2
ROLLOUTS = 32
MAX_NEW_TOKENS = 16
UPDATES = 60
LR = 1e-3
KL_COEF = 0.05
SMOOTHED = 5  # updates averaged into a point of a curve
GRID = 20  # distances at which the two curves are compared
WORDS = ("What", "is", "the", "capital", "of", "the", "sea", "and", "sky", "poem", "France", "short", "today")

Curve = list[tuple[float, float]]


def trl_ppo() -> Path:
    """The Python of an environment that has trl's PPOTrainer."""
    folder = CHECKOUT / "var" / "bench" / "trl-ppo"
    return trl_environment(folder, version=TRL_VERSION, needs="import trl.experimental.ppo")


def score_at_equal_kl(python: Path) -> Figure:
    """The mean difference of the two curves over the distances that both reach, ours less trl's."""
    differences, detail = [], []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
            job = write_job(Path(folder), seed)
            sides = {
                "ours": run_side([sys.executable, "-m", "benchmarks.policy_ours", str(job)]),
                "trl": run_side([str(python), "-m", "benchmarks.policy_trl", str(job)]),
            }
        curves = {side: smooth(run["kl"], run["score"]) for side, run in sides.items()}
        differences.append(difference_at_equal_kl(curves["ours"], curves["trl"]))
        detail.append({side: {"kl_and_score": rounded(curve)} for side, curve in curves.items()})
    return summarise(
        "policy.score_at_equal_kl",
        differences,
        unit="points of score, ours less trl's",
        goal=0.0,
        policy=f"{LAYERS} layers of {HIDDEN}, random weights; a reward model of random weights",
        rollouts_per_update=ROLLOUTS,
        max_new_tokens=MAX_NEW_TOKENS,
        updates=UPDATES,
        lr=LR,
        kl_coef=KL_COEF,
        seeds=list(SEEDS),
        curves=detail,
    )


def write_job(folder: Path, seed: int) -> Path:
    """Networks, prompts and the job file that both sides read."""
    policy = build_tiny_policy(folder / "policy", seed=seed, hidden_size=HIDDEN, num_layers=LAYERS)
    tokenizer = load_tokenizer(policy)
    publish_reward_model(folder / "reward", model=start_reward_model(policy, seed=seed), tokenizer=tokenizer, facts={})
    draw = random.Random(seed)
    prompts = [
        Prompt(id=f"p-{i}", messages=(Message(role="user", content=" ".join(draw.choices(WORDS, k=6))),), split="train")
        for i in range(ROLLOUTS)
    ]
    write_jsonl(folder / "prompts.jsonl", prompts)
    job = {
        "seed": seed,
        "folder": str(folder),
        "policy": str(policy),
        "reward": str(folder / "reward"),
        "prompts": str(folder / "prompts.jsonl"),
        "prompt_ids": [render_prompt(tokenizer, prompt.messages) for prompt in prompts],
        "completions_per_prompt": 1,
        "rollouts": ROLLOUTS,
        "minibatches": 1,
        "updates": UPDATES,
        "epochs": 4,
        "max_new_tokens": MAX_NEW_TOKENS,
        "kl_coef": KL_COEF,
        "lr": LR,
        "keep_unended_scores": True,
    }
    path = folder / "job.json"
    path.write_text(json.dumps(job), encoding="utf-8")
    return path


def smooth(kls: Sequence[float], scores: Sequence[float]) -> Curve:
    """A curve's points, each the mean of some neighbouring updates, by ascending KL."""
    ends = range(SMOOTHED, len(kls) + 1)
    return sorted((mean(kls[end - SMOOTHED : end]), mean(scores[end - SMOOTHED : end])) for end in ends)


def difference_at_equal_kl(ours: Curve, theirs: Curve) -> float:
    """The mean of ours − theirs over equally spaced KLs that both curves reach. ValueError where they share none."""
    low, high = max(ours[0][0], theirs[0][0]), min(ours[-1][0], theirs[-1][0])
    if low >= high:
        raise ValueError(f"the two curves share no KL: one begins at {low}, the other ends at {high}")
    grid = [low + (high - low) * i / (GRID - 1) for i in range(GRID)]
    return mean(score_at(ours, kl) - score_at(theirs, kl) for kl in grid)


def score_at(curve: Curve, kl: float) -> float:
    """The curve's score at this KL, linear between its points."""
    after = next((i for i, (at, _) in enumerate(curve) if at >= kl), len(curve) - 1)
    (x0, y0), (x1, y1) = curve[max(after - 1, 0)], curve[after]
    return y1 if x1 == x0 else y0 + (y1 - y0) * (kl - x0) / (x1 - x0)


def rounded(curve: Curve) -> list[list[float]]:
    """Every fifth point, for the result file."""
    return [[round(kl, 3), round(score, 3)] for kl, score in curve[:: len(curve) // 11 or 1]]


if __name__ == "__main__":
    print(score_at_equal_kl(trl_ppo()).to_line())
