"""Does PPO raise a preference that is known? The whole chain on the bundled policy, in processes of our own commands.

`python -m benchmarks.gold_run --out var/gold-run`: sample completions, rank them by the documented gold preference
(docs/gold_preference.md), train a reward model on the rankings, train the policy by PPO against it, and compare
both policies' answers to held-out prompts by the gold preference: the same prompts, the same random numbers,
intervals that resample prompts. Neither the reward model nor PPO sees a held-out prompt, and no setting was chosen
by one. What is done is kept under --out; the same command goes on behind it, killed wherever it was.

`--seeds 0 1 2 3 4` makes five runs, each with prompts, samples and trainings of its own, and compares them all by
intervals over seeds and prompts (benchmarks.two_level); seeds can be added later, and what is missing is named.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.gold_answers import compare_answers, compare_seeds, comparison_text, seeds_text
from benchmarks.gold_prompts import write_prompts
from benchmarks.gold_samples import read_answers
from benchmarks.platform import CHECKOUT
from labeling.gold import preference
from language.bundled import ensure_bundled_policy
from language.commandline import run
from language.options import OptionError
from records import Ranking, write_jsonl
from records.store import model_store
from records.types import Split
from rewardmodel.score import Candidates

RUN_FILE = "run.json"
STAGES_FILE = "stages.jsonl"
RESULT_FILE = "result.json"
SEEDS_FILE = "seeds.json"

# Whose samples are ranked: to learn from, and for the reward model's held-out accuracy.
LEARNT: tuple[Split, ...] = ("train", "validation")


@dataclass(frozen=True)
class GoldRunConfig:
    """Sizes for less than an hour on one slow core; how they were found stands in docs/experiments.md."""

    out: Path
    """Folder of everything that the run makes, result.json among it."""
    policy: Path | None = None
    """Directory of the policy to start from; the bundled one unless given."""
    seed: int = 0
    """Seed of the prompts, the samples and both trainings."""
    seeds: tuple[int, ...] = ()
    """Make a run of each of these seeds, in folders seed-0, seed-1 … of --out, instead of one of --seed."""
    report: bool = False
    """Compare the runs of --seeds that are whole, and make none."""
    num_train: int = 480
    """Prompts that are ranked, and that PPO answers."""
    num_held_out: int = 100
    """Prompts of the result; as many again serve the reward model's held-out accuracy."""
    num_completions: int = 4
    """Completions of each prompt that are ranked."""
    num_answers: int = 3
    """Answers of each policy to each held-out prompt."""
    max_new_tokens: int = 48
    """Longest completion, in tokens, everywhere."""
    max_prompt_tokens: int = 200
    """Longer prompts are left out."""
    reward_lr: float = 5e-5
    """Peak learning rate of the reward model."""
    reward_epochs: int = 1
    """Its passes over the rankings."""
    updates: int = 32
    """Updates of PPO."""
    rollouts: int = 32
    """Completions in an update."""
    completions_per_prompt: int = 4
    """Completions of each prompt within an update."""
    minibatch_size: int = 8
    """Completions per optimizer step of PPO."""
    epochs: int = 1
    """Passes over an update's completions."""
    lr: float = 5e-5
    """Learning rate of the policy."""
    value_lr: float = 1e-4
    """Learning rate of the value model."""
    kl_coef: float = 0.05
    """β."""
    train_last_layers: int = 10
    """Train only that many of the last layers of the reward model, the policy and the value model; 0 trains all."""


def main(config: GoldRunConfig) -> None:
    """One run, or one of each seed and their comparison, written anew after every seed."""
    config = replace(config, out=config.out.absolute())  # the stages run in the checkout
    if config.report and not config.seeds:
        raise OptionError("--report compares runs of several seeds; name them by --seeds")
    if not config.seeds:
        run_once(config)
    for seed in config.seeds:
        if not config.report:
            run_once(replace(config, out=seed_folder(config, seed), seed=seed, seeds=()))
            compare_runs(config)
    if config.report:
        compare_runs(config)


