"""How far the rankings of a comparison differ: one number a comparison, kept in `Comparison.distance`.

A list of a project's comparisons by it would otherwise compare all rankings with each other at every opening. Whatever
stores, changes or retracts a ranking of work measures its comparison again, in the same transaction.
"""

import uuid
from collections.abc import Collection

from django.db import connection


def measure_distances(comparisons: Collection[uuid.UUID]) -> None:
    """Set `distance` of these comparisons: labeling.statistics.agreement.PairCounts.distance over all their rankings.

    Abstentions, choices and retracted rankings are no orders. The work grows with the rankings, not with their square:
    of a pair that b rankings order one way, w the other way and t tie, b·w pairs of rankings are opposite and t·(b + w)
    differ by one tie.
    """
    with connection.cursor() as cursor:
        cursor.execute(_MEASURE, [list(comparisons)])


_MEASURE = """
    WITH wanted AS (
        SELECT unnest(%s::uuid[]) AS id
    ), places AS (
        SELECT ranking.comparison_id, ranking.id AS ranking, completion.id AS completion, tier.place
        FROM wanted JOIN labeling_ranking ranking ON ranking.comparison_id = wanted.id
        CROSS JOIN LATERAL jsonb_array_elements(ranking.tiers) WITH ORDINALITY tier (ids, place)
        CROSS JOIN LATERAL jsonb_array_elements_text(tier.ids) completion (id)
        WHERE ranking.retracted_at IS NULL AND ranking.abstained IS NULL AND NOT ranking.is_choice
    ), counted AS (
        SELECT one.comparison_id,
               count(*) FILTER (WHERE one.place < other.place) AS b,
               count(*) FILTER (WHERE one.place > other.place) AS w,
               count(*) FILTER (WHERE one.place = other.place) AS t
        FROM places one JOIN places other ON other.ranking = one.ranking AND other.completion > one.completion
        GROUP BY one.comparison_id, one.completion, other.completion
    ), measured AS (
        SELECT comparison_id,
               sum(b * w + t * (b + w) / 2.0) / nullif(sum((b + w + t) * (b + w + t - 1) / 2.0), 0) AS distance
        FROM counted GROUP BY comparison_id
    )
    UPDATE labeling_comparison comparison SET distance = measured.distance
    FROM wanted LEFT JOIN measured ON measured.comparison_id = wanted.id
    WHERE comparison.id = wanted.id AND comparison.use = 'work'
      AND comparison.distance IS DISTINCT FROM measured.distance::float8
"""
