"""What trainers were told, held against the rows: nothing acknowledged is lost, doubled, changed or too much.

From the history and the database alone; knows neither the platform's code nor its faults.
"""

import json
from collections import Counter
from typing import Any

from tests.chaos.trainers import Sent

# The law of labeling.rankings.assignment, and of every comparison's counts.
_BROKEN = """
    SELECT c.id FROM labeling_comparison c
    LEFT JOIN (SELECT comparison_id, count(*) AS num FROM labeling_lease WHERE state = 'open' GROUP BY 1) l
           ON l.comparison_id = c.id
    LEFT JOIN (SELECT comparison_id, count(*) AS num FROM labeling_ranking WHERE retracted_at IS NULL GROUP BY 1) r
           ON r.comparison_id = c.id
    WHERE c.use = 'work' AND (c.open_slots <> c.rankings_wanted - coalesce(l.num, 0) - coalesce(r.num, 0)
       OR c.num_rankings <> coalesce(r.num, 0) OR (c.state = 'done') <> (coalesce(r.num, 0) >= c.rankings_wanted))
"""
_OVER = """
    SELECT c.id FROM labeling_comparison c JOIN labeling_ranking r ON r.comparison_id = c.id AND r.retracted_at IS NULL
    WHERE c.use = 'work' GROUP BY c.id HAVING count(*) > c.rankings_wanted
"""
_RANKINGS = """
    SELECT id::text, comparison_id::text, trainer_id::text, lease_id::text, submission_key::text, tiers::text
    FROM labeling_ranking WHERE retracted_at IS NULL
"""
_LEASES = """
    SELECT id::text, comparison_id::text, trainer_id::text, state, draft_version, draft->'submission'->>'key'
    FROM labeling_lease
"""
_NOTED = "SELECT subject_id, count(*) FROM labeling_auditevent WHERE verb = 'submit ranking' GROUP BY 1"

_GONE: dict[str, Any] = {"kept": None, "draft": -1}  # of a lease that is no longer there


def check(cursor: Any, history: list[Sent]) -> dict[str, list[str]]:
    """The ids of what went wrong, by kind; every list is empty where all is well."""
    rankings = _rows(cursor, _RANKINGS, "id", "comparison", "trainer", "lease", "key", "tiers")
    leases = {row["id"]: row for row in _rows(cursor, _LEASES, "id", "comparison", "trainer", "state", "draft", "kept")}
    noted = dict(_tuples(cursor, _NOTED))
    by_id = {row["id"]: row for row in rankings}
    sent_keys = {one.key for one in history}
    found: dict[str, list[str]] = {
        "lost": [one.ranking for one in history if one.ranking and one.ranking not in by_id],
        "changed": [one.ranking for one in history if one.ranking in by_id and not _is_as_sent(one, by_id)],
        "doubled": _more_than_once(rankings),
        "never sent": [row["id"] for row in rankings if row["key"] not in sent_keys],
        "over-assigned": [str(one) for (one,) in _tuples(cursor, _OVER)],
        "law broken": [str(one) for (one,) in _tuples(cursor, _BROKEN)],
        "kept, but lost": [
            one.lease for one in history if one.is_kept and leases.get(one.lease, _GONE)["kept"] != one.key
        ],
        "draft lost": [one.lease for one in history if leases.get(one.lease, _GONE)["draft"] < one.draft_version],
        "not in the audit once": [row["id"] for row in rankings if noted.get(row["id"]) != 1],
    }
    return found


def _is_as_sent(one: Sent, by_id: dict[str, dict[str, Any]]) -> bool:
    row = by_id[one.ranking]
    told = {"key": one.key, "trainer": one.trainer, "lease": one.lease}
    return json.loads(row["tiers"]) == one.tiers and all(row[name] == value for name, value in told.items())


def _more_than_once(rankings: list[dict[str, Any]]) -> list[str]:
    """By key, by lease, and by trainer and comparison."""
    ways: list[Counter[Any]] = [
        Counter(row["key"] for row in rankings),
        Counter(row["lease"] for row in rankings if row["lease"]),
        Counter((row["comparison"], row["trainer"]) for row in rankings),
    ]
    return sorted({str(value) for way in ways for value, num in way.items() if num > 1})


def _rows(cursor: Any, statement: str, *names: str) -> list[dict[str, Any]]:
    return [dict(zip(names, row, strict=True)) for row in _tuples(cursor, statement)]


def _tuples(cursor: Any, statement: str) -> list[Any]:
    cursor.execute(statement)
    return list(cursor.fetchall())
