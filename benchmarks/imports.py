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
    """import.rows_per_second."""
    with platform() as var:
        path = var / "rankings.jsonl"
        _write(path)
        rates = [rate(partial(_import, path, f"imported-{number}")) for number in range(REPEATS)]
        yield summarise(
            "import.rows_per_second",
            rates,
            unit="rankings a second",
            rankings=RANKINGS,
            completions=4,
            bytes_each=path.stat().st_size // RANKINGS,
        )


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
