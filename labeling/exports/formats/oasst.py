"""Open-Assistant trees: one per ranking, the prompt as its trunk and the completions as ranked replies.

labeling.imports.formats.oasst reads back the same order over the same texts, ties included.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from labeling.exports.formats.choices import as_pairwise_rankings
from labeling.statistics.agreement import places_of
from records import Completion, Ranking

Node = dict[str, Any]


def tree_lines(ranking: Ranking) -> Iterator[Node]:
    """One tree, or none for an abstention; a choice gives one tree for each pair that it orders. Rank 0 is the best,
    and completions of one tier share a rank.
    """
    for one in as_pairwise_rankings(ranking):
        yield from _tree(one)


def _tree(ranking: Ranking) -> Iterator[Node]:
    if ranking.abstained is None:
        rank = places_of(ranking.tiers)
        replies = [_answer(completion, rank[completion.id]) for completion in ranking.completions]
        spoken = [message for message in ranking.messages if message.role != "system"]
        for place, message in reversed(list(enumerate(spoken))):
            role = "prompter" if message.role == "user" else "assistant"
            name = ranking.id if place == len(spoken) - 1 else f"{ranking.id}-{place}"
            replies = [{"message_id": name, "role": role, "text": message.content, "replies": replies}]
        yield {"message_tree_id": ranking.id, "tree_state": "ready_for_export", "prompt": replies[0]}


def lost_in_tree(ranking: Ranking) -> Counter[str]:
    """Counts of what a ranking has that its tree cannot hold."""
    return +Counter(
        {
            "abstentions": int(ranking.abstained is not None),
            "lines of acceptability": int(ranking.unacceptable_from is not None),
            "ratings": len(ranking.ratings),
            "system messages": sum(message.role == "system" for message in ranking.messages),
        }
    )


def _answer(completion: Completion, rank: int) -> Node:
    node: Node = {"message_id": completion.id, "role": "assistant", "text": completion.content, "replies": []}
    if completion.policy is not None:
        node |= {"synthetic": True, "model_name": completion.policy}
    return node | {"rank": rank}
