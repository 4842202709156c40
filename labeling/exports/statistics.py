"""Statistics of an export, counted while it is written; memory does not grow with its size.

Counts are of records. The biases (length, position) are what a reward model would learn besides quality.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from labeling.statistics.agreement import PairCounts, compare_rankings, ordered_pairs, shown_earlier_wins, tied_pairs
from records import Demonstration, LabelledText, Prompt, Ranking, SamplingParams, Thumb

LENGTHS_DIFFER = 30  # characters; AlpacaEval counts only pairs that differ by more in P(prefer longer)
_LONGEST_SECONDS = 3_600  # longer times are counted as an hour, so that the counter stays small
_MOST_TOPICS = 50  # names listed of one breakdown
_MOST_RANKINGS_COMPARED = 12  # of one comparison: 66 pairs of trainers; the work grows with the square


class Way(NamedTuple):
    """A way to sample: the fields of records.SamplingParams without the seed, which each completion has its own of."""

    temperature: float
    top_p: float
    top_k: int
    max_new_tokens: int


def way_of(params: SamplingParams) -> Way:
    return Way(params.temperature, params.top_p, params.top_k, params.max_new_tokens)


class Facts(NamedTuple):
    """The fields of a ranking that are counted: its order and its circumstances, without the texts."""

    split: str | None
    topic: str | None
    source: str | None
    trainer: str | None
    trainer_kind: str
    guideline_version: int | None
    round: int | None
    comparison_id: str
    seconds: float | None
    is_abstained: bool
    is_choice: bool
    is_adjudicated: bool
    tiers: Sequence[Sequence[str]]
    shown_order: Sequence[str]
    ids: Sequence[str]  # of the completions, as are the two below
    lengths: Sequence[int]
    policies: Sequence[str | None]
    ways: Sequence[Way]  # of the completions of which it is known how they were sampled


def facts_of(ranking: Ranking) -> Facts:
    return Facts(
        split=ranking.split,
        topic=ranking.topic,
        source=ranking.source,
        trainer=ranking.trainer,
        trainer_kind=ranking.trainer_kind,
        guideline_version=ranking.guideline_version,
        round=ranking.round,
        comparison_id=ranking.comparison_id,
        seconds=ranking.seconds,
        is_abstained=ranking.abstained is not None,
        is_choice=bool(ranking.choice),
        is_adjudicated=ranking.adjudication is not None,
        tiers=ranking.tiers,
        shown_order=ranking.shown_order,
        ids=[completion.id for completion in ranking.completions],
        lengths=[len(completion.content) for completion in ranking.completions],
        policies=[completion.policy for completion in ranking.completions],
        ways=[way_of(completion.sampling) for completion in ranking.completions if completion.sampling],
    )


@dataclass
class Statistics:
    """Counts that every kind of export has."""

    num: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    topics: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    trainers: Counter[str] = field(default_factory=Counter)
    trainers_of_kind: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    guideline_versions: Counter[str] = field(default_factory=Counter)
    scrubbed: Counter[str] = field(default_factory=Counter)  # personal data that was taken out, by kind

    def add(self, record: Any) -> None:
        self.num += 1
        self.splits[record.split or ""] += 1
        self.topics[record.topic or ""] += 1
        self.sources[record.source or ""] += 1

    def counts(self) -> dict[str, Any]:
        """The counts as JSON values, for the manifest and the Export row."""
        return {
            "records": self.num,
            "by_split": _sorted(self.splits),
            "by_topic": _largest(self.topics),
            "by_source": _largest(self.sources),
        } | ({"scrubbed": _sorted(self.scrubbed)} if self.scrubbed else {})

    def _add_trainer(self, record: "Facts | Demonstration") -> None:
        if record.trainer is not None:
            self.trainers[record.trainer] += 1
        if record.guideline_version is not None:
            self.guideline_versions[str(record.guideline_version)] += 1


@dataclass
class PromptStatistics(Statistics):
    num_characters: int = 0

    def add(self, record: Prompt) -> None:
        super().add(record)
        self.num_characters += sum(len(message.content) for message in record.messages)


@dataclass
class DemonstrationStatistics(Statistics):
    authorship: Counter[str] = field(default_factory=Counter)  # of assistant messages
    num_answers: int = 0
    num_characters: int = 0  # of assistant messages

    def add(self, record: Demonstration) -> None:
        super().add(record)
        self._add_trainer(record)
        for message in record.messages:
            if message.role == "assistant":
                self.num_answers += 1
                self.num_characters += len(message.content)
                self.authorship[message.authorship or "unknown"] += 1

    def counts(self) -> dict[str, Any]:
        return {
            **super().counts(),
            "answers": self.num_answers,
            "by_authorship": _sorted(self.authorship),
            "trainers": len(self.trainers),
        }


@dataclass
class ThumbStatistics(Statistics):
    policies: Counter[str] = field(default_factory=Counter)
    num_up: int = 0
    num_with_reason: int = 0
    characters_up: int = 0  # of completions with a thumb up
    characters_down: int = 0

    def add(self, record: Thumb) -> None:
        super().add(record)
        if record.trainer is not None:
            self.trainers[record.trainer] += 1
            self.trainers_of_kind[record.trainer_kind].add(record.trainer)
        self.policies[record.completion.policy or ""] += 1
        self.num_up += record.up
        self.num_with_reason += record.reason is not None
        length = len(record.completion.content)
        self.characters_up += length if record.up else 0
        self.characters_down += 0 if record.up else length

    def counts(self) -> dict[str, Any]:
        return {
            **super().counts(),
            "up": self.num_up,
            "down": self.num - self.num_up,
            "with_reason": self.num_with_reason,
            "trainers": len(self.trainers),
            "by_policy": _largest(self.policies),
        }


@dataclass
class RankingStatistics(Statistics):
    trainer_kinds: Counter[str] = field(default_factory=Counter)
    rounds: Counter[str] = field(default_factory=Counter)
    policies: Counter[str] = field(default_factory=Counter)
    samplings: Counter[Way] = field(default_factory=Counter)  # of completions, each once
    num_comparisons: int = 0
    sizes: Counter[str] = field(default_factory=Counter)  # completions per ranking
    num_abstained: int = 0
    num_adjudicated: int = 0
    pairs: int = 0
    tied_pairs: int = 0
    longer_won: int = 0
    length_differs: int = 0
    earlier_won: int = 0
    shown_pairs: int = 0
    best_at: Counter[int] = field(default_factory=Counter)  # where the one best completion was shown, from 0
    seconds: Counter[int] = field(default_factory=Counter)
    agreement: PairCounts = field(default_factory=PairCounts)
    _comparison: str = ""
    _orders: list[Any] = field(default_factory=list, compare=False)  # seen so far of the current comparison

    def add(self, record: Ranking) -> None:
        self.add_facts(facts_of(record))

    def add_facts(self, facts: Facts) -> None:
        super().add(facts)
        self._add_trainer(facts)
        if facts.trainer is not None and not facts.is_adjudicated:  # an adjudication is a reviewer's
            self.trainers_of_kind[facts.trainer_kind].add(facts.trainer)
        self.trainer_kinds[facts.trainer_kind] += 1
        self.rounds[str(facts.round) if facts.round else "none"] += 1
        if facts.comparison_id != self._comparison:
            self._begin_comparison(facts)
        if facts.seconds is not None:
            self.seconds[min(round(facts.seconds), _LONGEST_SECONDS)] += 1
        if facts.is_abstained:
            self.num_abstained += 1
            return
        self.num_adjudicated += facts.is_adjudicated
        self.sizes[str(len(facts.ids))] += 1
        self._add_order(facts)

    def counts(self) -> dict[str, Any]:
        return {
            **super().counts(),
            "comparisons": self.num_comparisons,
            "trainers": len(self.trainers),
            "abstained": self.num_abstained,
            "pairs": self.pairs,
            "tied_pairs": self.tied_pairs,
            "by_trainer_kind": _sorted(self.trainer_kinds),
            "by_round": _sorted(self.rounds),
            "by_num_completions": _sorted(self.sizes),
            "by_policy": _largest(self.policies),
        } | ({"adjudicated": self.num_adjudicated} if self.num_adjudicated else {})

    def _begin_comparison(self, facts: Facts) -> None:
        self._comparison, self._orders = facts.comparison_id, []
        self.num_comparisons += 1
        for policy in facts.policies:
            self.policies[policy or ""] += 1
        self.samplings.update(facts.ways)

    def _add_order(self, facts: Facts) -> None:
        length = dict(zip(facts.ids, facts.lengths, strict=True))
        differences = [length[better] - length[worse] for better, worse in ordered_pairs(facts.tiers)]
        longer_won = sum([difference > LENGTHS_DIFFER for difference in differences])
        self.pairs += len(differences)
        self.longer_won += longer_won
        self.length_differs += longer_won + sum([difference < -LENGTHS_DIFFER for difference in differences])
        if len(facts.tiers) < len(facts.ids) and not facts.is_choice:
            self.tied_pairs += sum(1 for _ in tied_pairs(facts.tiers))
        if facts.shown_order:
            self._add_position(facts.tiers, facts.shown_order)
        if facts.is_choice or facts.is_adjudicated:
            return  # a choice orders too few pairs to be compared with rankings of the whole; the other is no trainer's
        for earlier in self._orders:
            self.agreement = self.agreement + compare_rankings(earlier, facts.tiers)
        if len(self._orders) < _MOST_RANKINGS_COMPARED:
            self._orders.append(facts.tiers)

    def _add_position(self, tiers: Sequence[Sequence[str]], shown_order: Sequence[str]) -> None:
        won, num = shown_earlier_wins(tiers, shown_order)
        self.earlier_won += won
        self.shown_pairs += num
        if len(tiers[0]) == 1:
            self.best_at[shown_order.index(tiers[0][0])] += 1


@dataclass
class LabelStatistics(Statistics):
    ways: Counter[str] = field(default_factory=Counter)  # how the texts were drawn
    positive: Counter[str] = field(default_factory=Counter)  # texts with "yes", by category

    def add(self, record: LabelledText) -> None:
        self.num += 1
        self.splits[record.split or ""] += 1
        self.ways[record.came_by] += 1
        self.positive.update(name for name, answer in record.labels.items() if answer)
        if record.guideline_version is not None:
            self.guideline_versions[str(record.guideline_version)] += 1

    def counts(self) -> dict[str, Any]:
        return {**super().counts(), "by_way": _sorted(self.ways), "by_category": _sorted(self.positive)}


def new_statistics(kind: str) -> Statistics:
    kinds: dict[str, type[Statistics]] = {
        "rankings": RankingStatistics,
        "demonstrations": DemonstrationStatistics,
        "prompts": PromptStatistics,
        "thumbs": ThumbStatistics,
        "labels": LabelStatistics,
    }
    return kinds[kind]()


def quantile_of(counts: Counter[int], share: float) -> int | None:
    """The smallest value that at least `share` of all counted values do not exceed; None where nothing was counted."""
    wanted, reached = share * counts.total(), 0
    for value in sorted(counts):
        reached += counts[value]
        if reached >= wanted:
            return value
    return None


def _sorted(counter: Counter[str]) -> dict[str, int]:
    return {name: counter[name] for name in sorted(counter)}


def _largest(counter: Counter[str]) -> dict[str, int]:
    """The largest counts by name, the rest summed as "all others"; empty where no record has a name."""
    if set(counter) <= {""}:
        return {}
    shown = sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))[:_MOST_TOPICS]
    rest = counter.total() - sum(num for _, num in shown)
    named = {name or "none": num for name, num in shown}
    return {**named, "all others": rest} if rest else named
