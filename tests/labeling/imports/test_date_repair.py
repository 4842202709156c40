"""manage.py mend_dates: what it finds, what becomes of it, what it says."""

import io
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from labeling.imports import import_rankings
from labeling.models import AuditEvent, Project, Ranking
from tests.labeling.exports.material import exported, rankings_in
from tests.labeling.factories import make_project
from tests.labeling.imports.files import ranking_record, write_lines

pytestmark = pytest.mark.django_db
STRANGE = ("0001-01-01 00:00:00+01", "9999-12-31 23:59:59-14", "1969-12-31 23:59:59+00", "2999-01-01 00:00:00+00")


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("mend_dates", *arguments, stdout=out)
    return out.getvalue()


def take_in(project: Project, tmp_path: Path, num: int) -> None:
    path = write_lines(tmp_path / "rankings.jsonl", [ranking_record(number) for number in range(num)])
    assert import_rankings(path, project=project, by=None).imported == num


def date_back(ranking: Ranking, date: str) -> None:
    """As an import before dates were looked at: the ORM refuses some of these, and the table's constraint others."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # no table is altered that has checks to come
        cursor.execute("ALTER TABLE labeling_ranking DROP CONSTRAINT IF EXISTS ranking_made_1970_to_2199")
        cursor.execute("UPDATE labeling_ranking SET ranked_at = %s::timestamptz WHERE id = %s", [date, ranking.id])


@pytest.mark.parametrize("date", STRANGE)
def test_a_strange_date_becomes_the_day_of_the_import_once(project: Project, tmp_path: Path, date: str) -> None:
    take_in(project, tmp_path, 3)
    sound, strange, _ = Ranking.objects.all()
    date_back(strange, date)
    said = run()
    assert f"ranking {strange.id}: " in said
    assert "1 dates mended" in said
    strange.refresh_from_db()
    assert strange.ranked_at == strange.comparison.created_at
    assert Ranking.objects.get(id=sound.id).ranked_at == sound.ranked_at
    assert len(rankings_in(exported(project))) == 3
    event = AuditEvent.objects.get(verb="mend dates")
    assert (event.project, list(event.detail["ranked_at"])) == (project, [str(strange.id)])
    assert run() == "0 dates mended\n"
    assert AuditEvent.objects.filter(verb="mend dates").count() == 1


def test_a_date_that_python_cannot_read_breaks_every_reader_until_it_is_mended(
    project: Project, tmp_path: Path
) -> None:
    take_in(project, tmp_path, 1)
    ranking = Ranking.objects.get()
    date_back(ranking, "9999-12-31 23:59:59-14")
    with pytest.raises(ValueError, match="year 10000"):
        Ranking.objects.get()
    assert f"ranking {ranking.id}: 10000-01-01 13:59:59+00 becomes" in run()
    assert Ranking.objects.get().ranked_at < timezone.now()


def test_a_dry_run_tells_the_same_and_changes_nothing(project: Project, tmp_path: Path) -> None:
    take_in(project, tmp_path, 1)
    date_back(Ranking.objects.get(), "1905-01-01 00:00:00+00")
    said = run("--dry-run")
    assert "1905-01-01 00:00:00+00 becomes" in said
    assert "1 dates would be mended" in said
    assert Ranking.objects.get().ranked_at.year == 1905
    assert not AuditEvent.objects.filter(verb="mend dates").exists()


def test_every_project_has_its_own_entry_in_the_history(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labeling.imports.date_repair._AT_ONCE", 3)
    other = make_project()
    take_in(project, tmp_path, 4)
    take_in(other, tmp_path, 3)
    for ranking in Ranking.objects.all():
        date_back(ranking, "2999-01-01 00:00:00+00")
    assert run().endswith("7 dates mended\n")
    for one, num in ((project, 4), (other, 3)):
        events = AuditEvent.objects.filter(verb="mend dates", project=one)
        assert sum(len(event.detail["ranked_at"]) for event in events) == num
