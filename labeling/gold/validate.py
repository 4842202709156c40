"""Measures the gold preference on real completions, and its agreement with the rule "the longer wins".

`python -m labeling.gold.validate rankings.jsonl` prints the figures as JSON. If a length rule could imitate the
gold preference, a reward model that only counts tokens would pass the test.
"""

import dataclasses
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from labeling.gold import preference
from labeling.statistics.agreement import PairCounts, compare_rankings, ordered_pairs
from labeling.statistics.intervals import Estimate, bootstrap, ratio_of_sums
from records import Ranking, read_jsonl


@dataclass(frozen=True, kw_only=True, slots=True)
class GoldFigures:
    """Shares in [0, 1] over all comparisons; the intervals are bootstraps over comparisons."""

    num_comparisons: int
    num_completions: int
    mean_score: float
    tied_pairs: float
    unacceptable: float
    longer_agrees: Estimate | None
    agrees_with_file: Estimate | None


def gold_figures(rankings: Iterable[Ranking]) -> GoldFigures:
    """Rank every comparison by the gold preference. `agrees_with_file` counts only pairs tied by neither side.

    Raises ValueError if there are no rankings.
    """
    scores: list[float] = []
    longer: list[tuple[float, float]] = []
    recorded: list[tuple[float, float]] = []
    num_pairs = num_unacceptable = 0
    for ranking in rankings:
        judgement = preference.judge(ranking.messages, ranking.completions)
        scores.extend(judgement.scores.values())
        num_pairs += len(ranking.completions) * (len(ranking.completions) - 1) // 2
        if judgement.unacceptable_from is not None:
            num_unacceptable += sum(map(len, judgement.tiers[judgement.unacceptable_from :]))
        longer.append(_longer_wins(ranking, judgement))
        counts = compare_rankings(judgement.tiers, ranking.tiers) if ranking.tiers else PairCounts()
        recorded.append((counts.agreed(), counts.trials()))
    if not scores:
        raise ValueError("no rankings to judge")
    return GoldFigures(
        num_comparisons=len(longer),
        num_completions=len(scores),
        mean_score=sum(scores) / len(scores),
        tied_pairs=1 - sum(trials for _, trials in longer) / num_pairs,
        unacceptable=num_unacceptable / len(scores),
        longer_agrees=_share(longer),
        agrees_with_file=_share(recorded),
    )


def _longer_wins(ranking: Ranking, judgement: preference.Judgement) -> tuple[float, float]:
    """(pairs in which the longer completion is better, all ordered pairs), by characters; equal lengths count half."""
    lengths = {completion.id: len(completion.content) for completion in ranking.completions}
    gaps = [lengths[better] - lengths[worse] for better, worse in ordered_pairs(judgement.tiers)]
    return sum(0.5 if gap == 0 else float(gap > 0) for gap in gaps), len(gaps)


def _share(clusters: list[tuple[float, float]]) -> Estimate | None:
    return bootstrap(clusters, ratio_of_sums) if ratio_of_sums(clusters) is not None else None


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m labeling.gold.validate rankings.jsonl")
    try:
        found = gold_figures(read_jsonl(sys.argv[1], Ranking))
    except (OSError, ValueError) as error:
        print(f"gold_figures: {error}", file=sys.stderr)
        sys.exit(2)
    print(json.dumps(dataclasses.asdict(found), indent=1))
