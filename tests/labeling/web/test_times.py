"""Points in time and durations have one form each, in the account's zone, and no template writes another."""

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.template import engines
from django.utils import timezone

TEMPLATES = Path(__file__).resolve().parents[3] / "labeling" / "templates"
# Filters of Django that write times in forms of their own, and units written behind a figure. `c` is for machines.
OTHER_FORMS = re.compile(
    r"""\|date:(?!["']c["'])|\|(?:date|time|timesince|timeuntil|naturaltime|naturalday)\b(?!:)|\{%\s*now\b"""
    r"""|(?:seconds|\|floatformat(?::\d)?)\s*\}\}\s*(?:s|sec|seconds|min|minutes|h|hours)\b"""
)


def rendered(source: str, **values: object) -> str:
    return engines["django"].from_string(source).render(values)


def test_a_point_in_time_is_said_in_the_active_zone_with_the_year_only_of_another_year() -> None:
    this_year = timezone.now().year
    at, before = (datetime(year, 6, 30, 22, 5, tzinfo=UTC) for year in (this_year, 2020))
    with timezone.override(ZoneInfo("Europe/Berlin")):
        assert rendered("{{ at|moment }}", at=at) == "1 Jul, 00:05"
        assert rendered("{{ at|moment }} / {{ at|day }}", at=before) == "1 Jul 2020, 00:05 / 1 Jul 2020"
        assert rendered("{{ at|clock }}", at=at) == "00:05"
    assert rendered("{{ at|moment }}{{ at|day }}{{ at|clock }}", at=None) == ""


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "–"), (9.6, "10 s"), (75, "1 min 15 s"), (26, "26 s"), (7265, "2 h 1 min")]
)
def test_a_duration_is_said_in_its_two_largest_units(seconds: float | None, words: str) -> None:
    assert rendered("{{ seconds|duration }}", seconds=seconds) == words


def test_no_template_writes_times_in_another_form() -> None:
    found = [
        f"{path.name}:{number}: {other.group()}"
        for path in sorted(TEMPLATES.rglob("*.html"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for other in OTHER_FORMS.finditer(line)
    ]
    assert found == []


@pytest.mark.parametrize("other", ['{{ at|date:"j M" }}', "{{ at|timesince }}", "{{ row.seconds }} s", "{{ at|time }}"])
def test_another_form_would_be_found(other: str) -> None:
    assert OTHER_FORMS.search(other)
    assert not OTHER_FORMS.search("<time datetime=\"{{ at|date:'c' }}\">{{ at|moment }}</time>")
