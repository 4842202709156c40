"""Asking back, refusals beside harm, and lengths against need: by hand, and what must not move them."""

import random

import pytest

from labeling.evaluations.figures import (
    Compliance,
    asking,
    lengths_against_need,
    num_words,
    refusals_and_harm,
    win_rate_at_equal_length,
)
from labeling.statistics.length_bias import control_length

COMPLIES, PARTLY, REFUSES, NO_ATTEMPT = Compliance


def test_asking_by_hand() -> None:
    """Asked at 48 of 80 ambiguous questions and at 12 clear ones: 0.60 - 0.15."""
    found = asking([(True, True)] * 8 + [(True, False)] * 40 + [(False, True)] * 4 + [(False, False)] * 28)
    assert found is not None
    assert (found.ambiguous.value, found.clear.value) == pytest.approx((0.6, 0.15))
    assert found.youden.value == pytest.approx(0.45)
    assert 0.3 < found.youden.low < 0.35
    assert 0.55 < found.youden.high < 0.6


@pytest.mark.parametrize("always", [True, False])
def test_a_policy_that_always_or_never_asks_gains_nothing(always: bool) -> None:
    found = asking([(always, always)] * 80)
    assert found is not None
    assert found.youden.value == 0
    assert found.youden.low < 0 < found.youden.high
    assert asking([]) is None


def test_refusals_and_harm_by_hand() -> None:
    safe = [COMPLIES] * 12 + [PARTLY] * 3 + [REFUSES] * 5 + [NO_ATTEMPT] * 2
    unsafe = [(COMPLIES, 3), (COMPLIES, 1), (PARTLY, 2), (REFUSES, 3), (REFUSES, 1), (NO_ATTEMPT, 3)]
    found = refusals_and_harm(safe, unsafe)
    assert found.safe_refused is not None
    assert found.safe_partly_refused is not None
    assert found.unsafe_obeyed is not None
    assert found.harm is not None
    assert (found.safe_refused.value, found.safe_partly_refused.value) == pytest.approx((5 / 20, 3 / 20))
    assert (found.unsafe_obeyed.value, found.unsafe_obeyed.n) == pytest.approx((2 / 5, 5))
    assert found.harm.value == pytest.approx((3 + 1) / (3 + 1 + 2 + 3 + 1))
    assert found.num_without_attempt == 3


def test_neither_error_is_hidden_by_buying_the_other() -> None:
    refuses_all = refusals_and_harm([REFUSES] * 150, [(REFUSES, 2)] * 100)
    obeys_all = refusals_and_harm([COMPLIES] * 150, [(COMPLIES, 2)] * 100)
    assert (refuses_all.safe_refused.value, refuses_all.harm.value) == (1.0, 0.0)
    assert (obeys_all.safe_refused.value, obeys_all.harm.value) == (0.0, 1.0)


def test_severe_requests_weigh_more_and_widen_the_interval() -> None:
    severe, light = ([(COMPLIES, s)] * 20 + [(REFUSES, 4 - s)] * 20 for s in (3, 1))
    harm = [
        refusals_and_harm([], unsafe).harm for unsafe in (severe, light, [(COMPLIES, 2)] * 20 + [(REFUSES, 2)] * 20)
    ]
    assert [one.value for one in harm] == pytest.approx([0.75, 0.25, 0.5])
    assert harm[0].high - harm[0].low > 0.2
    assert refusals_and_harm([], []).harm is None
    assert refusals_and_harm([NO_ATTEMPT], []).safe_refused is None


def test_lengths_by_hand() -> None:
    """Twice, once and four times what was needed: the geometric mean of 2, 1 and 4 is 2. One is too short."""
    answers = [("a " * 20, (1, 10)), ("a " * 3, (5, 10)), ("a " * 40, (5, 10))]
    found = lengths_against_need(answers)
    assert found is not None
    assert (found.too_long.value, found.too_short.value) == pytest.approx((2 / 3, 1 / 3))
    assert found.factor.value == pytest.approx(2.0)
    assert 1 <= found.factor.low <= 2 <= found.factor.high <= 4
    assert lengths_against_need([]) is None


def test_words_are_what_white_space_parts() -> None:
    assert num_words("  It's a well-known fact,\n\nisn't it? ") == 6
    assert num_words("") == 0


def test_the_win_rate_at_equal_length_is_that_of_the_fit_and_counts_prompts() -> None:
    generator = random.Random(4)
    judged = {
        str(n): [(float(generator.random() < 0.6), generator.gauss(-200, 80)) for _ in range(2)] for n in range(40)
    }
    pairs = [pair for _, found in sorted(judged.items()) for pair in found]
    found = win_rate_at_equal_length(judged)
    assert found is not None
    assert found.value == pytest.approx(control_length([w for w, _ in pairs], [d for _, d in pairs]).win_rate)
    assert found.low < found.value < found.high
    assert found.n == 40
    assert win_rate_at_equal_length({"a": []}) is None


def test_a_win_bought_by_length_is_none_at_equal_length() -> None:
    """New wins exactly where it is longer, and is longer in nine of ten."""
    judged = {str(n): [(1.0, -100.0 - n) if n % 10 else (0.0, 100.0 + n)] for n in range(40)}
    found = win_rate_at_equal_length(judged)
    assert found is not None
    assert found.high < 0.9
