"""Imports of rankings in the records format, through the same function as the command and the data page.

The whole file is checked before anything comes in, as by default. PARLEY_BENCH_IMPORT is how many rankings it holds
(15,000; beyond 64 MiB a file is read twice).
"""

import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, rate, summarise
from benchmarks.platform import platform

RANKINGS = int(os.environ.get("PARLEY_BENCH_IMPORT", "15000"))
REPEATS = 3


def figures() -> Iterator[Figure]:
    """import.rows_per_second and import.fraction_of_copy, whose two sides take turns."""
    with platform() as var:
        path = var / "rankings.jsonl"
        _write(path)
        imported, copied = [], []
        for number in range(REPEATS):
            slug = f"imported-{number}"
            imported.append(rate(partial(_import, path, slug)))
            _take_out(slug, var)
            copied.append(rate(partial(_copy_in, var)))
        about: dict[str, Any] = {
            "rankings": RANKINGS,
            "completions": 4,
            "bytes_each": path.stat().st_size // RANKINGS,
        }
        yield summarise("import.rows_per_second", imported, unit="rankings a second", **about)
        fractions = [ours / floor for ours, floor in zip(imported, copied, strict=True)]
        yield summarise("import.fraction_of_copy", fractions, unit="ratio", **about)


# The tables that an import of rankings fills, by the order of their foreign keys, and which rows are a project's.
TABLES = {
    "labeling_comparison": "project_id = '{project}'",
    "labeling_completion": "comparison_id IN (SELECT id FROM labeling_comparison WHERE project_id = '{project}')",
    "labeling_ranking": "comparison_id IN (SELECT id FROM labeling_comparison WHERE project_id = '{project}')",
}


def _take_out(slug: str, var: Path) -> None:
    """Move what was imported out of the tables, into a file a table."""
    from django.db import connection, transaction

    from labeling.models import Project

    project = Project.objects.get(slug=slug).id
    with transaction.atomic(), connection.cursor() as cursor:
        for table, condition in TABLES.items():
            rows = f"SELECT * FROM {table} WHERE {condition.format(project=project)}"
            with open(var / f"{table}.copy", "wb") as file:
                cursor.copy_expert(f"COPY ({rows}) TO STDOUT", file)
        for table, condition in reversed(TABLES.items()):
            cursor.execute(f"DELETE FROM {table} WHERE {condition.format(project=project)}")


def _copy_in(var: Path) -> int:
    """The same rows back into the same tables, with their indexes and constraints, in one transaction."""
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        for table in TABLES:
            with open(var / f"{table}.copy", "rb") as file:
                cursor.copy_expert(f"COPY {table} FROM STDIN", file)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # Django's foreign keys are checked at the end
    return RANKINGS


def _import(path: Path, slug: str) -> int:
    from labeling.imports import import_rankings
    from labeling.models import Project

    project = Project.objects.create(slug=slug, name=slug)
    report = import_rankings(path, project=project, by=None)
    if report.imported != RANKINGS:
        raise RuntimeError(f"{report.imported} of {RANKINGS} came in: {report.refused[:3]}")
    return report.imported


def _write(path: Path) -> None:
    with open(path, "w", encoding="utf-8") as file:
        for number in range(RANKINGS):
            file.write(json.dumps(_ranking(number)) + "\n")


def _ranking(number: int) -> dict[str, Any]:
    """One of four completions, with all that an export of ours says, 2.4 KB of text."""
    ids = [f"k-{number}-{index}" for index in range(4)]
    sampling = {"temperature": 0.7, "top_p": 1.0, "top_k": 0, "max_new_tokens": 256}
    return {
        "id": f"r-{number}",
        "comparison_id": f"c-{number}",
        "messages": [{"role": "user", "content": f"Question {number}" + " or why" * 40}],
        "completions": [
            {
                "id": name,
                "content": f"Answer {name}\n" + "An answer. " * (35 + 6 * index),
                "policy": "another-policy",
                "sampling": {**sampling, "seed": index},
                "finish_reason": "stop",
                "num_tokens": 100 + index,
                "logprob": -52.25 - index,
            }
            for index, name in enumerate(ids)
        ],
        "tiers": [[ids[2]], [ids[0], ids[3]], [ids[1]]],
        "unacceptable_from": 2,
        "shown_order": [ids[1], ids[0], ids[3], ids[2]],
        "trainer": "t-1",
        "seconds": 41.5,
        "ranked_at": "2026-03-04T05:06:07+00:00",
        "topic": f"topic {number % 9}",
    }
