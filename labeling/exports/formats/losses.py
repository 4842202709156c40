"""What formats cannot hold of a record: one table, which the card of an export and docs/records.md follow.

A loss counts how much of it a record has. What a format leaves out because its readers refuse it, or learn nothing of
it, is a loss too.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from labeling.statistics.agreement import ordered_pairs, places_of, tied_pairs
from records import Completion, Message, Ranking


@dataclass(frozen=True, kw_only=True)
class Loss:
    """Something that a format cannot hold. `name` is what `count` counts in a record."""

    name: str
    meaning: str
    count: Callable[[Any], int]


# Of rankings.

ABSTENTIONS = Loss(
    name="abstentions",
    meaning="rankings without an order",
    count=lambda ranking: ranking.abstained is not None,
)
TIED_PAIRS = Loss(
    name="tied pairs",
    meaning="two completions that are equally good",
    count=lambda ranking: 0 if ranking.choice else sum(1 for _pair in tied_pairs(ranking.tiers)),
)
DISTANCES = Loss(
    name="pairs more than a tier apart",
    meaning="how far apart the two are",
    count=lambda ranking: _num_distant(ranking),
)
CHOICES = Loss(
    name="choices",
    meaning="that one was chosen, and the others were not compared with each other",
    count=lambda ranking: bool(ranking.choice),
)
LINES = Loss(
    name="lines of acceptability",
    meaning="which completions are good enough",
    count=lambda ranking: ranking.unacceptable_from is not None,
)
STRENGTHS = Loss(
    name="strengths of preference",
    meaning="how much better a tier is than the next",
    count=lambda ranking: len(ranking.strengths),
)
RATINGS = Loss(
    name="ratings",
    meaning="what was said of a completion alone",
    count=lambda ranking: len(ranking.ratings),
)
ADJUDICATIONS = Loss(
    name="adjudications",
    meaning="that a reviewer settled what trainers ranked differently, and why they did",
    count=lambda ranking: ranking.adjudication is not None,
)
NOTES = Loss(
    name="notes on rankings",
    meaning="what was said of a ranking as a whole",
    count=lambda ranking: ranking.note is not None,
)
SHOWN_ORDERS = Loss(
    name="shown orders",
    meaning="how the completions stood on the trainer's screen",
    count=lambda ranking: bool(ranking.shown_order),
)
TRAINERS = Loss(
    name="trainers",
    meaning="who ranked, or wrote, and whether it was a person",
    count=lambda record: record.trainer is not None or getattr(record, "trainer_kind", "person") != "person",
)
GUIDELINES = Loss(
    name="guideline versions",
    meaning="the guidelines that it was made under",
    count=lambda record: record.guideline_version is not None,
)
SECONDS = Loss(
    name="times taken",
    meaning="the seconds that a ranking took",
    count=lambda ranking: ranking.seconds is not None,
)
DATES = Loss(
    name="dates",
    meaning="when it was ranked",
    count=lambda ranking: ranking.ranked_at is not None,
)
ROUNDS = Loss(
    name="rounds",
    meaning="the round whose comparison it was",
    count=lambda ranking: ranking.round is not None,
)
TOPICS = Loss(
    name="topics",
    meaning="of the prompt or the dialogue",
    count=lambda record: record.topic is not None,
)
SOURCES = Loss(
    name="sources",
    meaning="the file or data set that it came from",
    count=lambda record: record.source is not None,
)
POLICIES = Loss(
    name="policies of completions",
    meaning="the model that wrote a completion",
    count=lambda ranking: _num_with(ranking.completions, "policy"),
)
SAMPLINGS = Loss(
    name="samplings",
    meaning="how a completion was sampled, its end, tokens and log-probability",
    count=lambda ranking: _num_with(ranking.completions, "sampling", "finish_reason", "num_tokens", "logprob"),
)
RANKING_IDS = Loss(
    name="ids of rankings",
    meaning="which lines are of one ranking",
    count=lambda _ranking: 1,
)
COMPARISON_IDS = Loss(
    name="ids of comparisons",
    meaning="which rankings are of the same completions",
    count=lambda _ranking: 1,
)
COMPLETION_IDS = Loss(
    name="ids of completions",
    meaning="which lines speak of the same one",
    count=lambda ranking: len(ranking.completions),
)
SYSTEM_MESSAGES = Loss(
    name="system messages",
    meaning="what stands before the user's first words",
    count=lambda record: sum(message.role == "system" for message in record.messages),
)

# Of every kind.

AUTHORSHIP = Loss(
    name="authorship",
    meaning="how a message came to be, and the policy behind it",
    count=lambda record: _num_with(record.messages, "authorship", "policy"),
)
REASONING = Loss(
    name="reasoning",
    meaning="what preceded an imported answer",
    count=lambda record: _num_with(record.messages, "reasoning"),
)
RECORD_IDS = Loss(
    name="ids of records",
    meaning="which dialogue, prompt or thumb a line is of",
    count=lambda _record: 1,
)

# What every format of rankings but Parquet loses.
CIRCUMSTANCES = (
    LINES, RATINGS, ADJUDICATIONS, NOTES, SHOWN_ORDERS, TRAINERS, GUIDELINES, SECONDS, DATES, ROUNDS, TOPICS, SOURCES,
    SAMPLINGS, AUTHORSHIP, REASONING, COMPARISON_IDS,
)  # fmt: skip


def _num_with(parts: Iterable[Completion | Message], *fields: str) -> int:
    """How many have at least one of the fields."""
    return sum(any(getattr(part, field) is not None for field in fields) for part in parts)


def _num_distant(ranking: Ranking) -> int:
    tier = places_of(ranking.tiers)
    return sum(tier[worse] - tier[better] > 1 for better, worse in ordered_pairs(ranking.tiers))
