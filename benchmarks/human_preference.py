"""Do our reward model and trl's learn what people prefer? Real rankings, one split by prompt, one budget, on a CPU.

For each data set three models from the same start: ours after one pass over the training comparisons; trl's
RewardTrainer on their pairs after as many CPU seconds, and after one pass. Same weights, head, AdamW at one
constant rate, bf16 autocast, one thread. All are judged by the same code on the same held-out prompts.
Each finished arm is a line of arms.jsonl in --out: begun again, only what is missing runs.
"""

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro

from benchmarks.beside_trl import BenchmarkError, run_side, trl_environment
from benchmarks.human_preference_results import OURS, SHOWN, TRL_PASS, TRL_TIME, Judged, pool, table
from benchmarks.human_rankings import SOURCES, Halves, halve
from benchmarks.platform import CHECKOUT
from benchmarks.rewardmodel import PAIRS_PER_STEP, TRL_VERSION
from language.bundled import ensure_bundled_policy
from language.checkpoints import load_tokenizer
from language.commandline import autocast
from records.store import model_store
from rewardmodel.comparisons import TokenizedRankings, pairs_of, tokenize_rankings
from rewardmodel.model import FACTS_FILE, load_reward_model, publish_reward_model, start_reward_model
from rewardmodel.scoring import score_comparisons

# Of a small data set each half is held out once; of a large one a half is more than an hour can judge.
HALVES = {"open-assistant": 2, "hh-harmless": 1}
TOKENS_AT_ONCE = 4096  # when judging
PAIRS_AT_ONCE = 2  # of trl's step: a third of the memory and less padding, which is to its good
ENDING_SECONDS = 900  # that trl's side may take beyond its share of the time, for a last step and to save


@dataclass(frozen=True)
class Config:
    """Sizes were chosen for an hour of one core and before any result was seen; nothing is tuned."""

    data: Annotated[Path, tyro.conf.Positional]
    """Folder with oasst_trees.jsonl.gz and hh_harmless.jsonl.gz."""
    out: Path = CHECKOUT / "var" / "bench" / "human-preference"
    """Where arms.jsonl, results.json and, while an arm runs, its weights are kept."""
    minutes: float = 60.0
    """Minutes by the clock, shared by the studies; a pass of trl's is ended where it stands when they are up."""
    most_train: int = 100
    """Comparisons to learn from, at most, in each study."""
    most_held_out: int = 160
    """Comparisons to be judged by, at most, in each study."""
    held_out_fraction: float = 0.5
    """Share of dialogues held out."""
    max_tokens: int = 512
    """Longest prompt and completion; longer ones are left out on both sides."""
    lr: float = 3e-5
    """Constant rate of both sides."""
    seed: int = 0
    """Seed of the head, of what is drawn, of the order and of the bootstrap."""


@dataclass(frozen=True)
class Study:
    """One split of one data set on its way: what is learnt from, what judges, and where the files are."""

    data: str
    number: int
    halves: Halves
    start: Path
    folder: Path
    plan: str
    config: Config

    def tokenized(self, side: str) -> TokenizedRankings:
        """The comparisons of a side, "train" or "held_out", as tokens."""
        rankings = getattr(self.halves, side)
        return tokenize_rankings(rankings, load_tokenizer(self.start), max_tokens=self.config.max_tokens)

    def job(self, **more: Any) -> Path:
        """A file that tells a side what to do."""
        comparisons = self.tokenized("train").comparisons
        asked = {
            "model": str(self.start),
            "comparisons": [[one.prompt_ids, one.completion_ids, one.tiers[0]] for one in comparisons],
            "pairs_per_step": PAIRS_PER_STEP,
            "num_pairs": len(pairs_of(comparisons).pairs),
            "lr": self.config.lr,
            "seed": self.config.seed,
            **more,
        }
        path = self.folder / "job.json"
        path.write_text(json.dumps(asked), encoding="utf-8")
        return path


def main(config: Config) -> None:
    until = time.monotonic() + 60 * config.minutes
    torch.set_num_threads(1)
    python = trl_environment(CHECKOUT / "var" / "bench" / "trl", version=TRL_VERSION, needs="import trl")
    config.out.mkdir(parents=True, exist_ok=True)
    start = untrained_model(config)
    studies = [plan_study(name, number, start, config) for name in SOURCES for number in range(HALVES[name])]
    arms = config.out / "arms.jsonl"
    problems = []
    for place, study in enumerate(studies):
        share = time.monotonic() + (until - time.monotonic()) / (len(studies) - place)
        try:
            for arm in run_missing(study, python, done_arms(arms, study.plan), share):
                with arms.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(arm) + "\n")
            shutil.rmtree(study.folder, ignore_errors=True)
        except BenchmarkError as error:  # of this study; the next may have time
            problems.append(f"{study.data}, half {study.number}: {error}")
    report(config, studies)
    if problems:
        raise BenchmarkError("; ".join(problems))


