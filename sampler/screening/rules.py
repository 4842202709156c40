"""From what a filter saw to a verdict, by a project's rules. Pure; knows no text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contentfilter.content_filter import Thresholds
from records.screening import FilterRule, Side, Verdict
from sampler.screening.seeing import Seen

# Blocked wherever it would be warned of: the price of a wrong block is small beside that of a miss.
ALWAYS_BLOCKED = "S3"


@dataclass(frozen=True)
class Decision:
    """A verdict, the category that decided, and whether anything is done about it."""

    verdict: Verdict
    category: str | None = None
    acted: bool = False
    reason: str | None = None

    @property
    def blocks(self) -> bool:
        return self.acted and self.verdict == "block"


def decide(seen: Seen, rules: Sequence[FilterRule], side: Side, thresholds: Mapping[str, Thresholds]) -> Decision:
    """The verdict on one text: a rule that acts before one in shadow, a block before a warning, and of several
    categories the one that is furthest over its bound."""
    found = [
        one
        for category in seen.probabilities
        if (one := _by_category(category, seen, _rule(rules, category, side), thresholds))
    ]
    strongest = max(found, key=lambda one: one[:3]) if found else None
    decision = strongest[3] if strongest else Decision("pass")
    if decision.verdict == "block":
        return decision
    if seen.reason:
        return Decision("not judged", reason=seen.reason)
    if seen.unread and decision.verdict == "pass":
        return Decision("not judged", reason=seen.unread)
    return decision


_Weighed = tuple[bool, bool, float, Decision]  # acts, blocks, how far over its bound


def _by_category(
    category: str, seen: Seen, rule: FilterRule | None, thresholds: Mapping[str, Thresholds]
) -> _Weighed | None:
    """What one category says, or None where it says nothing."""
    probability, acts = seen.probabilities[category], rule is None or rule.mode == "on"
    if rule is None and category not in thresholds:  # a server, which says itself what it makes of a text
        if category not in seen.flagged:
            return None
        is_block = category == ALWAYS_BLOCKED
        return True, is_block, probability, Decision("block" if is_block else "warn", category, acted=True)
    warn_at, block_at = _bounds(category, rule or thresholds[category])
    if block_at is not None and probability >= block_at:
        return acts, True, probability - block_at, Decision("block", category, acts)
    if warn_at is not None and probability >= warn_at:
        return acts, False, probability - warn_at, Decision("warn", category, acts)
    return None


def _bounds(category: str, bounds: FilterRule | Thresholds) -> tuple[float | None, float | None]:
    if category == ALWAYS_BLOCKED and bounds.block_at is None:
        return bounds.warn_at, bounds.warn_at
    return bounds.warn_at, bounds.block_at


def _rule(rules: Sequence[FilterRule], category: str, side: Side) -> FilterRule | None:
    return next((rule for rule in rules if (rule.category, rule.side) == (category, side)), None)
