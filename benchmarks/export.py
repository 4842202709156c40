"""Exports of rankings in the records format, against PostgreSQL's own COPY of the same joined rows, and in memory.

PARLEY_BENCH_EXPORT is how many comparisons the memory figure exports (1,000,000); the rate is taken over 50,000.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, rate, ratio, summarise
from benchmarks.platform import CHECKOUT, platform

LARGE = int(os.environ.get("PARLEY_BENCH_EXPORT", "1000000"))
RATED = min(50_000, LARGE)
REPEATS = 3


def figures() -> Iterator[Figure]:
    """export.fraction_of_copy, export.peak_mb_1m."""
    with platform() as var:
        yield _against_copy(var, _filled("rated", RATED))
        yield _peak(_filled("large", LARGE))


def _against_copy(var: Path, project: Any) -> Figure:
    figure = ratio(
        "export.fraction_of_copy",
        lambda: rate(lambda: _export(project)),
        lambda: rate(lambda: _copy(project, _JOINED, var / "copied")),
        repeats=REPEATS,
        unit="share",
        measure="rankings a second, files written; an export is also hashed, counted and flushed to the disk",
        rankings=RATED,
        completions=4,
    )
    as_json = [rate(lambda: _copy(project, _AS_JSON, var / "copied")) for _ in range(REPEATS)]
    figure.detail["copy of one JSON object a ranking"] = as_json
    return figure


def _peak(project: Any) -> Figure:
    """The most memory of a process of its own that builds one export."""
    command = [sys.executable, "-m", "benchmarks.export", project.slug]
    measured = subprocess.run(command, cwd=CHECKOUT, env=os.environ, check=True, capture_output=True, text=True)
    peak = float(measured.stdout.split()[-1])
    return summarise("export.peak_mb_1m", [peak], unit="MB", rankings=LARGE)


def _export(project: Any) -> int:
    from labeling.exports import build, request_export
    from labeling.models import Export

    export = request_export(project, kind="rankings", by=None, notify_worker=False)
    if not build(export.id):
        raise RuntimeError(Export.objects.get(id=export.id).error)
    return int(Export.objects.get(id=export.id).num_records)


def _copy(project: Any, statement: str, path: Path) -> int:
    from django.db import connection

    with connection.cursor() as cursor, open(path, "wb") as file:
        cursor.copy_expert(f"COPY ({statement % {'project': project.id}}) TO STDOUT", file)
        return int(cursor.rowcount) // (4 if statement is _JOINED else 1)


def _filled(slug: str, num: int) -> Any:
    """A project of finished comparisons of four completions with one ranking each, 2.4 KB of text a ranking."""
    from django.db import connection

    from labeling.models import GuidelineVersion, Policy, Project, User

    policy, _ = Policy.objects.get_or_create(name="bench", defaults={"store_path": "policies/bench"})
    project = Project.objects.create(slug=slug, name=slug, policy=policy)
    guidelines = GuidelineVersion.objects.create(project=project, version=1, text="Be helpful.")
    trainer = User.objects.create_user(f"trainer-of-{slug}", None, role=User.Role.TRAINER)
    values = {
        "project": project.id,
        "num": num,
        "policy": policy.id,
        "guidelines": guidelines.id,
        "trainer": trainer.id,
    }
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(_FILL, {name: value if isinstance(value, int) else str(value) for name, value in values.items()})
        cursor.execute("VACUUM ANALYZE")
    return project


_FILL = """
    WITH made AS (
        INSERT INTO labeling_comparison (id, project_id, state, messages, prompt_sha256, topic, source,
            rankings_wanted, open_slots, num_rankings, queue_key, use, created_at)
        SELECT gen_random_uuid(), %(project)s, 'done',
            jsonb_build_array(jsonb_build_object('role', 'user', 'content', 'Question ' || n || repeat(' or why', 40))),
            md5(n::text), 'topic ' || n %% 9, '', 1, 0, 1, random(), 'work', now()
        FROM generate_series(1, %(num)s) n RETURNING id
    ), answered AS (
        INSERT INTO labeling_completion (id, comparison_id, index, content, policy_id, sampling, finish_reason,
            num_tokens, logprob, outside_policy, created_at)
        SELECT gen_random_uuid(), made.id, k, 'Answer ' || k || E'\\n' || repeat('An answer. ', 35 + 6 * k), %(policy)s,
            jsonb_build_object('temperature', 0.7, 'top_p', 1.0, 'top_k', 0, 'max_new_tokens', 256, 'seed', k), 'stop',
            100 + k, -52.25 - k, '', now()
        FROM made CROSS JOIN generate_series(0, 3) k RETURNING id, comparison_id
    ), listed AS (
        SELECT comparison_id, jsonb_agg(id) AS shown, jsonb_agg(jsonb_build_array(id)) AS tiers
        FROM answered GROUP BY comparison_id
    )
    INSERT INTO labeling_ranking (id, comparison_id, trainer_id, submission_key, tiers, shown_order,
                                  unacceptable_from, seconds, guideline_version_id, layout, source, outside_trainer,
                                  ranked_at)
    SELECT gen_random_uuid(), comparison_id, %(trainer)s, gen_random_uuid(), tiers, shown, 2, 41.5, %(guidelines)s,
           '', '', '', now()
    FROM listed
"""
_JOINED = """
    SELECT ranking.*, comparison.messages, comparison.topic, comparison.source, completion.*, policy.name,
           trainer.pseudonym, guidelines.version
    FROM labeling_ranking ranking
    JOIN labeling_comparison comparison ON comparison.id = ranking.comparison_id
    JOIN labeling_completion completion ON completion.comparison_id = comparison.id
    LEFT JOIN labeling_policy policy ON policy.id = completion.policy_id
    LEFT JOIN labeling_user trainer ON trainer.id = ranking.trainer_id
    LEFT JOIN labeling_guidelineversion guidelines ON guidelines.id = ranking.guideline_version_id
    WHERE comparison.project_id = '%(project)s'
    ORDER BY ranking.comparison_id, ranking.id, completion.index
"""
_AS_JSON = """
    SELECT to_json(ranking), comparison.messages, comparison.topic, trainer.pseudonym, guidelines.version,
           (SELECT json_agg(completion ORDER BY completion.index) FROM labeling_completion completion
            WHERE completion.comparison_id = comparison.id)
    FROM labeling_ranking ranking
    JOIN labeling_comparison comparison ON comparison.id = ranking.comparison_id
    LEFT JOIN labeling_user trainer ON trainer.id = ranking.trainer_id
    LEFT JOIN labeling_guidelineversion guidelines ON guidelines.id = ranking.guideline_version_id
    WHERE comparison.project_id = '%(project)s'
    ORDER BY ranking.comparison_id, ranking.id
"""


def _alone(slug: str) -> None:
    """Build one export and print how much memory that took at most, in MB."""
    import django

    django.setup()
    from labeling.models import Project

    _export(Project.objects.get(slug=slug))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    _alone(sys.argv[1])
