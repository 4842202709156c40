"""A comparison that two trainers ranked in opposite orders, and reviewers who may settle it."""

import uuid
from typing import Any

from labeling.models import Adjudication, Comparison, Lease, Project, Ranking, User
from labeling.rankings import adjudication, assignment
from labeling.rankings.submission import Submission
from tests.labeling.factories import make_comparison
from tests.labeling.rankings.at_work import claim


def in_order(comparison: Comparison, *places: int, **fields: Any) -> Submission:
    """Completion i on tier `places[i]`; without places one below the other."""
    ids = [str(one) for one in comparison.completions.order_by("index").values_list("id", flat=True)]
    places = places or tuple(range(len(ids)))
    tiers = [tuple(one for one, place in zip(ids, places, strict=True) if place == at) for at in sorted(set(places))]
    return Submission(tiers=tuple(tiers), **fields)


def rank(project: Project, by: User, *places: int, **fields: Any) -> Ranking:
    lease = claim(project, by)
    ranking = assignment.submit(lease, in_order(lease.comparison, *places, **fields), key=uuid.uuid4(), by=by).ranking
    assert ranking is not None
    return ranking


def make_disputed(project: Project, one: User, other: User, **fields: Any) -> Comparison:
    """A full comparison of four completions whose two rankings are opposite."""
    comparison = make_comparison(project=project, rankings_wanted=2, **fields)
    rank(project, one, 0, 1, 2, 3, note="Short is good.")
    rank(project, other, 3, 2, 1, 0)
    comparison.refresh_from_db()
    return comparison


def take(project: Project, by: User) -> Adjudication:
    taken = adjudication.claim(project, by=by)
    assert taken is not None
    return taken


def adjudicated(project: Project, by: User, *places: int, reason: str = "mistake", **fields: Any) -> Adjudication:
    """The next adjudication, ordered and decided."""
    taken = take(project, by)
    given = adjudication.order(taken, in_order(taken.comparison, *places), key=uuid.uuid4(), by=by)
    return adjudication.decide(given, reason=reason, by=by, **fields)


def lease_of(ranking: Ranking) -> Lease:
    assert ranking.lease is not None
    return ranking.lease
