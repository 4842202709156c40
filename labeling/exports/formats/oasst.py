"""Open-Assistant trees: one per ranking, the prompt as its trunk and the completions as ranked replies.

labeling.imports.formats.oasst reads back the same order over the same texts, ties included. It refuses a tree with an
empty text, so completions without text are left out.
"""

from collections.abc import Iterator
from typing import Any

from labeling.exports.formats.choices import as_pairwise_rankings
from labeling.exports.formats.losses import ABSTENTIONS, CHOICES, CIRCUMSTANCES, STRENGTHS, SYSTEM_MESSAGES, Loss
from labeling.statistics.agreement import places_of
from records import Completion, Ranking

Node = dict[str, Any]


def tree_lines(ranking: Ranking) -> Iterator[Node]:
    """One tree, or none for an abstention; a choice gives one tree for each pair that it orders. Rank 0 is the best,
    and completions of one tier share a rank.
    """
    for one in as_pairwise_rankings(ranking):
        if one.abstained is None and not _is_left_out(one):
            yield _tree(one)


def _tree(ranking: Ranking) -> Node:
    kept = _with_text(ranking)
    names = {completion.id for completion in kept}
    tiers = [[name for name in tier if name in names] for tier in ranking.tiers]
    rank = places_of([tier for tier in tiers if tier])
    replies = [_answer(completion, rank[completion.id]) for completion in kept]
    spoken = [message for message in ranking.messages if message.role != "system"]
    for place, message in reversed(list(enumerate(spoken))):
        role = "prompter" if message.role == "user" else "assistant"
        name = ranking.id if place == len(spoken) - 1 else f"{ranking.id}-{place}"
        replies = [{"message_id": name, "role": role, "text": message.content, "replies": replies}]
    return {"message_tree_id": ranking.id, "tree_state": "ready_for_export", "prompt": replies[0]}


def _with_text(ranking: Ranking) -> list[Completion]:
    return [completion for completion in ranking.completions if completion.content.strip()]


def _is_left_out(ranking: Ranking) -> bool:
    """Whether fewer than two completions have text, so that there is no order among them."""
    return ranking.abstained is None and len(_with_text(ranking)) < 2


def _answer(completion: Completion, rank: int) -> Node:
    node: Node = {"message_id": completion.id, "role": "assistant", "text": completion.content, "replies": []}
    if completion.policy is not None:
        node |= {"synthetic": True, "model_name": completion.policy}
    return node | {"rank": rank}


LOST = (
    ABSTENTIONS,
    CHOICES,
    *CIRCUMSTANCES,
    STRENGTHS,
    SYSTEM_MESSAGES,
    Loss(
        name="empty completions",
        meaning="readers refuse them; left out",
        count=lambda ranking: len(ranking.completions) - len(_with_text(ranking)),
    ),
    Loss(
        name="trees of one completion",
        meaning="no order is left where the others are empty; left out",
        count=lambda ranking: sum(map(_is_left_out, as_pairwise_rankings(ranking))),
    ),
)
