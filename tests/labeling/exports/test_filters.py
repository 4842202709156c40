"""Filters are read strictly and written canonically."""

from datetime import date
from typing import Any

import pytest

from labeling.exports import FilterError, Filters, read_filters


def test_they_come_back_as_they_were_written() -> None:
    filters = read_filters(
        "rankings",
        {
            "rounds": ["2", 1, 1],
            "since": "2026-01-02",
            "until": date(2026, 3, 4),
            "trainers": ["t-b", " t-a "],
            "trainer_kinds": "person",
            "topics": ["x"],
            "states": ["done"],
            "guideline_versions": ["2"],
            "agreement_at_least": "70",
            "split_by": "trainer",
            "scrubs_personal_data": True,
            "validation_percent": "20",
            "test_percent": 0,
        },
    )
    assert filters.rounds == (1, 2)
    assert filters.trainers == ("t-a", "t-b")
    assert (filters.validation_percent, filters.test_percent) == (20, 0)
    assert read_filters("rankings", filters.encoded()) == filters


def test_nothing_said_means_everything() -> None:
    empty = read_filters("prompts", {"topics": [], "since": "", "rounds": None})
    assert empty == Filters()
    assert empty.encoded() == {"validation_percent": 10, "test_percent": 10}


@pytest.mark.parametrize(
    "values",
    [
        {"since": "2026-01-02", "until": "2026-01-02"},
        {"test_percent": 90, "validation_percent": 0},
        {"test_percent": 45, "validation_percent": 45},
        {"agreement_at_least": 0},
        {"agreement_at_least": 100},
    ],
)
def test_the_ends_of_each_range_are_allowed(values: dict[str, Any]) -> None:
    encoded = read_filters("rankings", values).encoded()
    assert {name: encoded[name] for name in values} == values


@pytest.mark.parametrize(
    ("kind", "values", "complaint"),
    [
        ("rankings", {"colour": "red"}, "no filter “colour”"),
        ("rankings", {"rounds": ["one"]}, "must be whole numbers"),
        ("rankings", {"rounds": [True]}, "must be whole numbers"),
        ("rankings", {"rounds": [1.5]}, "must be whole numbers"),
        ("rankings", {"test_percent": True}, "must be whole numbers"),
        ("rankings", {"test_percent": 12.9}, "must be whole numbers"),
        ("rankings", {"test_percent": [10, 20]}, "“test_percent” must be one whole number"),
        ("rankings", {"agreement_at_least": [70, 80]}, "“agreement_at_least” must be one whole number"),
        ("rankings", {"since": "yesterday"}, "must be a day such as 2026-11-24"),
        ("rankings", {"since": "2026-02-01", "until": "2026-01-01"}, "after “until”"),
        ("rankings", {"states": ["withdrawn"]}, "“withdrawn” is not one of states: open, done"),
        ("rankings", {"trainer_kinds": ["robot"]}, "is not one of trainer_kinds: person, simulated, imported"),
        ("rankings", {"topics": [3]}, "must be a list of texts"),
        ("rankings", {"test_percent": 91}, "between 0 and 90"),
        ("rankings", {"test_percent": -1}, "between 0 and 90"),
        ("rankings", {"test_percent": 50, "validation_percent": 41}, "At most 90 percent"),
        ("rankings", {"agreement_at_least": 101}, "between 0 and 100"),
        ("rankings", {"split_by": "mood"}, "“mood” is not one of split_by: prompt, trainer"),
        ("rankings", {"scrubs_personal_data": "yes"}, "must be true or false"),
        ("demonstrations", {"agreement_at_least": 50}, "does not apply to demonstrations"),
        ("prompts", {"split_by": "trainer"}, "does not apply to prompts"),
        ("prompts", {"rounds": [1]}, "“rounds” does not apply to prompts"),
        ("demonstrations", {"states": ["draft"]}, "“draft” is not one of states: accepted, submitted"),
    ],
)
def test_what_cannot_be_is_refused(kind: str, values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(FilterError, match=complaint):
        read_filters(kind, values)
