"""The floor under claim and submit: the same SQL in one view, with a session and a signed-in person, no more."""

import json
import uuid
from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import path


def claim(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a place and lead to it."""
    with transaction.atomic(), connection.cursor() as cursor:
        return HttpResponseRedirect(_claim(cursor, request.user.pk, slug))


def submit(request: HttpRequest, slug: str, lease_id: uuid.UUID) -> HttpResponse:
    """Write a ranking, close its lease, take the next place."""
    values = json.loads(request.body)
    tiers: dict[int, list[str]] = {}
    for identifier, shelf in values["shelves"].items():
        tiers.setdefault(shelf, []).append(identifier)
    ranking = {
        "key": values["key"],
        "tiers": json.dumps([tiers[shelf] for shelf in sorted(tiers)]),
        "lease": str(lease_id),
        "user": str(request.user.pk),
        "id": str(uuid.uuid4()),
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_SUBMIT, ranking)
    with transaction.atomic(), connection.cursor() as cursor:
        return JsonResponse({"next": _claim(cursor, request.user.pk, slug)})


def _claim(cursor: Any, user: Any, slug: str) -> str:
    cursor.execute(_CLAIM, {"slug": slug, "user": str(user), "lease": str(uuid.uuid4())})
    return f"/p/{slug}/rank/{cursor.fetchone()[0]}/"


_CLAIM = """
    WITH picked AS (
        SELECT c.id FROM labeling_comparison c
        WHERE c.project_id = (SELECT id FROM labeling_project WHERE slug = %(slug)s)
          AND c.state = 'open' AND c.open_slots > 0 AND c.use = 'work'
          AND (SELECT l.id FROM labeling_lease l WHERE l.comparison_id = c.id AND l.trainer_id = %(user)s) IS NULL
        ORDER BY c.queue_key, c.id LIMIT 1 FOR UPDATE OF c SKIP LOCKED
    ), taken AS (
        UPDATE labeling_comparison c SET open_slots = c.open_slots - 1 FROM picked WHERE c.id = picked.id
    )
    INSERT INTO labeling_lease (id, comparison_id, trainer_id, state, reason, shown_order, draft, draft_version,
                                skip_reason, seconds, opened_at, expires_at)
    SELECT %(lease)s, picked.id, %(user)s, 'open', '',
           (SELECT jsonb_agg(o.id ORDER BY random()) FROM labeling_completion o WHERE o.comparison_id = picked.id),
           '{}', 0, '', 0, now(), now() + interval '30 minutes'
    FROM picked RETURNING id
"""

_SUBMIT = """
    WITH closed AS (
        UPDATE labeling_lease SET state = 'submitted', closed_at = now()
        WHERE id = %(lease)s AND state = 'open' RETURNING comparison_id, shown_order
    ), counted AS (
        UPDATE labeling_comparison c SET num_rankings = num_rankings + 1,
            state = CASE WHEN num_rankings + 1 >= rankings_wanted THEN 'done' ELSE state END
        FROM closed WHERE c.id = closed.comparison_id
    )
    INSERT INTO labeling_ranking (id, comparison_id, trainer_id, lease_id, submission_key, tiers, shown_order,
                                  layout, source, outside_trainer, ranked_at)
    SELECT %(id)s, comparison_id, %(user)s, %(lease)s, %(key)s, %(tiers)s, shown_order, '', '', '', now() FROM closed
"""

urlpatterns = [
    path("p/<slug:slug>/rank/", claim),
    path("p/<slug:slug>/rank/<uuid:lease_id>/", submit),
]
