"""The gold run's result: two policies' answers to the same held-out prompts, compared prompt by prompt.

Every interval is a 95 % bootstrap over prompts. What length alone would have brought is shown beside: the start's
own answers of the same length, weighted as the trained policy's lengths are (Singhal et al. 2023, method reference
§6.1).
"""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import fsum
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.gold_samples import read_answers
from benchmarks.two_level import SeedsEstimate, estimate_over_seeds
from labeling.statistics.intervals import bootstrap

TOKENS_OF_A_BUCKET = 8

# What the table shows, in its order, and what it is.
MEASURES = {
    "gold": "gold score, 0 to 1",
    "score": "reward model's score",
    "tokens": "tokens of an answer, end token included",
    "characters": "characters of an answer",
    "ended": "share that ended by itself",
}


@dataclass(frozen=True)
class Answered:
    """One answer in numbers. `kl` is nats to the start; of the start itself it is 0."""

    gold: float
    score: float
    tokens: float
    characters: float
    ended: float
    kl: float


Pair = tuple[list[Answered], list[Answered]]  # one prompt's answers, of the start and of the trained policy


def compare_answers(out: Path, *, seed: int) -> dict[str, Any]:
    """Before, after and the paired difference of every measure; the KL; and the gold gain at equal length."""
    pairs = read_pairs(out)

    def estimate(statistic: Callable[[Sequence[Pair]], float | None]) -> dict[str, Any]:
        return asdict(bootstrap(pairs, statistic, seed=seed))

    return {
        "prompts": len(pairs),
        "answers_each": len(pairs[0][0]),
        "measures": {
            name: {
                "before": estimate(lambda drawn, name=name: _mean(drawn, 0, name)),  # type: ignore[misc]
                "after": estimate(lambda drawn, name=name: _mean(drawn, 1, name)),  # type: ignore[misc]
                "difference": estimate(lambda drawn, name=name: _mean(drawn, 1, name) - _mean(drawn, 0, name)),  # type: ignore[misc]
            }
            for name in MEASURES
        },
        "kl": estimate(lambda drawn: _mean(drawn, 1, "kl")),
        "gold_by_length_alone": estimate(lambda drawn: gold_by_length(drawn) - _mean(drawn, 0, "gold")),
        "gold_at_equal_length": estimate(lambda drawn: _mean(drawn, 1, "gold") - gold_by_length(drawn)),
        "better_worse": [
            sum(mean(a.gold for a in after) > mean(b.gold for b in before) for before, after in pairs),
            sum(mean(a.gold for a in after) < mean(b.gold for b in before) for before, after in pairs),
        ],
    }


def compare_seeds(folders: Sequence[Path]) -> dict[str, Any]:
    """The figures of several seeds' runs, each with prompts of its own: means over seeds, intervals over both."""
    runs = [read_pairs(folder) for folder in folders]

    def estimate(statistic: Callable[[Sequence[Pair]], float | None]) -> dict[str, Any]:
        return estimate_over_seeds(runs, statistic, same_prompts=False).plain()

    return {
        "prompts_each": [len(run) for run in runs],
        "measures": {
            name: {
                "before": estimate(lambda drawn, name=name: _mean(drawn, 0, name)),  # type: ignore[misc]
                "after": estimate(lambda drawn, name=name: _mean(drawn, 1, name)),  # type: ignore[misc]
                "difference": estimate(lambda drawn, name=name: _mean(drawn, 1, name) - _mean(drawn, 0, name)),  # type: ignore[misc]
            }
            for name in MEASURES
        },
        "kl": estimate(lambda drawn: _mean(drawn, 1, "kl")),
        "gold_by_length_alone": estimate(lambda drawn: gold_by_length(drawn) - _mean(drawn, 0, "gold")),
        "gold_at_equal_length": estimate(lambda drawn: _mean(drawn, 1, "gold") - gold_by_length(drawn)),
    }


