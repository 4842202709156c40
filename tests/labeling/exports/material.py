"""Rows for the tests of exports, and a quick way to build one and read it."""

import json
import uuid
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from labeling.exports import build, exports_folder, request_export
from labeling.models import Adjudication, Comparison, Export, Project, Ranking, User
from records import Ranking as RankingRecord
from records import read_jsonl
from tests.labeling.factories import make_comparison

STORE = "PARLEY_STORE"


def make_ranking(
    *,
    project: Project,
    comparison: Comparison | None = None,
    trainer: User | None = None,
    order: Sequence[Sequence[int]] = ((0,), (1,), (2, 3)),
    **fields: Any,
) -> Ranking:
    """A ranking of a comparison's completions by their indexes; an empty order abstains."""
    comparison = comparison or make_comparison(project=project, state=Comparison.State.DONE, open_slots=0)
    ids = [str(one) for one in comparison.completions.order_by("index").values_list("id", flat=True)]
    values: dict[str, Any] = {
        "tiers": [[ids[index] for index in tier] for tier in order],
        "abstained": None if order else "not my field",
        "shown_order": ids,
        "seconds": 30.0,
        "guideline_version": project.guidelines,
        "submission_key": uuid.uuid4(),
        **fields,
    }
    ranked_at = values.pop("ranked_at", None)
    ranking = Ranking.objects.create(comparison=comparison, trainer=trainer, **values)
    if ranked_at:
        Ranking.objects.filter(id=ranking.id).update(ranked_at=ranked_at)
    return ranking


def make_adjudication(comparison: Comparison, *, order: Sequence[int] = (), **fields: Any) -> Adjudication:
    """An adjudication in force, of the completions by their indexes; without an order as they stand."""
    ids = [str(one) for one in comparison.completions.order_by("index").values_list("id", flat=True)]
    now = timezone.now()
    values: dict[str, Any] = {
        "tiers": [[ids[index]] for index in order or range(len(ids))],
        "shown_order": ids,
        "state": Adjudication.State.DONE,
        "reason": Adjudication.Reason.MISTAKE,
        "guideline_version": comparison.project.guidelines,
        "ordered_at": now,
        "decided_at": now,
        **fields,
    }
    return Adjudication.objects.create(comparison=comparison, **values)


def exported(project: Project, kind: str = "rankings", **filters: Any) -> Export:
    """An export that is done."""
    export = request_export(project, kind=kind, filters=filters, by=None, notify_worker=False)
    assert build(export.id), Export.objects.get(id=export.id).error
    export.refresh_from_db()
    return export


def directory_of(export: Export) -> Path:
    return exports_folder() / str(export.id)


def manifest_of(export: Export) -> dict[str, Any]:
    return json.loads((directory_of(export) / "manifest.json").read_text())  # type: ignore[no-any-return]


def rankings_in(export: Export) -> list[RankingRecord]:
    return list(read_jsonl(directory_of(export) / "rankings.jsonl", RankingRecord))


def ids_in(export: Export) -> set[str]:
    file_name = f"{export.kind}.jsonl"
    return {json.loads(line)["id"] for line in (directory_of(export) / file_name).read_text().splitlines()}


def let_lease_run_out(export: Export) -> None:
    Export.objects.filter(id=export.id).update(lease_until=timezone.now() - timedelta(seconds=1))
