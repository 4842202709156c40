"""Does a model of who ranks how well foretell people's votes better than a model that takes all voters for alike?

Votes of several people on pairs of answers (llmfao.jsonl.gz), three outcomes each: first, tie, second. Models, of which
each has all of the one before: frequencies of the two; Davidson's of the pooled votes, a strength an answer; a leniency
with ties of each voter's own; an ability of each voter's own (judging.abilities). They are fitted to four fifths of the
votes and judged by the log loss of the last fifth, so that every vote is held out once. Each finished part is a line of
parts.jsonl in --out: begun again, only what is missing runs.
"""

import gzip
import hashlib
import json
import math
import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from benchmarks.platform import CHECKOUT
from judging import WeakOrder, fit_abilities
from labeling.statistics.intervals import quantile

FOLDS = 5
ROUNDS = 1000
SPLITS = ("votes", "pairs")
"""What is held out: single votes, others of whose pair are learnt from; or whole pairs with all of their votes."""
MODELS = {
    "pooled": {"alike": True, "lenient_alike": True},
    "leniency": {"alike": True, "lenient_alike": False},
    "ability": {"alike": False, "lenient_alike": False},
}
FREQUENCIES = "frequencies"


@dataclass(frozen=True)
class Config:
    """Nothing is tuned: priors are those of judging.abilities, set before these votes were looked at."""

    data: Path = Path(os.environ.get("PARLEY_TEST_DATA", CHECKOUT.parent / "shared" / "data"))
    """Folder with llmfao.jsonl.gz."""
    out: Path = CHECKOUT / "var" / "bench" / "trainer-model"
    """Where parts.jsonl and results.json are kept."""
    seed: int = 0
    """Seed of the folds and of the bootstrap."""


@dataclass(frozen=True)
class Vote:
    """One person's vote on one pair: 0 the first is better, 1 a tie, 2 the second."""

    id: str
    pair: str
    prompt: str
    person: str
    first: str
    second: str
    outcome: int

    @property
    def order(self) -> WeakOrder:
        places = ((0, 1), (0, 0), (1, 0))[self.outcome]
        names = dict(zip((self.first, self.second), places, strict=True))
        return WeakOrder(trainer=self.person, prompt=self.prompt, comparison=self.pair, places=names)