def report(config: Config, studies: list[Study]) -> None:
    """Print the table of each data set, and write every figure to results.json."""
    results = {}
    for name in SOURCES:
        judged = [
            Judged(arm["arm"], study.number, arm["side"], study.tokenized("held_out").comparisons, arm["scores"])
            for study in studies
            if study.data == name
            for arm in done_arms(config.out / "arms.jsonl", study.plan).values()
        ]
        results[name] = pool(judged, seed=config.seed)
        print(table(name, results[name]), flush=True)
    (config.out / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")


def untrained_model(config: Config) -> Path:
    """What both sides start from: the bundled policy's trunk and a head drawn at random."""
    start = config.out / f"start-{config.seed}"
    if not start.exists():
        policy = ensure_bundled_policy(model_store())[0]
        untrained = start_reward_model(policy, seed=config.seed)
        publish_reward_model(start, model=untrained, tokenizer=load_tokenizer(policy), facts={})
    return start


def plan_study(name: str, number: int, start: Path, config: Config) -> Study:
    """Read and split one data set. The plan's hash says which arms of earlier runs are of this very study."""
    rankings, refused = SOURCES[name](config.data)
    halves = halve(
        rankings,
        load_tokenizer(start),
        swaps=number == 1,
        max_tokens=config.max_tokens,
        held_out_fraction=config.held_out_fraction,
        most_train=config.most_train,
        most_held_out=config.most_held_out,
        seed=config.seed,
    )
    left_out = {**refused, **halves.left_out}
    sizes = f"learns from {len(halves.train)} comparisons, judged by {len(halves.held_out)}; left out: {left_out}"
    print(f"{name}, half {number}: {sizes}", file=sys.stderr, flush=True)
    ids = [[ranking.id for ranking in side] for side in (halves.train, halves.held_out)]
    plan = hashlib.sha256(json.dumps([name, ids, config.max_tokens, config.lr, config.seed]).encode()).hexdigest()[:16]
    folder = config.out / f"{name}-{plan}"
    folder.mkdir(exist_ok=True)
    return Study(name, number, Halves(halves.train, halves.held_out, left_out), start, folder, plan, config)


def run_missing(study: Study, python: Path, done: dict[str, Any], until: float) -> Iterator[dict[str, Any]]:
    """Train and judge the arms that are not done, one after the other, as long as there is time."""
    at_end, at_time, at_pass = (study.folder / arm for arm in SHOWN)
    if OURS not in done:
        side = _kept(at_end) or run_side(
            [sys.executable, "-m", "benchmarks.human_preference_ours", str(study.job(at_end=str(at_end)))],
            seconds=_left(until),
        )
        Path(f"{at_end}.json").write_text(json.dumps(side), encoding="utf-8")
        done[OURS] = judge(study, OURS, at_end, side)
        yield done[OURS]
    if TRL_PASS in done:
        return
    if _kept(at_pass) is None:
        budget = done[OURS]["side"]["cpu_seconds"]
        stops = {"cpu_seconds": budget, "most_seconds": _left(until), "at_time": str(at_time), "at_end": str(at_pass)}
        job = study.job(pairs_at_once=PAIRS_AT_ONCE, **stops)
        command = [str(python), "-m", "benchmarks.human_preference_trl", str(job)]
        run_side(command, seconds=_left(until) + ENDING_SECONDS)
    for arm, folder in ((TRL_TIME, at_time), (TRL_PASS, at_pass)):
        said = _kept(folder)
        if arm not in done and said is not None:
            yield judge(study, arm, folder, said)


def judge(study: Study, arm: str, directory: Path, side: dict[str, Any]) -> dict[str, Any]:
    """The line of one arm: what it took, and its scores of the held-out completions."""
    if not (directory / FACTS_FILE).exists():
        (directory / FACTS_FILE).write_text("{}", encoding="utf-8")  # trl's classifier is a reward model but for this
    model = load_reward_model(directory)
    with autocast(model.device, "bf16"):
        scored = list(score_comparisons(model, study.tokenized("held_out").comparisons, token_budget=TOKENS_AT_ONCE))
    return {
        "plan": study.plan,
        "data": study.data,
        "half": study.number,
        "arm": arm,
        "ended_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": {name: str(value) for name, value in asdict(study.config).items()},
        "num_train": len(study.halves.train),
        "left_out": study.halves.left_out,
        "side": side,
        "scores": {comparison.id: scores for comparison, scores in scored},
    }


def done_arms(path: Path, plan: str) -> dict[str, Any]:
    """The finished arms of one plan, by name."""
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {line["arm"]: line for line in lines if line["plan"] == plan}


def _kept(folder: Path) -> dict[str, Any] | None:
    """What an earlier run's side said when it had written all of `folder`."""
    path = Path(f"{folder}.json")
    if not (path.exists() and folder.is_dir()):
        return None
    said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return said


def _left(until: float) -> float:
    """Seconds until the clock is up. BenchmarkError where it is."""
    left = until - time.monotonic()
    if left <= 0:
        raise BenchmarkError("the time is up; begin again with the same sizes to go on with what is missing")
    return left


if __name__ == "__main__":
    try:
        main(tyro.cli(Config, prog="python -m benchmarks.human_preference", description=__doc__))
    except BenchmarkError as error:
        sys.exit(f"error: {error}")
