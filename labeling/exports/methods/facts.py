"""The facts of a methods section that are not among an export's counts, as JSON values for its manifest.

Nobody is named: trainers are numbers by kind. Models are named as the records name them; the model that one was
trained from is a hash alone, since it may belong to a project that its readers may not see.
"""

import hashlib
from dataclasses import asdict
from typing import Any

from labeling.exports.filters import Filters
from labeling.exports.records import Source
from labeling.exports.statistics import DemonstrationStatistics, RankingStatistics, Statistics, ThumbStatistics
from labeling.models import Policy, Project
from labeling.web.version import running_version


def num_unfiltered(source: Source, project: Project) -> int:
    """How many records an export of this kind would hold if no filter were set."""
    kinds = (source.rows, source.beside) if source.beside else (source.rows,)
    return sum(rows(project, Filters()).order_by().count() for rows in kinds)


def methods_facts(project: Project, statistics: Statistics, *, unfiltered: int) -> dict[str, Any]:
    """Everything that records.methods reads under "methods"; a fact that a kind does not have is absent."""
    facts: dict[str, Any] = {
        "parley": running_version(),
        "unfiltered": unfiltered,
        "guidelines": _guidelines(project, statistics),
        "trainers": {kind: len(names) for kind, names in sorted(statistics.trainers_of_kind.items())},
    }
    if isinstance(statistics, DemonstrationStatistics):
        facts["trainers"] = {"author": len(statistics.trainers)}
    if isinstance(statistics, RankingStatistics | ThumbStatistics):
        facts["policies"] = _policies(statistics)
    if isinstance(statistics, RankingStatistics):
        rate = statistics.agreement.rate()
        facts |= {
            "agreement": asdict(rate) if rate else None,
            "sampling": _sampling(statistics),
            "assignment": {
                "num_completions": project.num_completions,
                "rankings_wanted": project.rankings_wanted,
                "gold_every": project.gold_every,
                "practice_required": project.practice_required,
                "forbids_own_text": project.forbids_own_text,
            },
        }
    return facts


def _guidelines(project: Project, statistics: Statistics) -> list[dict[str, Any]]:
    """Version, day (UTC) and SHA-256 of the text of each version that a record names."""
    named = project.guideline_versions.filter(version__in=list(map(int, statistics.guideline_versions)))
    return [
        {
            "version": one.version,
            "date": one.created_at.date().isoformat(),
            "sha256": hashlib.sha256(one.text.encode()).hexdigest(),
        }
        for one in named.order_by("version")
    ]


def _policies(statistics: RankingStatistics | ThumbStatistics) -> list[dict[str, Any]]:
    """The policies whose completions are in the records, as far as the platform knows them, by name."""
    rows = Policy.objects.filter(name__in=list(statistics.policies)).select_related("parent").order_by("name")
    return [
        {
            "name": one.name,
            "backend": one.backend,
            "manifest_sha256": one.manifest_sha256 or None,
            "parent_sha256": (one.parent.manifest_sha256 or None) if one.parent else None,
        }
        for one in rows
    ]


def _sampling(statistics: RankingStatistics) -> list[dict[str, Any]]:
    """Each way in which completions were sampled, the most frequent first."""
    ways = sorted(statistics.samplings.items(), key=lambda pair: (-pair[1], pair[0]))
    return [{**way._asdict(), "completions": num} for way, num in ways]