def seeds_text(result: dict[str, Any]) -> str:
    """The figures of several seeds as lines for a terminal; a seed that is not whole is named."""
    missing = ", ".join(map(str, result["missing"])) or "none"
    lines = [f"seeds {', '.join(map(str, result['seeds'])) or 'none'}; missing: {missing}"]
    if not result["seeds"]:
        return lines[0]
    shown = {f"{means}: difference": result["measures"][name]["difference"] for name, means in MEASURES.items()}
    shown["KL to the start, nats an answer"] = result["kl"]
    shown["gold, by length and ending alone"] = result["gold_by_length_alone"]
    shown["gold, at equal length and ending"] = result["gold_at_equal_length"]
    for words, found in shown.items():
        by_seed = ", ".join(f"{value:+.3f}" for value in found["by_seed"])
        lines.append(f"{words:52} {SeedsEstimate(**found).text():32} by seed {by_seed}")
    return "\n".join(lines)


def read_pairs(out: Path) -> list[Pair]:
    """A run's answers, prompt by prompt: the start's, and the trained policy's."""
    start, trained = (_read(out, name) for name in ("start", "trained"))
    assert start.keys() == trained.keys(), "both policies answered the same prompts"
    return [(start[prompt], trained[prompt]) for prompt in start]


def gold_by_length(pairs: Sequence[Pair]) -> float:
    """The mean gold score that the start's answers would have if they were as long as the trained policy's.

    Buckets of eight tokens, and of whether the answer ended; those that the start never fills keep its mean.
    """
    own: dict[tuple[int, float], list[float]] = defaultdict(list)
    for before, _ in pairs:
        for answer in before:
            own[_bucket(answer)].append(answer.gold)
    overall = _mean(pairs, 0, "gold")
    expected = [
        mean(own[_bucket(answer)]) if _bucket(answer) in own else overall for _, after in pairs for answer in after
    ]
    return mean(expected)


def comparison_text(result: dict[str, Any]) -> str:
    """The result as lines for a terminal."""
    lines = [f"{result['prompts']} held-out prompts, {result['answers_each']} answers of each policy to each"]
    lines.append(f"{'':42} {'before':>9} {'after':>9}   difference (95 %)")
    for name, means in MEASURES.items():
        found = result["measures"][name]
        before, after = found["before"]["value"], found["after"]["value"]
        lines.append(f"{means:42} {before:>9.3f} {after:>9.3f}   {_interval(found['difference'])}")
    kl = result["kl"]
    lines.append(f"{'KL to the start, nats an answer':42} {0:>9} {kl['value']:>9.3f}   {_interval(kl)}")
    lines.append(f"{'gold, by length and ending alone':63} {_interval(result['gold_by_length_alone'])}")
    lines.append(f"{'gold, at equal length and ending':63} {_interval(result['gold_at_equal_length'])}")
    better, worse = result["better_worse"]
    lines.append(f"by prompts: better on {better}, worse on {worse}")
    return "\n".join(lines)


def _read(out: Path, name: str) -> dict[str, list[Answered]]:
    """Every prompt's answers by one policy, with their gold scores and the reward model's."""
    gold, score = (_scores(out / f"{judge}-{name}.jsonl") for judge in ("gold", "score"))
    found = {}
    for answers in read_answers(out / f"answers-{name}.jsonl"):
        found[answers.id] = [
            Answered(
                gold=gold[answers.id][completion.id],
                score=score[answers.id][completion.id],
                tokens=float(completion.num_tokens or 0),
                characters=float(len(completion.content)),
                ended=float(completion.finish_reason == "stop"),
                kl=kl,
            )
            for completion, kl in zip(answers.completions, answers.kls or [0.0] * len(answers.completions), strict=True)
        ]
    return found


def _scores(path: Path) -> dict[str, dict[str, float]]:
    return {line["id"]: line["scores"] for line in _lines(path)}


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _bucket(answer: Answered) -> tuple[int, float]:
    return int(answer.tokens) // TOKENS_OF_A_BUCKET, answer.ended


def _mean(pairs: Sequence[Pair], side: int, name: str) -> float:
    values = [getattr(answer, name) for pair in pairs for answer in pair[side]]
    return fsum(values) / len(values)


def _interval(estimate: dict[str, Any]) -> str:
    return f"{estimate['value']:+.3f} ({estimate['low']:+.3f} to {estimate['high']:+.3f})"
