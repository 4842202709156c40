"""The order of triage by worked numbers."""

import pytest

from labeling.statistics.triage import priority, reach, reporter_weight


@pytest.mark.parametrize(
    ("agreed", "decided", "weight"), [(0, 0, 1.0), (4, 4, 1.0), (5, 5, 6.0), (0, 5, 1.0), (3, 6, 3.5), (9, 10, 5.5)]
)
def test_a_reporter_weighs_by_the_share_agreed_with_once_five_were_decided(
    agreed: int, decided: int, weight: float
) -> None:
    assert reporter_weight(num_agreed=agreed, num_decided=decided) == pytest.approx(weight)


def test_reach_is_the_reporters_and_one_for_each_doubling_of_how_often_it_was_shown() -> None:
    assert [reach(num_reporters=3, num_shown=shown) for shown in (0, 1, 2, 8)] == [3.0, 3.0, 4.0, 6.0]


def test_priority_is_the_worst_severity_times_reach_times_weight() -> None:
    assert priority([1.0, 4.0], reach=3.0, weight=3.5) == 42.0
    assert priority([], reach=3.0, weight=1.0) == 0.0