def seed_folder(config: GoldRunConfig, seed: int) -> Path:
    """Where one seed's run lies."""
    return config.out / f"seed-{seed}"


def compare_runs(config: GoldRunConfig) -> None:
    """The figures of all seeds that are whole; those that are not are named."""
    done = [seed for seed in config.seeds if (seed_folder(config, seed) / RESULT_FILE).exists()]
    missing = [seed for seed in config.seeds if seed not in done]
    for seed in done:
        _require_same_run(replace(config, out=seed_folder(config, seed), seed=seed, seeds=(), report=False))
    result: dict[str, Any] = {"seeds": done, "missing": missing}
    if done:
        result |= compare_seeds([seed_folder(config, seed) for seed in done])
    _write(config.out / SEEDS_FILE, result | {"config": _plain(config)})
    print(seeds_text(result))


def run_once(config: GoldRunConfig) -> None:
    """The stages in order, each skipped where what it makes is there."""
    out = config.out
    out.mkdir(parents=True, exist_ok=True)
    _require_same_run(config)
    start = config.policy or ensure_bundled_policy(model_store())[0]
    prompts, reward, trained = out / "prompts.jsonl", out / "reward", out / "policy"
    if not prompts.exists():
        partial = out / "prompts.partial"  # a kill leaves no half of it under its name
        write_prompts(partial, num_train=config.num_train, num_held_out=config.num_held_out, seed=config.seed)
        partial.replace(prompts)
    for split in LEARNT:
        _stage(out, f"sample-{split}", _samples(config, start, split, out / f"samples-{split}.jsonl"))
    rankings = out / "rankings.jsonl"
    if not rankings.exists():
        partial = out / "rankings.partial"
        num = write_jsonl(partial, [ranking for split in LEARNT for ranking in rank(out, split)])
        partial.replace(rankings)
        _note(f"{num} comparisons ranked by the gold preference")
    _stage(out, "reward-model", _reward_model(config, start, rankings, reward))
    evaluation = ["rewardmodel.evaluate", "--model", str(reward), "--data", str(rankings), "--json"]
    _stage(out, "evaluation", evaluation, stdout=out / "reward-evaluation.json")
    _stage(out, "ppo", _ppo(config, start, reward, prompts, trained))
    for name, policy in (("start", start), ("trained", trained)):
        reference = [] if policy is start else ["--reference", str(start)]
        answers = out / f"answers-{name}.jsonl"
        _stage(out, f"answers-{name}", [*_samples(config, policy, "test", answers), *reference])
        asked = out / f"asked-{name}.jsonl"
        write_jsonl(asked, [Candidates(one.id, one.messages, one.completions) for one in read_answers(answers)])
        for judge, command in (
            ("gold", ["labeling.gold.score"]),
            ("score", ["rewardmodel.score", "--model", str(reward)]),
        ):
            _stage(out, f"{judge}-{name}", command, stdin=asked, stdout=out / f"{judge}-{name}.jsonl")
    result = compare_answers(out, seed=config.seed)
    _write(out / RESULT_FILE, result | {"config": _plain(config)})
    print(comparison_text(result))


def _samples(config: GoldRunConfig, policy: Path, split: Split, out: Path) -> list[str]:
    is_result = split == "test"
    return [
        "benchmarks.gold_samples",
        *("--policy", str(policy), "--prompts", str(config.out / "prompts.jsonl"), "--split", split),
        *("--out", str(out), "--seed", str(config.seed)),
        *("--num-completions", str(config.num_answers if is_result else config.num_completions)),
        *("--max-new-tokens", str(config.max_new_tokens), "--max-prompt-tokens", str(config.max_prompt_tokens)),
    ]


