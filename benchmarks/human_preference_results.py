"""The figures of benchmarks.human_preference: each arm's halves taken together, arms beside one another, a table."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from rewardmodel.comparisons import Comparison, pairs_of
from rewardmodel.evaluation import evaluate_scores
from rewardmodel.statistics import Estimate, correctness, estimate_mean

OURS, TRL_TIME, TRL_PASS = "ours", "trl-equal-time", "trl-equal-data"
SHOWN = {OURS: "ours, one pass", TRL_TIME: "trl, as many CPU seconds", TRL_PASS: "trl, one pass"}


@dataclass(frozen=True)
class Judged:
    """One arm of one study: what it took, and its scores of the completions held out."""

    arm: str
    half: int
    side: dict[str, Any]
    comparisons: Sequence[Comparison]
    scores: dict[str, list[float]]


def pool(judged: Sequence[Judged], *, seed: int) -> dict[str, Any]:
    """Every figure of every arm over all its halves, and how far ours is ahead on the pairs that both judged."""
    found: dict[str, Any] = {"arms": {}, "ours_ahead_of": {}}
    for arm in SHOWN:
        halves = [one for one in judged if one.arm == arm]
        if halves:
            scored = [(member, one.scores[member.id]) for one in halves for member in one.comparisons]
            sums = {name: sum(one.side[name] for one in halves) for name in ("cpu_seconds", "steps", "pairs_seen")}
            sums["pairs_trained_on"] = sum(one.side["pairs_to_see"] for one in halves)
            found["arms"][arm] = {**sums, "halves": len(halves), **asdict(evaluate_scores(scored, seed=seed))}
        if halves and arm != OURS:
            found["ours_ahead_of"][arm] = asdict(lead(judged, OURS, arm, seed=seed))
    return found


def lead(judged: Sequence[Judged], arm: str, other: str, *, seed: int) -> Estimate:
    """How much more often one arm is right than another on the very same pairs, prompts resampled."""
    differences, owners, prompts = [], [], dict[tuple[int, ...], int]()
    for one in judged:
        beside = next((two for two in judged if (two.arm, two.half) == (other, one.half)), None)
        if one.arm != arm or beside is None:
            continue
        for member in one.comparisons:
            ordered = pairs_of([member]).pairs
            right = [correctness(_gaps(judge.scores[member.id], ordered)) for judge in (one, beside)]
            differences.append(right[0] - right[1])
            owners += [prompts.setdefault(member.prompt_ids, len(prompts))] * len(ordered)
    return estimate_mean(torch.cat(differences), torch.tensor(owners), seed=seed)


def table(name: str, results: dict[str, Any]) -> str:
    """What a reader wants to see of one data set, as Markdown."""
    arms = results["arms"]
    if not arms:
        return f"{name}: no arm is done"
    first = next(iter(arms.values()))
    ceiling = first["trainers_agreement"]
    head = f"{name}: {first['accuracy']['num_prompts']} held-out prompts, {first['accuracy']['num_pairs']} pairs"
    rows = [f"| {head} | accuracy | less “longer wins” | CPU s | pairs seen | log loss | r with length |"]
    rows += ["|---|---|---|---|---|---|---|", *(_row(arm, figures) for arm, figures in arms.items())]
    rows.append(f"| the longer one wins | {_show(first['longer_baseline'])} | | | | | |")
    rows.append(f"| a coin | {first['random_baseline']:.3f} | | | | 0.693 | |")
    rows.append(f"| trainers with one another | {_show(ceiling) if ceiling else 'not known'} | | | | | |")
    for arm, ahead in results["ours_ahead_of"].items():
        rows.append(f"| ours less {SHOWN[arm]} | {_show(ahead)} | | | | | |")
    return "\n".join(rows) + "\n"


def _row(arm: str, figures: dict[str, Any]) -> str:
    cells = [
        SHOWN[arm],
        _show(figures["accuracy"]),
        _show(figures["over_longer"]),
        f"{figures['cpu_seconds']:.0f}",
        f"{figures['pairs_seen']} of {figures['pairs_trained_on']}",
        f"{figures['log_loss']:.3f}",
        f"{figures['length_correlation']:+.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def _show(estimate: dict[str, Any]) -> str:
    if estimate["low"] is None:
        return f"{estimate['value']:.3f}"
    return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"


def _gaps(scores: Sequence[float], ordered: torch.Tensor) -> torch.Tensor:
    values = torch.tensor(scores, dtype=torch.float64)
    return values[ordered[:, 0]] - values[ordered[:, 1]]
