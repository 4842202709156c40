"""What the table of rankings keeps of dates and times, and what became of the rows from before it was so strict."""

import importlib
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.urls import reverse

from labeling.exports import build, request_export
from labeling.imports import import_rankings
from labeling.models import AuditEvent, Export, Project, Ranking
from tests.labeling.api.api_client import Program
from tests.labeling.exports.material import exported, rankings_in
from tests.labeling.factories import make_user
from tests.labeling.imports.files import ranking_record, write_lines
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db
MEND = importlib.import_module("labeling.migrations.0021_dates_and_times_that_can_be_read").MEND
DATES = ("0001-01-01 00:00:00+00", "0044-03-15 00:00:00+00 BC", "9999-12-31 23:59:59-14", "infinity")
SECONDS = ("-5", "1e300", "'NaN'", "'Infinity'", "31536001")


@pytest.fixture
def ranking(project: Project, tmp_path: Any) -> Ranking:
    path = write_lines(tmp_path / "rankings.jsonl", [ranking_record(0)])
    assert import_rankings(path, project=project, by=None).imported == 1
    return Ranking.objects.get()


def execute(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def lift_constraints() -> None:
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    execute(
        "ALTER TABLE labeling_ranking DROP CONSTRAINT ranking_made_1970_to_2199,"
        " DROP CONSTRAINT ranking_seconds_0_to_a_year"
    )


@pytest.mark.parametrize(
    "change", [f"ranked_at = '{date}'" for date in DATES] + [f"seconds = {one}" for one in SECONDS]
)
def test_no_door_lets_an_impossible_date_or_time_in(ranking: Ranking, change: str) -> None:
    with pytest.raises(IntegrityError, match=r"ranking_(made|seconds)"), transaction.atomic():
        execute(f"UPDATE labeling_ranking SET {change}")


@pytest.mark.parametrize("date", DATES)
def test_older_rows_are_mended_so_that_pages_the_api_and_parquet_work(
    project: Project, ranking: Ranking, date: str
) -> None:
    lift_constraints()
    execute("UPDATE labeling_ranking SET ranked_at = %s, seconds = 'NaN'", date)
    execute(MEND)
    ranking.refresh_from_db()
    assert (ranking.ranked_at, ranking.seconds) == (ranking.comparison.created_at, None)
    event = AuditEvent.objects.get(verb="mend dates")
    assert (event.project, list(event.detail["ranked_at"])) == (project, [str(ranking.id)])
    adam = make_user(username="adam", time_zone="America/New_York")
    assert as_user(adam).get(reverse("quality", args=(project.slug,))).status_code == 200
    assert len(Program(adam).get(f"projects/{project.slug}/rankings").json()["results"]) == 1
    assert len(rankings_in(exported(project))) == 1
    asked = request_export(project, kind="rankings", format="parquet", by=None, notify_worker=False)
    assert build(asked.id), Export.objects.get(id=asked.id).error