def rank(out: Path, split: Split) -> list[Ranking]:
    """What the simulated trainer makes of a split's samples."""
    rankings = []
    for answers in read_answers(out / f"samples-{split}.jsonl"):
        judgement = preference.judge(answers.messages, answers.completions)
        rankings.append(
            Ranking(
                id=answers.id,
                comparison_id=answers.id,
                messages=answers.messages,
                completions=answers.completions,
                tiers=judgement.tiers,
                unacceptable_from=judgement.unacceptable_from,
                trainer_kind="simulated",
                split=split,
            )
        )
    return rankings


def _reward_model(config: GoldRunConfig, start: Path, rankings: Path, out: Path) -> list[str]:
    return [
        "rewardmodel.train",
        *("--data", str(rankings), "--model", str(start), "--out", str(out), "--seed", str(config.seed), "--resume"),
        *("--epochs", str(config.reward_epochs), "--batch-size", "8", "--lr", str(config.reward_lr)),
        *("--train-last-layers", str(config.train_last_layers), "--precision", "bf16"),
    ]


def _ppo(config: GoldRunConfig, start: Path, reward: Path, prompts: Path, out: Path) -> list[str]:
    return [
        "policy.ppo",
        *("--policy", str(start), "--reward", str(reward), "--prompts", str(prompts), "--out", str(out)),
        *("--seed", str(config.seed), "--resume", "--precision", "bf16", "--updates", str(config.updates)),
        *("--rollouts-per-update", str(config.rollouts), "--minibatch-size", str(config.minibatch_size)),
        *("--completions-per-prompt", str(config.completions_per_prompt), "--epochs", str(config.epochs)),
        *("--max-new-tokens", str(config.max_new_tokens), "--max-prompt-tokens", str(config.max_prompt_tokens)),
        *("--lr", str(config.lr), "--value-lr", str(config.value_lr), "--warmup-updates", "2"),
        *("--kl-coef", str(config.kl_coef), "--train-last-layers", str(config.train_last_layers)),
    ]


def _stage(
    out: Path, name: str, command: Sequence[str], *, stdin: Path | None = None, stdout: Path | None = None
) -> None:
    """Run a stage that is not done, and keep what it took. Raises OptionError where it fails; its words are shown."""
    if name in _done(out):
        return
    _note(" ".join(("python -m", *command)))
    began, cpu = time.monotonic(), os.times().children_user
    with open(stdin or os.devnull, "rb") as source, open(stdout or os.devnull, "wb") as sink:
        ended = subprocess.run(
            [sys.executable, "-m", *command], cwd=CHECKOUT, stdin=source, stdout=sink if stdout else sys.stderr
        )
    if ended.returncode != 0:
        raise OptionError(f"{name} ended with {ended.returncode}; what it said is above, the same command goes on")
    took = {"stage": name, "seconds": time.monotonic() - began, "cpu_seconds": os.times().children_user - cpu}
    with open(out / STAGES_FILE, "a", encoding="utf-8") as file:
        file.write(json.dumps(took) + "\n")


def _done(out: Path) -> dict[str, dict[str, Any]]:
    path = out / STAGES_FILE
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    whole = [line for line in lines if line.endswith("\n")]
    if len(whole) < len(lines):  # a kill cut the last one; its stage is done again, from its own states
        path.write_text("".join(whole), encoding="utf-8")
    return {stage["stage"]: stage for stage in map(json.loads, whole)}


def _require_same_run(config: GoldRunConfig) -> None:
    path = config.out / RUN_FILE
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != _plain(config):
        raise OptionError(f"{config.out} holds a run with other options; give another --out, or remove it")
    _write(path, _plain(config))


def _write(path: Path, content: dict[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def _plain(config: GoldRunConfig) -> dict[str, Any]:
    return {
        name: str(value) if isinstance(value, Path) else value
        for name, value in asdict(config).items()
        if name not in ("out", "seeds", "report")
    }


def _note(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    run(main, GoldRunConfig)
