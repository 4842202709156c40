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
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro

from benchmarks.beside_trl import BenchmarkError, run_side, trl_environment
from benchmarks.human_rankings import SOURCES, Halves, halve
from benchmarks.platform import CHECKOUT
from benchmarks.rewardmodel import PAIRS_PER_STEP, TRL_VERSION
from language.bundled import ensure_bundled_policy
from language.checkpoints import load_tokenizer
from records.store import model_store
from rewardmodel.commandline import autocast
from rewardmodel.comparisons import pairs_of, tokenize_rankings
from rewardmodel.evaluation import evaluate_scores
from rewardmodel.model import FACTS_FILE, context_of, load_reward_model, publish_reward_model, start_reward_model
from rewardmodel.scoring import score_comparisons
from rewardmodel.statistics import Estimate, correctness, estimate_mean

OURS, TRL_TIME, TRL_PASS = "ours", "trl-equal-time", "trl-equal-data"
SHOWN = {OURS: "ours, one pass", TRL_TIME: "trl, as many CPU seconds", TRL_PASS: "trl, one pass"}
TOKENS_AT_ONCE = 4096  # when judging


@dataclass(frozen=True)
class Config:
    """Sizes were chosen for an hour of one core and before any result was seen; nothing is tuned."""

    data: Annotated[Path, tyro.conf.Positional]
    """Folder with oasst_trees.jsonl.gz and hh_harmless.jsonl.gz."""
    out: Path = CHECKOUT / "var" / "bench" / "human-preference"
    """Where arms.jsonl and, while an arm runs, its weights are kept."""
    minutes: float = 60.0
    """Minutes by the clock, shared by the data sets; a pass of trl's is ended where it stands when they are up."""
    train_oasst: int = 64
    """Comparisons of Open-Assistant to learn from, at most; about 3.4 pairs each."""
    train_hh: int = 160
    """Comparisons of HH to learn from, at most; one pair each."""
    held_out: int = 240
    """Comparisons to be judged by, at most, of each data set."""
    held_out_fraction: float = 0.5
    """Share of dialogues held out."""
    max_tokens: int = 512
    """Longest prompt and completion; longer ones are left out on both sides."""
    lr: float = 3e-5
    """Constant rate of both sides."""
    seed: int = 0
    """Seed of what is drawn, of the order and of the bootstrap."""


@dataclass(frozen=True)
class Study:
    """One data set on its way: what is learnt from, what judges, and where the files are."""

    name: str
    halves: Halves
    start: Path
    folder: Path
    plan: str
    config: Config

    def job(self, **more: Any) -> Path:
        """A file that tells a side what to do."""
        tokenizer = load_tokenizer(self.start)
        comparisons = tokenize_rankings(self.halves.train, tokenizer, max_tokens=self.config.max_tokens).comparisons
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
    policy = ensure_bundled_policy(model_store())[0]
    config.out.mkdir(parents=True, exist_ok=True)
    start = config.out / f"start-{config.seed}"
    if not start.exists():
        untrained = start_reward_model(policy, seed=config.seed)
        publish_reward_model(start, model=untrained, tokenizer=load_tokenizer(policy), facts={})
    arms = config.out / "arms.jsonl"
    for index, name in enumerate(SOURCES):
        study = plan_study(name, start, config)
        print(f"{name}: learns from {len(study.halves.train)}; left out: {study.halves.left_out}", file=sys.stderr)
        share = time.monotonic() + (until - time.monotonic()) / (len(SOURCES) - index)
        for arm in run_missing(study, python, done_arms(arms, study.plan), share):
            with arms.open("a", encoding="utf-8") as file:
                file.write(json.dumps(arm) + "\n")
        shutil.rmtree(study.folder, ignore_errors=True)
        print(table(list(done_arms(arms, study.plan).values())), flush=True)


def plan_study(name: str, start: Path, config: Config) -> Study:
    """Read and split one data set. The plan's hash says which arms of earlier runs are of this very study."""
    rankings, refused = SOURCES[name](config.data)
    halves = halve(
        rankings,
        load_tokenizer(start),
        max_tokens=config.max_tokens,
        held_out_fraction=config.held_out_fraction,
        most_train=config.train_oasst if name == "open-assistant" else config.train_hh,
        most_held_out=config.held_out,
        seed=config.seed,
    )
    ids = [[ranking.id for ranking in side] for side in (halves.train, halves.held_out)]
    plan = hashlib.sha256(json.dumps([name, ids, config.max_tokens, config.lr, config.seed]).encode()).hexdigest()[:16]
    folder = config.out / f"{name}-{plan}"
    folder.mkdir(exist_ok=True)
    return Study(
        name, Halves(halves.train, halves.held_out, {**refused, **halves.left_out}), start, folder, plan, config
    )


def run_missing(study: Study, python: Path, done: dict[str, Any], until: float) -> Iterator[dict[str, Any]]:
    """Train and judge the arms that are not done, one after the other, as long as there is time."""
    at_end, at_time, at_pass = (study.folder / arm for arm in SHOWN)
    if OURS not in done:
        side = _kept(at_end) or run_side(
            [sys.executable, "-m", "benchmarks.human_preference_ours", str(study.job(at_end=str(at_end)))],
            seconds=_left(until),
        )
        _keep(at_end, side)
        done[OURS] = judged(study, OURS, at_end, side)
        yield done[OURS]
    if TRL_PASS in done:
        return
    if _kept(at_pass) is None:
        budget = done[OURS]["side"]["cpu_seconds"]
        job = study.job(at_time=str(at_time), at_end=str(at_pass), cpu_seconds=budget, most_seconds=_left(until))
        run_side([str(python), "-m", "benchmarks.human_preference_trl", str(job)], seconds=_left(until) + 600)
    for arm, folder in ((TRL_TIME, at_time), (TRL_PASS, at_pass)):
        said = _kept(folder)
        if arm not in done and said is not None:
            yield judged(study, arm, folder, said)


