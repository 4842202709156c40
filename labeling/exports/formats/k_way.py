"""One line per ranking: all completions and the tier of each, 0 the best."""

from collections.abc import Iterator
from typing import Any

from labeling.exports.formats.choices import as_pairwise_rankings
from labeling.exports.formats.losses import (
    ABSTENTIONS,
    CHOICES,
    CIRCUMSTANCES,
    COMPLETION_IDS,
    POLICIES,
    RANKING_IDS,
    STRENGTHS,
)
from labeling.exports.formats.pairs import message_dicts
from labeling.statistics.agreement import places_of
from records import Ranking

LOST = (ABSTENTIONS, CHOICES, *CIRCUMSTANCES, POLICIES, RANKING_IDS, COMPLETION_IDS, STRENGTHS)


def k_way_lines(ranking: Ranking) -> Iterator[dict[str, Any]]:
    """An abstention gives no line. A choice does not order the others among themselves, so it gives one line for each
    pair that it orders.
    """
    for one in as_pairwise_rankings(ranking):
        if one.abstained is None:
            tier = places_of(one.tiers)
            yield {
                "prompt": message_dicts(one.messages),
                "completions": [completion.content for completion in one.completions],
                "tiers": [tier[completion.id] for completion in one.completions],
            }
