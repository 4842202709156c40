"""A detector's counts, corrected by how it errs: by hand, unbiased, and with an interval that holds."""

import random

import pytest

from labeling.statistics.misclassification import DetectorErrors, corrected_share, detector_errors

ERRORS = DetectorErrors(sensitivity=0.9, num_positive=50, specificity=0.95, num_negative=100)


def test_the_correction_by_hand() -> None:
    """q = 0.15: (0.15 + 0.95 - 1) / 0.85. For the bounds q' = 31.92 / 203.84, Se' = 46/52, Sp' = 96/102."""
    found = corrected_share(30, 200, ERRORS)
    assert found is not None
    assert found.detected == 0.15
    assert found.estimate.value == pytest.approx(0.1 / 0.85)
    centre = (0.156596 + 0.941176 - 1) / 0.825792
    of_sensitivity, of_specificity = 0.884615 * 0.115385 / 52, 0.941176 * 0.058824 / 102
    shift = 2 * 3.841459 * (centre * of_sensitivity - (1 - centre) * of_specificity)
    variance = 0.156596 * 0.843404 / 203.841459 + centre**2 * of_sensitivity + (1 - centre) ** 2 * of_specificity
    half = 1.959964 * variance**0.5 / 0.825792
    assert (found.estimate.low, found.estimate.high) == pytest.approx(
        (centre + shift - half, centre + shift + half), abs=2e-5
    )
    assert not found.is_clipped


def test_a_perfect_detector_is_believed() -> None:
    sure = DetectorErrors(sensitivity=1.0, num_positive=10**7, specificity=1.0, num_negative=10**7)
    found = corrected_share(40, 100, sure)
    assert found is not None
    assert found.estimate.value == pytest.approx(0.4)
    assert (found.estimate.low, found.estimate.high) == pytest.approx((0.31, 0.50), abs=0.01)


def test_few_labels_make_the_interval_wide() -> None:
    few = DetectorErrors(sensitivity=0.9, num_positive=10, specificity=0.95, num_negative=20)
    wide, narrow = corrected_share(60, 200, few), corrected_share(60, 200, ERRORS)
    assert wide is not None
    assert narrow is not None
    assert wide.estimate.value == pytest.approx(narrow.estimate.value)
    assert wide.estimate.high - wide.estimate.low > 1.5 * (narrow.estimate.high - narrow.estimate.low)


def test_what_lies_outside_is_moved_to_the_border_and_says_so() -> None:
    """Fewer are detected than the detector's false alarms alone would make."""
    none = corrected_share(2, 200, ERRORS)
    every = corrected_share(198, 200, ERRORS)
    assert none is not None
    assert every is not None
    assert (none.estimate.value, none.estimate.low, none.is_clipped) == (0.0, 0.0, True)
    assert (every.estimate.value, every.estimate.high, every.is_clipped) == (1.0, 1.0, True)
    assert none.estimate.high < 0.05


def test_a_detector_that_guesses_says_nothing() -> None:
    guess = DetectorErrors(sensitivity=0.5, num_positive=50, specificity=0.5, num_negative=50)
    assert corrected_share(30, 100, guess) is None
    with pytest.raises(ValueError, match="not 5 of 4"):
        corrected_share(5, 4, ERRORS)


def test_errors_are_counted_from_labels() -> None:
    labelled = [(True, True)] * 9 + [(False, True)] + [(False, False)] * 19 + [(True, False)]
    found = detector_errors(labelled)
    assert found is not None
    assert (found.sensitivity, found.num_positive) == pytest.approx((0.9, 10))
    assert (found.specificity, found.num_negative) == pytest.approx((0.95, 20))
    assert found.youden == pytest.approx(0.85)
    assert found.sensitivity_interval[0] < 0.9 < found.sensitivity_interval[1]
    assert detector_errors([(True, True)]) is None


def test_labels_that_were_drawn_unevenly_are_weighted() -> None:
    """All detected answers are labelled and one of ten undetected: the missed one stands for ten."""
    labelled = [(True, True)] * 10 + [(False, True)] + [(True, False)] * 2 + [(False, False)] * 9
    found = detector_errors(labelled, [1.0] * 10 + [10.0] + [1.0] * 2 + [10.0] * 9)
    assert found is not None
    assert found.sensitivity == pytest.approx(10 / 20)
    assert found.specificity == pytest.approx(90 / 92)
    assert found.num_positive == pytest.approx(20**2 / 110)


def test_on_a_planted_truth_it_is_unbiased_and_the_interval_holds_it() -> None:
    generator = random.Random(11)
    values, held = [], 0
    for _ in range(600):
        sensitivity = sum(generator.random() < 0.85 for _ in range(60)) / 60
        specificity = sum(generator.random() < 0.9 for _ in range(60)) / 60
        detected = sum(generator.random() < (0.85 if generator.random() < 0.3 else 0.1) for _ in range(150))
        errors = DetectorErrors(sensitivity=sensitivity, num_positive=60, specificity=specificity, num_negative=60)
        found = corrected_share(detected, 150, errors)
        assert found is not None
        values.append(found.estimate.value)
        held += found.estimate.low <= 0.3 <= found.estimate.high
    assert sum(values) / 600 == pytest.approx(0.3, abs=0.01)
    assert held / 600 >= 0.93
