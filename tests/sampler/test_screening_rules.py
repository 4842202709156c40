"""Verdicts by rules: each side and category by its own, by the filter's thresholds where there is none."""

import pytest

from contentfilter.content_filter import Thresholds
from records.screening import FilterRule
from sampler.screening.rules import Decision, decide
from sampler.screening.seeing import Seen

OWN = {
    "S": Thresholds(0.4, 0.8),
    "H": Thresholds(0.3, None),
    "S3": Thresholds(0.35, None),
}
RULE = {"category": "H", "side": "answered"}
SHADOW = FilterRule(category="S", side="answered", mode="shadow", warn_at=0.4, block_at=0.8)
FOREIGN, HIDES = {"reason": "it is not in English"}, {"unread": "part of it looks encoded"}


@pytest.mark.parametrize(
    ("probabilities", "rules", "decision"),
    [
        # Without rules: the filter's own thresholds, each bound included.
        ({"S": 0.39, "H": 0.2}, (), Decision("pass")),
        ({"S": 0.4, "H": 0.2}, (), Decision("warn", "S", True)),
        ({"S": 0.8, "H": 0.9}, (), Decision("block", "S", True)),
        ({"S": 0.5, "H": 0.9}, (), Decision("warn", "H", True)),
        # What is sexual of minors is blocked from where it is warned of, unless a rule says otherwise.
        ({"S3": 0.34}, (), Decision("pass")),
        ({"S3": 0.35}, (), Decision("block", "S3", True)),
        ({"S3": 0.5}, (FilterRule(category="S3", side="answered", warn_at=0.5),), Decision("block", "S3", True)),
        ({"S3": 0.5}, (FilterRule(category="S3", side="answered", warn_at=0.3, block_at=0.9),),
         Decision("warn", "S3", True)),
        ({"S3": 0.99}, (FilterRule(category="S3", side="answered"),), Decision("pass")),
        ({"S3": 0.5}, (FilterRule(category="S3", side="answered", mode="shadow", warn_at=0.3),),
         Decision("block", "S3", False)),
        # A rule holds for its category and side alone.
        ({"H": 0.5}, (FilterRule(**RULE, warn_at=0.6),), Decision("pass")),
        ({"H": 0.7}, (FilterRule(**RULE, warn_at=0.6, block_at=0.7),), Decision("block", "H", True)),
        ({"H": 0.5}, (FilterRule(category="H", side="said", warn_at=0.6),), Decision("warn", "H", True)),
        ({"H": 0.99}, (FilterRule(**RULE),), Decision("pass")),
        ({"S": 0.9}, (FilterRule(**RULE, warn_at=0.6),), Decision("block", "S", True)),
        # In shadow it is on record and does nothing; what acts comes first.
        ({"S": 0.9}, (SHADOW,), Decision("block", "S", False)),
        ({"S": 0.5}, (SHADOW,), Decision("warn", "S", False)),
        ({"S": 0.9, "H": 0.4}, (SHADOW,), Decision("warn", "H", True)),
        ({"S": 0.9, "S3": 0.4}, (SHADOW,), Decision("block", "S3", True)),
    ],
)  # fmt: skip
def test_a_verdict_follows_from_probabilities_and_rules(
    probabilities: dict[str, float], rules: tuple[FilterRule, ...], decision: Decision
) -> None:
    assert decide(Seen(probabilities), rules, "answered", OWN) == decision


@pytest.mark.parametrize(
    ("probabilities", "why", "decision"),
    [
        ({"S": 0.1}, FOREIGN, Decision("not judged", reason="it is not in English")),
        ({"S": 0.5}, FOREIGN, Decision("not judged", reason="it is not in English")),
        ({"S": 0.8}, FOREIGN, Decision("block", "S", True)),
        ({"S3": 0.35}, FOREIGN, Decision("block", "S3", True)),
        ({"S": 0.1}, HIDES, Decision("not judged", reason="part of it looks encoded")),
        ({"S": 0.5}, HIDES, Decision("warn", "S", True)),
    ],
)
def test_what_cannot_be_judged_never_passes_and_what_would_be_blocked_is(
    probabilities: dict[str, float], why: dict[str, str], decision: Decision
) -> None:
    assert decide(Seen(probabilities, **why), (), "answered", OWN) == decision


@pytest.mark.parametrize(
    ("flagged", "rules", "decision"),
    [
        ((), (), Decision("pass")),
        (("illicit",), (), Decision("warn", "illicit", True)),
        (("S3", "illicit"), (), Decision("block", "S3", True)),
        (("H",), (FilterRule(**RULE, warn_at=0.99),), Decision("pass")),
        ((), (FilterRule(**RULE, block_at=0.8),), Decision("block", "H", True)),
    ],
)
def test_a_server_without_thresholds_is_taken_at_its_word_where_no_rule_says_more(
    flagged: tuple[str, ...], rules: tuple[FilterRule, ...], decision: Decision
) -> None:
    seen = Seen({"H": 0.9, "S3": 0.7, "illicit": 0.6}, frozenset(flagged))
    assert decide(seen, rules, "answered", {}) == decision
