"""What the gold preference makes of real completions, and how far 'the longer wins' would agree with it.

`python -m labeling.gold.validate rankings.jsonl` prints the figures as JSON. A gold preference that a length
rule could imitate would be no test of a reward model.
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
    """Shares over all comparisons; intervals are bootstraps over prompts."""

    num_comparisons: int
    num_completions: int
    mean_score: float
    tied_pairs: float
    unacceptable: float
    longer_agrees: Estimate | None
    agrees_with_file: Estimate | None


def gold_figures(rankings: Iterable[Ranking]) -> GoldFigures:
    """Judge every comparison anew. `agrees_with_file` counts pairs that neither side ties.

    Raises ValueError where there is no ranking.
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
    """Of the pairs that the gold preference orders: how often the longer is better (equal counts half), of how many."""
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
