"""Every metric is told in words that can be told apart."""

from collections import Counter

import pytest

from records.metrics import MEASURED, RESULT, Metric


@pytest.mark.parametrize("table", [*MEASURED.values(), *RESULT.values()])
def test_every_metric_has_a_name_and_a_sentence_of_its_own(table: dict[str, Metric]) -> None:
    assert len(table) > 3
    for name, metric in table.items():
        assert metric.label, name
        assert metric.label[0].isupper(), name
        assert metric.sentence.endswith("."), name
    named = Counter((metric.label, metric.data, metric.unit) for name, metric in table.items() if name != "steps")
    assert max(named.values()) == 1, named