def main(config: Config) -> None:
    votes = list(read_votes(config.data / "llmfao.jsonl.gz"))
    config.out.mkdir(parents=True, exist_ok=True)
    parts = config.out / "parts.jsonl"
    done = {tuple(part["part"]) for part in _lines(parts)}
    for split in SPLITS:
        for fold in range(FOLDS):
            for model in MODELS:
                if (split, fold, model, config.seed) not in done:
                    part = judge(votes, split, fold, model, config.seed)
                    with parts.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(part) + "\n")
                    print(json.dumps({**part, "losses": None}), flush=True)
    results = report(votes, [part for part in _lines(parts) if part["part"][3] == config.seed], config.seed)
    (config.out / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    print(json.dumps(results, indent=1))


def read_votes(path: Path) -> Iterator[Vote]:
    """Every vote on two answers that differ."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            if row["x"] != row["y"]:
                for number, vote in enumerate(row["votes"]):
                    outcome = ("x", "tie", "y").index(vote["winner"])
                    pair = str(row["id"])
                    yield Vote(f"{pair}/{number}", pair, row["prompt"], vote["worker"], row["x"], row["y"], outcome)


def judge(votes: Sequence[Vote], split: str, fold: int, model: str, seed: int) -> dict[str, Any]:
    """Fit to all folds but one, and the log losses of that one by vote: of three outcomes, and of the order alone."""
    started = time.process_time()
    held_out = [vote for vote in votes if fold_of(vote, split, seed) == fold]
    learnt = [vote for vote in votes if fold_of(vote, split, seed) != fold]
    fitted = fit_abilities([vote.order for vote in learnt], **MODELS[model])
    share = Counter(vote.outcome for vote in learnt)[1] / len(learnt)
    losses = {}
    for vote in held_out:
        base = ((1 - share) / 2, share, (1 - share) / 2)
        try:
            chances = fitted.probabilities(vote.prompt, vote.first, vote.second, vote.person)
        except KeyError:  # an answer of which no vote is left: nothing is known of it
            chances = base
        ordered = None if vote.outcome == 1 else -math.log(chances[vote.outcome] / (chances[0] + chances[2]))
        losses[vote.id] = (-math.log(chances[vote.outcome]), ordered, -math.log(base[vote.outcome]))
    return {
        "part": [split, fold, model, seed],
        "cpu_seconds": round(time.process_time() - started, 1),
        "losses": losses,
    }


def fold_of(vote: Vote, split: str, seed: int) -> int:
    """Drawn from what is held out whole, and from nothing else."""
    held = vote.id if split == "votes" else vote.pair
    return int(hashlib.sha256(f"{seed}/{split}/{held}".encode()).hexdigest(), 16) % FOLDS


def report(votes: Sequence[Vote], parts: Sequence[dict[str, Any]], seed: int) -> dict[str, Any]:
    """Mean losses of each model and what each gains over the pooled one, with intervals."""
    results: dict[str, Any] = {}
    for split in SPLITS:
        losses: defaultdict[str, dict[str, list[Any]]] = defaultdict(dict)
        for part in parts:
            if part["part"][0] == split:
                losses[part["part"][2]] |= part["losses"]
        whole = {name: {key: row[0] for key, row in found.items()} for name, found in losses.items()}
        orders = {name: {key: row[1] for key, row in found.items()} for name, found in losses.items()}
        whole[FREQUENCIES] = {key: row[2] for key, row in losses["pooled"].items()}
        orders[FREQUENCIES] = {key: None if row[1] is None else math.log(2) for key, row in losses["pooled"].items()}
        results[split] = {
            "three outcomes": _table(votes, whole, seed),
            "the order where one is given": _table(votes, orders, seed),
        }
    return results


def _table(votes: Sequence[Vote], losses: Mapping[str, Mapping[str, float | None]], seed: int) -> dict[str, Any]:
    """Of each model its mean loss, and the mean of what the pooled model loses more, with its interval."""
    rows = {}
    for name, found in losses.items():
        kept = [
            (vote, loss, pooled)
            for vote in votes
            if (loss := found[vote.id]) is not None and (pooled := losses["pooled"][vote.id]) is not None
        ]
        gains = [(vote, pooled - loss) for vote, loss, pooled in kept]
        low, high = interval(gains, seed)
        rows[name] = {
            "loss": sum(loss for _, loss, _ in kept) / len(kept),
            "gain over pooled": sum(gain for _, gain in gains) / len(gains),
            "low": low,
            "high": high,
            "num_votes": len(kept),
        }
    return rows


def interval(values: Sequence[tuple[Vote, float]], seed: int) -> tuple[float, float]:
    """95 % of the mean's draws where prompts and people are both drawn anew (Owen 2007, the pigeonhole bootstrap)."""
    prompts = sorted({vote.prompt for vote, _ in values})
    people = sorted({vote.person for vote, _ in values})
    cells: defaultdict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for vote, value in values:
        cell = cells[vote.prompt, vote.person]
        cell[0] += value
        cell[1] += 1
    drawn = random.Random(seed)
    means = []
    for _ in range(ROUNDS):
        times_prompt = Counter(drawn.choices(prompts, k=len(prompts)))
        times_person = Counter(drawn.choices(people, k=len(people)))
        total = count = 0.0
        for (prompt, person), (sum_of, num) in cells.items():
            times = times_prompt[prompt] * times_person[person]
            total += times * sum_of
            count += times * num
        if count:
            means.append(total / count)
    means.sort()
    return quantile(means, 0.025), quantile(means, 0.975)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


if __name__ == "__main__":
    main(tyro.cli(Config, prog="python -m benchmarks.trainer_model", description=__doc__))
