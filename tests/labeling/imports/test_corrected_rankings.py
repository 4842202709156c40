"""A later export that corrects an earlier one: the newer judgement counts, whichever file comes first."""

from pathlib import Path
from typing import Any

import pytest

from labeling.imports import import_rankings
from labeling.models import AuditEvent, Comparison, Project, Ranking
from tests.labeling.imports.files import ranking_record, write_lines

pytestmark = pytest.mark.django_db
BEFORE, AFTER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def task(*order: str, updated_at: str | None = BEFORE, annotation: int = 7, by: Any = 3) -> dict[str, Any]:
    """A task of Label Studio with one annotation."""
    made = {
        "id": annotation,
        "completed_by": by,
        "result": [{"type": "ranker", "value": {"ranker": {"rank": list(order)}}}],
    }
    if updated_at:
        made["updated_at"] = updated_at
    answers = [{"id": name, "body": f"Answer {name}"} for name in "ab"]
    return {"id": 1, "data": {"prompt": "Greet", "items": answers}, "annotations": [made]}


def bring(tmp_path: Path, project: Project, *tasks: dict[str, Any]) -> int:
    return import_rankings(write_lines(tmp_path / "tasks.jsonl", tasks), project=project, by=None).imported


def best_of(project: Project) -> list[str]:
    """The first answer of each ranking that counts."""
    counted = Ranking.objects.filter(comparison__project=project, retracted_at=None).select_related("comparison")
    contents = [
        ranking.comparison.completions.get(id=ranking.tiers[0][0]).content for ranking in counted.order_by("ranked_at")
    ]
    (comparison,) = Comparison.objects.filter(project=project)
    assert (comparison.num_rankings, comparison.rankings_wanted) == (len(contents), len(contents))
    return contents


def test_a_correction_replaces_what_it_corrects(project: Project, tmp_path: Path) -> None:
    bring(tmp_path, project, task("a", "b"))
    assert bring(tmp_path, project, task("b", "a", updated_at=AFTER)) == 1
    assert best_of(project) == ["Answer b"]
    old = Ranking.objects.exclude(retracted_at=None).get()
    assert AuditEvent.objects.filter(verb="correct imported ranking", subject_id=str(old.id)).exists()


def test_what_was_corrected_does_not_come_back(project: Project, tmp_path: Path) -> None:
    bring(tmp_path, project, task("b", "a", updated_at=AFTER))
    assert bring(tmp_path, project, task("a", "b")) == 0
    assert bring(tmp_path, project, task("b", "a", updated_at=AFTER)) == 0
    assert best_of(project) == ["Answer b"]


def test_of_two_versions_in_one_file_the_newer_counts(project: Project, tmp_path: Path) -> None:
    assert bring(tmp_path, project, task("b", "a", updated_at=AFTER), task("a", "b")) == 1
    assert best_of(project) == ["Answer b"]


def test_another_annotation_stands_beside_it(project: Project, tmp_path: Path) -> None:
    bring(tmp_path, project, task("a", "b"))
    bring(tmp_path, project, task("b", "a", updated_at=AFTER, annotation=8, by=4))
    assert best_of(project) == ["Answer a", "Answer b"]


def test_people_known_by_their_addresses_stay_two(project: Project, tmp_path: Path) -> None:
    bring(tmp_path, project, task("a", "b", by="Ann@example.org"), task("a", "b", annotation=8, by="bob@example.org"))
    bring(tmp_path, project, task("a", "b", annotation=9, by={"email": "ann@example.org"}, updated_at=AFTER))
    names = list(Ranking.objects.order_by("ranked_at", "outside_id").values_list("outside_trainer", flat=True))
    assert names[0] == names[2] != names[1]
    assert not any("@" in name or "ann" in name for name in names)


def test_our_own_export_with_a_later_ranking_under_an_old_id_corrects_it(project: Project, tmp_path: Path) -> None:
    row = ranking_record(num_completions=2, ranked_at=BEFORE)
    bring(tmp_path, project, row)
    bring(tmp_path, project, row | {"tiers": [["k-0-1"], ["k-0-0"]], "ranked_at": AFTER})
    assert best_of(project) == ["Answer k-0-1."]


def test_without_times_nobody_knows_which_is_newer(project: Project, tmp_path: Path) -> None:
    bring(tmp_path, project, task("a", "b", updated_at=None))
    bring(tmp_path, project, task("b", "a", updated_at=None))
    assert sorted(best_of(project)) == ["Answer a", "Answer b"]