def judged(study: Study, arm: str, directory: Path, side: dict[str, Any]) -> dict[str, Any]:
    """The line of one arm: what it took, every figure on the held-out prompts, and the scores themselves."""
    if not (directory / FACTS_FILE).exists():
        (directory / FACTS_FILE).write_text("{}", encoding="utf-8")  # trl's classifier is a reward model but for this
    model = load_reward_model(directory)
    rankings = study.halves.held_out
    tokenized = tokenize_rankings(rankings, load_tokenizer(study.start), max_tokens=context_of(model.backbone))
    with autocast(model.device, "bf16"):
        scored = list(score_comparisons(model, tokenized.comparisons, token_budget=TOKENS_AT_ONCE))
    return {
        "plan": study.plan,
        "data": study.name,
        "arm": arm,
        "ended_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": {name: str(value) for name, value in asdict(study.config).items()},
        "num_train": len(study.halves.train),
        "left_out": study.halves.left_out,
        "side": side,
        "evaluation": asdict(evaluate_scores(scored, rankings=rankings, seed=study.config.seed)),
        "gaps": _gaps(scored),
    }


def done_arms(path: Path, plan: str) -> dict[str, Any]:
    """The finished arms of one plan, by name."""
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {line["arm"]: line for line in lines if line["plan"] == plan}


def table(arms: Sequence[dict[str, Any]]) -> str:
    """What a reader wants to see of one data set, as Markdown."""
    if not arms:
        return "no arm is done"
    first = arms[0]["evaluation"]
    ceiling = first["trainers_agreement"]
    rows = [
        f"| {arms[0]['data']}, {first['accuracy']['num_prompts']} held-out prompts, "
        f"{first['accuracy']['num_pairs']} pairs | accuracy | CPU s | pairs seen | log loss |",
        "|---|---|---|---|---|",
        *(_row(arm) for arm in arms),
        f"| the longer one wins | {_show(first['longer_baseline'])} | | | |",
        f"| a coin | {first['random_baseline']:.3f} | | | |",
        f"| trainers with one another | {_show(ceiling) if ceiling else 'not known: one ranking each'} | | | |",
    ]
    for arm in arms:
        rows.append(f"| {SHOWN[arm['arm']]}, less length | {_show(arm['evaluation']['over_longer'])} | | | |")
        if arm["arm"] != OURS and arms[0]["arm"] == OURS:
            rows.append(f"| ours less {SHOWN[arm['arm']]} | {_show(asdict(lead(arms[0], arm)))} | | | |")
    return "\n".join(rows)


def lead(one: dict[str, Any], other: dict[str, Any]) -> Estimate:
    """How much more often the one arm is right than the other on the very same pairs, prompts resampled."""
    assert [row[:2] for row in one["gaps"]] == [row[:2] for row in other["gaps"]]
    prompts: dict[str, int] = {}
    owner = torch.tensor([prompts.setdefault(row[0], len(prompts)) for row in one["gaps"]])
    right = [correctness(torch.tensor([row[2] for row in arm["gaps"]], dtype=torch.float64)) for arm in (one, other)]
    return estimate_mean(right[0] - right[1], owner, seed=0)


def _row(arm: dict[str, Any]) -> str:
    found, side = arm["evaluation"], arm["side"]
    seen = f"{side['pairs_seen']} | {found['log_loss']:.3f}"
    return f"| {SHOWN[arm['arm']]} | {_show(found['accuracy'])} | {side['cpu_seconds']:.0f} | {seen} |"


def _show(estimate: dict[str, Any]) -> str:
    if estimate["low"] is None:
        return f"{estimate['value']:.3f}"
    return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"


def _gaps(scored: Sequence[tuple[Any, Sequence[float]]]) -> list[list[Any]]:
    """Of every held-out pair: a name of its prompt, which pair it is, and chosen − rejected. In a fixed order."""
    rows = []
    for comparison, scores in scored:
        prompt = hashlib.sha256(repr(comparison.prompt_ids).encode()).hexdigest()[:12]
        for chosen, rejected in pairs_of([comparison]).pairs.tolist():
            rows.append([prompt, f"{comparison.id}/{chosen}/{rejected}", scores[chosen] - scores[rejected]])
    return sorted(rows, key=lambda row: row[1])


def _kept(folder: Path) -> dict[str, Any] | None:
    """What an earlier run's side said when it had written all of `folder`."""
    path = Path(f"{folder}.json")
    if not (path.exists() and folder.is_dir()):
        return None
    said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return said


def _keep(folder: Path, side: dict[str, Any]) -> None:
    Path(f"{folder}.json").write_text(json.dumps(side), encoding="utf-8")


def _left(until: float) -> float:
    """Seconds until the clock is up. BenchmarkError where it is."""
    left = until - time.monotonic()
    if left <= 0:
        raise BenchmarkError("the time is up; begin again with the same options to go on with what is missing")
    return left


if __name__ == "__main__":
    try:
        main(tyro.cli(Config, prog="python -m benchmarks.human_preference", description=__doc__))
    except BenchmarkError as error:
        sys.exit(f"error: {error}")
