"""Which dates of files can be kept, and that the others are refused where they come in."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from labeling.imports import import_rankings
from labeling.imports.dates import EARLIEST, moment_of
from labeling.models import Project
from tests.labeling.exports.material import exported, rankings_in
from tests.labeling.imports.files import ranking_record, write_lines


@pytest.mark.parametrize(
    "date",
    ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-14:00", "0001-01-01", "1969-12-31T23:59:59Z", "2999-01-01"],
)
def test_a_date_that_cannot_be_kept_is_none(date: str) -> None:
    with pytest.raises(ValueError, match=f'"ranked_at" is {date[:4]}.*; a date from 1970-01-01 to a day from now'):
        moment_of(date, "ranked_at")


@pytest.mark.parametrize("date", ["", "yesterday", "2026-02-30", "٢٠٢٦-01-01T٠٠", "9999-W53-7"])
def test_what_is_no_date_is_none(date: str) -> None:
    with pytest.raises(ValueError, match='"ranked_at" is no date and time'):
        moment_of(date, "ranked_at")


def test_dates_at_the_edges_are_kept_and_clocks_may_differ_by_hours() -> None:
    assert moment_of("1970-01-01T00:00:00Z", "ranked_at") == EARLIEST
    assert moment_of("2025-06-01T12:00:00", "ranked_at") == datetime(2025, 6, 1, 12, tzinfo=UTC)
    ahead = timezone.now() + timedelta(hours=20)
    assert moment_of(ahead.isoformat(), "ranked_at") == ahead


@pytest.mark.django_db
def test_a_file_with_such_a_date_is_refused_and_with_skip_the_rest_comes_in(project: Project, tmp_path: Path) -> None:
    bad = ranking_record(1, ranked_at="0001-01-01T00:00:00+01:00")
    path = write_lines(tmp_path / "rankings.jsonl", [ranking_record(0), bad])
    report = import_rankings(path, project=project, by=None)
    assert (report.stopped, report.refused[0].line) == (True, 2)
    assert '"ranked_at" is 0001-01-01T00:00:00+01:00; a date from 1970' in report.refused[0].reason
    assert import_rankings(path, project=project, by=None, on_error="skip").imported == 1
    assert len(rankings_in(exported(project))) == 1
