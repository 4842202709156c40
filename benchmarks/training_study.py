"""The study of trainings, cell by cell: over-optimisation as a grid, ensembles, methods compared, PPO's ablations.

`python -m benchmarks.training_study --out DIR` makes what is missing, killed wherever it was; `--cell NAME` one cell
and what it needs, in any order; `--status` says what is missing and how long it takes; `--report` writes report.md
from what is there and names the rest. After Gao et al. 2022: numbers of rankings × reward models, each followed by PPO
and best-of-n away from the start, the forms fitted on some seeds and judged by the one left out; ensembles of reward
models after Coste et al. 2023; a reward of length only as control. Sizes and options: benchmarks.study_settings.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import torch

from benchmarks.cells import Cell, Study, write_json
from benchmarks.study_report import report_text
from benchmarks.study_settings import ABLATIONS, RULES, SETTINGS, StudySettings, World
from benchmarks.study_training import (
    answer_with,
    common_options,
    ensemble_options,
    lacks_options,
    lacks_program,
    train_by_program,
    watched_ppo,
)
from benchmarks.study_world import StudyWorld
from language.commandline import run
from language.options import OptionError

SETTINGS_FILE = "settings.json"
REPORT_FILE = "report.md"


@dataclass(frozen=True)
class TrainingStudyConfig:
    """What to make of the study, and where."""

    out: Path
    """Folder of the study: its cells, models, report.md."""
    world: World = "small"
    """small: a policy of two layers, made here, minutes a cell. bundled: the 135M one, tens of minutes a cell."""
    cell: tuple[str, ...] = ()
    """Make these cells and what they need; all that are missing unless given."""
    part: str = ""
    """Make only cells whose names begin so, and what they need: reward-, ppo-, ensemble-, train-, ablation- …"""
    minutes: float = 0.0
    """Begin no cell after so many minutes; 0 is no limit."""
    status: bool = False
    """Say what is done and what is missing, and make nothing."""
    report: bool = False
    """Write the report of what is there, and make nothing."""


def main(config: TrainingStudyConfig) -> None:
    """Make cells, or say what there is of them; the report is written anew at the end."""
    settings = SETTINGS[config.world]
    folder = config.out.absolute()
    study = open_study(folder, settings)
    if config.status:
        print(study.status())
        return
    if not config.report:
        torch.set_num_threads(1)  # seconds of one core, and the same bytes whatever the machine
        make(study, config)
    text = report_text(study, settings)
    (folder / REPORT_FILE).write_text(text, encoding="utf-8")
    print(text)


def make(study: Study, config: TrainingStudyConfig) -> None:
    """The cells asked for. OptionError where one that was named cannot be made."""
    if config.cell:
        for name in config.cell:
            study.make(name)
    else:
        study.make_all(minutes=config.minutes, beginning=config.part)


def open_study(folder: Path, settings: StudySettings) -> Study:
    """The study of a folder. OptionError where it was begun with other settings."""
    folder.mkdir(parents=True, exist_ok=True)
    path, plain = folder / SETTINGS_FILE, json.loads(json.dumps(asdict(settings)))
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != plain:
        raise OptionError(f"{folder} holds a study of other settings; give another --out")
    write_json(path, plain)
    return Study(folder, list(cells_of(StudyWorld(folder, settings))))


def cells_of(world: StudyWorld) -> Iterator[Cell]:
    """Every cell, those first that most others need; among trainings one seed of everything before the next."""
    settings = world.settings
    minutes = settings.minutes
    yield Cell("start", world.make_start, minutes=minutes["start"])
    yield Cell("rankings", world.make_rankings, ("start",), minutes["samples"])
    yield Cell("best-of-n", world.make_best_of_n_samples, ("start",), minutes["samples"])
    for seed in settings.seeds:
        for num in settings.rankings:
            reward = f"reward-{num}-{seed}"
            yield Cell(reward, partial(world.make_reward, num, seed), ("rankings",), minutes["reward"])
            make_scores = partial(world.make_best_of_n_scores, num, seed)
            yield Cell(f"best-of-n-{num}-{seed}", make_scores, ("best-of-n", reward), minutes["best-of-n"])
        yield from _trainings(world, seed)
    for seed in settings.seeds:
        yield from _ensembles(world, seed)
    for seed in settings.seeds:
        yield from _methods(world, seed)


def _trainings(world: StudyWorld, seed: int) -> Iterator[Cell]:
    """One seed's PPO against every number of rankings, its control of length only, and its ablations."""
    settings = world.settings
    for num in settings.rankings:
        name, needs = f"ppo-{num}-{seed}", (f"reward-{num}-{seed}",)
        make = partial(watched_ppo, world, name, world.reward(num, seed), seed, {})
        yield Cell(name, make, needs, settings.minutes["ppo"])
    name, largest = f"length-only-{seed}", settings.rankings[-1]
    options = {"length_only_tokens": settings.control_tokens}
    make = partial(watched_ppo, world, name, world.reward(largest, seed), seed, options)
    yield Cell(name, make, (f"reward-{largest}-{seed}",), settings.minutes["ppo"])
    for ablation, changed in ABLATIONS.items():
        if changed:  # as it is it is the grid's own
            name = f"ablation-{ablation}-{seed}"
            make = partial(watched_ppo, world, name, world.reward(settings.middle, seed), seed, changed)
            minutes = settings.minutes["ppo"] * (2 if "epochs" in changed else 1)
            yield Cell(name, make, (f"reward-{settings.middle}-{seed}",), minutes, lacks_options(changed))


def _ensembles(world: StudyWorld, seed: int) -> Iterator[Cell]:
    """PPO against all reward models of the smallest number of rankings, by every rule of joining them."""
    num = world.settings.rankings[0]
    needs = tuple(f"reward-{num}-{one}" for one in world.settings.seeds)
    for rule in RULES:
        name, options = f"ensemble-{rule}-{seed}", ensemble_options(world, num, seed, rule)
        make = partial(watched_ppo, world, name, world.reward(num, seed), seed, options)
        yield Cell(name, make, needs, 1.5 * world.settings.minutes["ppo"], lacks_options(options))


def _methods(world: StudyWorld, seed: int) -> Iterator[Cell]:
    """Every method in every amount on the most rankings, and its policy's answers."""
    settings = world.settings
    num = settings.rankings[-1]
    for key, method in settings.methods.items():
        shared = common_options(settings) if method.program in ("policy.ppo", "policy.rloo") else {}
        whole = replace(method, options={**shared, **method.options})
        for amount in method.amounts:
            name = f"{key}-{amount}-{seed}"
            make = partial(train_by_program, world, name, whole, amount, num, seed)
            lacks = lacks_program(method.program)
            yield Cell(f"train-{name}", make, (f"reward-{num}-{seed}",), settings.minutes["train"], lacks)
            answer = partial(answer_with, world, name)
            yield Cell(f"answers-{name}", answer, (f"train-{name}",), settings.minutes["answers"], lacks)


if __name__ == "__main__":
    run(main, TrainingStudyConfig)
