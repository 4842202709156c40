"""The cells of the study that train: PPO that gold watches, against one reward model, several or none; other methods.

A watched run's facts are its looks: after every few updates the KL, and prompt by prompt what the proxy and the gold
preference say. Other methods are run by their own programs, and their policies answer the held-out prompts.
"""

import importlib.util
import shutil
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from benchmarks.cells import Facts, run_program
from benchmarks.gold_samples import read_answers
from benchmarks.study_settings import Method, StudySettings
from benchmarks.study_world import StudyWorld, gold_of
from policy.judging import CommandJudge
from policy.overoptimisation import train_looks
from policy.ppo_config import PpoConfig
from rewardmodel.publishing import STATES

GOLD_COMMAND = "python -m labeling.gold.score"
_CPU = torch.device("cpu")


def watched_ppo(world: StudyWorld, name: str, reward: Path, seed: int, options: Mapping[str, Any]) -> Facts:
    """PPO of one seed against one reward model; `options` differ from the study's own."""
    settings, work = world.settings, world.folder / "work" / name
    config = PpoConfig(
        policy=world.start,
        reward=reward,
        prompts=world.prompts,
        out=world.folder / "work" / f"{name}.unpublished",
        work=work,
        seed=seed,
        save_every=settings.look_every,
        resume=True,
        device="cpu",
        **{**settings.ppo, **options},
    )
    looks = train_looks(config, CommandJudge(gold_command()), world.held_out(), _CPU)
    start = looks[0]
    shutil.rmtree(work / STATES, ignore_errors=True)
    shutil.rmtree(work / "best-by-watch", ignore_errors=True)  # nobody reads these weights
    return {
        "looks": [
            {
                "update": one.update,
                "kl": one.kl,
                "tokens": one.completion_tokens,
                "unended_share": one.metrics(start)["watch_unended_share"],
                "repeated_share": one.repeated_share,
                "gold_beyond_length": one.beyond_length(start),
                "proxy": [round(score, 5) for score in one.scores],
                "gold": [round(score, 5) for score in one.held_out_scores],
            }
            for one in looks
        ]
    }


def train_by_program(world: StudyWorld, name: str, method: Method, amount: int, num: int, seed: int) -> Facts:
    """One method's policy, by its own program, with the rankings and the reward model of one seed."""
    options = {method.amount: amount, **method.options}
    run_program(
        method.program,
        *_inputs(world, method, num, seed),
        *("--out", world.folder / "policies" / name, "--seed", seed, "--resume", "--device", "cpu"),
        *(part for option, value in options.items() for part in (f"--{option.replace('_', '-')}", value)),
    )
    return {"method": method.program, "amount": amount, "seed": seed}


def answer_with(world: StudyWorld, name: str) -> Facts:
    """The held-out answers of a method's policy: prompt by prompt the gold score, the KL and the length."""
    path = world.folder / "policies" / f"answers-{name}.jsonl"
    world.sample(world.folder / "policies" / name, "test", path, world.settings.num_answers)
    answers = read_answers(path)
    return {
        "gold": gold_of(answers),
        "kl": [list(row.kls) for row in answers],
        "tokens": [[one.num_tokens for one in row.completions] for row in answers],
        "ended": [[one.finish_reason == "stop" for one in row.completions] for row in answers],
    }


def lacks_program(program: str) -> str:
    """Why a method cannot be run; empty where it can."""
    return "" if importlib.util.find_spec(program) else f"there is no python -m {program}"


def lacks_options(options: Mapping[str, Any]) -> str:
    """Why PPO cannot be run with these options; empty where it can."""
    unknown = sorted(set(options) - {one.name for one in fields(PpoConfig)})
    return f"PPO has no option {', '.join(unknown)}" if unknown else ""


def ensemble_options(world: StudyWorld, num: int, seed: int, rule: str) -> dict[str, Any]:
    """PPO against the reward models of all seeds together, of which one's own comes first."""
    others = tuple(world.reward(num, other) for other in world.settings.seeds if other != seed)
    return {"ensemble_rewards": others, "ensemble": rule}


def gold_command() -> str:
    """The gold preference as a program, by the Python that runs this."""
    return GOLD_COMMAND.replace("python", sys.executable, 1)


def _inputs(world: StudyWorld, method: Method, num: int, seed: int) -> tuple[object, ...]:
    if method.program == "policy.dpo":
        return ("--data", world.learnt_from(num, seed), "--model", world.start)
    return ("--policy", world.start, "--reward", world.reward(num, seed), "--prompts", world.prompts)


def common_options(settings: StudySettings) -> dict[str, Any]:
    """What PPO and RLOO share in a comparison, beside their own rates."""
    names = ("rollouts_per_update", "completions_per_prompt", "minibatch_size", "microbatch_size", "warmup_updates")
    return {name: settings.ppo[name] for name in names}
