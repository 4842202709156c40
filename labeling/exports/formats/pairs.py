"""Rankings as pairs: one line for every two completions that are not tied, for trainers that learn from pairs.

A pair of one text is left out everywhere: its two sides cancel, so nothing is learnt of it. A pair with an empty text
is left out where readers refuse it; trl's trainers do not.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from labeling.exports.formats.losses import (
    ABSTENTIONS,
    CHOICES,
    CIRCUMSTANCES,
    COMPLETION_IDS,
    DISTANCES,
    POLICIES,
    RANKING_IDS,
    STRENGTHS,
    TIED_PAIRS,
    Loss,
)
from labeling.statistics.agreement import ordered_pairs, places_of
from records import Completion, Message, Ranking

Lines = Iterator[dict[str, Any]]


class Pair(NamedTuple):
    chosen: Completion
    rejected: Completion
    margin: int  # the strengths of the gaps between the two together; where none were said, tiers between


def trl_lines(ranking: Ranking) -> Lines:
    """trl's preference format, conversational, explicit prompt; for DPOTrainer and RewardTrainer."""
    for chosen, rejected, _margin in _different(ranking):
        yield {
            "prompt": message_dicts(ranking.messages),
            "chosen": [assistant_message(chosen)],
            "rejected": [assistant_message(rejected)],
        }


def trl_implicit_lines(ranking: Ranking) -> Lines:
    """trl's preference format with the prompt inside both answers, as RewardTrainer prefers it."""
    for chosen, rejected, _margin in _different(ranking):
        prompt = message_dicts(ranking.messages)
        yield {"chosen": [*prompt, assistant_message(chosen)], "rejected": [*prompt, assistant_message(rejected)]}


def margin_lines(ranking: Ranking) -> Lines:
    """The same with a margin, as OpenRLHF's reward-model data and trl's RewardTrainer have it."""
    for line, (_chosen, _rejected, margin) in zip(trl_implicit_lines(ranking), _different(ranking), strict=True):
        yield {**line, "margin": margin}


def openai_dpo_lines(ranking: Ranking) -> Lines:
    """OpenAI's preference fine-tuning."""
    for pair in _different(ranking):
        if not has_empty_text(pair):
            yield {
                "input": {"messages": message_dicts(ranking.messages)},
                "preferred_output": [assistant_message(pair.chosen)],
                "non_preferred_output": [assistant_message(pair.rejected)],
            }


def pairs_of(ranking: Ranking) -> Iterator[Pair]:
    """Every two completions that are not tied."""
    by_id = {completion.id: completion for completion in ranking.completions}
    tier = places_of(ranking.tiers)
    for better, worse in ordered_pairs(ranking.tiers):
        gaps = slice(tier[better], tier[worse])
        margin = sum(ranking.strengths[gaps]) if ranking.strengths else gaps.stop - gaps.start
        yield Pair(by_id[better], by_id[worse], margin)


def has_one_text(pair: Pair) -> bool:
    return pair.chosen.content == pair.rejected.content


def has_empty_text(pair: Pair) -> bool:
    return not pair.chosen.content.strip() or not pair.rejected.content.strip()


def num_pairs(ranking: Ranking, is_left_out: Callable[[Pair], bool]) -> int:
    return sum(map(is_left_out, pairs_of(ranking)))


def message_dicts(messages: tuple[Message, ...]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def _different(ranking: Ranking) -> Iterator[Pair]:
    return (pair for pair in pairs_of(ranking) if not has_one_text(pair))


def assistant_message(completion: Completion) -> dict[str, str]:
    return {"role": "assistant", "content": completion.content}


EQUAL_PAIRS = Loss(
    name="pairs of one text",
    meaning="both completions say the same, so nothing is learnt of them; left out",
    count=lambda ranking: num_pairs(ranking, has_one_text),
)
EMPTY_PAIRS = Loss(
    name="pairs with an empty text",
    meaning="readers refuse them; left out",
    count=lambda ranking: num_pairs(ranking, lambda pair: has_empty_text(pair) and not has_one_text(pair)),
)
OF_MARGINS = (
    ABSTENTIONS, TIED_PAIRS, CHOICES, *CIRCUMSTANCES, POLICIES, RANKING_IDS, COMPLETION_IDS, EQUAL_PAIRS,
)  # fmt: skip
OF_PAIRS = (*OF_MARGINS, DISTANCES, STRENGTHS)
OF_OPENAI_DPO = (*OF_PAIRS, EMPTY_PAIRS)
