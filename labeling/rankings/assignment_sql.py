"""Places in comparisons, taken and given back: statements whose cost does not grow with the project.

They are plain SQL because each must be one round trip under the locks that labeling.rankings.assignment describes.
"""

import uuid
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from labeling.models import Lease, Membership, Project


def hold(project: Project, membership: Membership) -> Lease | None:
    """The lease that this person still holds in the project, its time extended; the oldest of several.

    One whose time is over but whose place nobody has given back yet counts too.
    """
    lease = next(iter(Lease.objects.raw(_HOLD, _values(project, membership))), None)
    return lease if lease is not None and lease.state == Lease.State.OPEN else None


def take(project: Project, membership: Membership, *, first: float, head: int | None = None) -> Lease | None:
    """Take the first place in the queue from key `first` on that this person may have; lock it, lease it.

    With `head`, only that many places are looked at. The lease carries its `queue_key`.
    """
    values = _values(project, membership) | {"first": first, "head": head}
    return next(iter(Lease.objects.raw(_TAKE, values)), None)


def take_gold(project: Project, membership: Membership) -> Lease | None:
    """Lease a gold item that this person has not had, if there is one. It has no places, so it takes none from others.

    Its cost grows with the gold items of the project, of which there are few, and with nothing else.
    """
    return next(iter(Lease.objects.raw(_TAKE_GOLD, _values(project, membership))), None)


def _values(project: Project, membership: Membership) -> dict[str, Any]:
    return {
        "project": project.id,
        "wanted": project.rankings_wanted,
        "membership": membership.id,
        "counts_claims": project.gold_every > 0,
        "trainer": membership.user_id,
        "lease": uuid.uuid4(),
        "forbids_own": project.forbids_own_text,
        "span": project.lease_span,
        "first_reason": _("Next in the queue, which is in random order."),
        "middle_reason": _("Others have begun on this one; it wants more rankings."),
        "last_reason": _("It wants one more ranking: yours completes it."),
        "again_reason": _("You had begun on this one; your board is as you left it."),
    }


def give_back(project: Project | None = None) -> int:
    """Close leases whose time is over, of one project or of all, and free their places; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_EXPIRE, {"project": project.id if project else None})
        return int(cursor.fetchone()[0])


# The second look at the state stands in the change and not in its condition: there, the planner walks the index of
# open leases instead of the primary key when its statistics are old (242 ms against 0.5).
_HOLD = """
    UPDATE labeling_lease lease
    SET expires_at = CASE WHEN state = 'open' THEN statement_timestamp() + %(span)s ELSE expires_at END
    WHERE id = (
        SELECT l.id FROM labeling_lease l JOIN labeling_comparison c ON c.id = l.comparison_id
        WHERE l.trainer_id = %(trainer)s AND l.state = 'open' AND c.project_id = %(project)s AND c.state = 'open'
        ORDER BY l.opened_at LIMIT 1)
    RETURNING lease.*
"""

# The places of a batch, comparison rows locked first. Rows that somebody works on are left to the next call.
_EXPIRE = """
    WITH due AS (
        SELECT lease.id, lease.comparison_id
        FROM labeling_lease lease JOIN labeling_comparison comparison ON comparison.id = lease.comparison_id
        WHERE lease.state = 'open' AND lease.expires_at < statement_timestamp()
          AND (%(project)s::uuid IS NULL OR comparison.project_id = %(project)s::uuid)
        ORDER BY lease.expires_at
        LIMIT 500
        FOR UPDATE OF comparison SKIP LOCKED
    ), closed AS (
        UPDATE labeling_lease lease SET state = 'expired', closed_at = statement_timestamp()
        FROM due WHERE lease.id = due.id AND lease.state = 'open' AND lease.expires_at < statement_timestamp()
        RETURNING lease.comparison_id
    ), given_back AS (
        UPDATE labeling_comparison comparison
        SET open_slots = open_slots + CASE WHEN comparison.use = 'work' THEN places.num ELSE 0 END
        FROM (SELECT comparison_id, count(*) AS num FROM closed GROUP BY comparison_id) places
        WHERE comparison.id = places.comparison_id
        RETURNING places.num
    )
    SELECT coalesce(sum(num), 0) FROM given_back
"""

# What keeps a comparison from a trainer. The conditions on other tables are written so that the planner neither
# makes joins of them nor thinks that hardly a row passes: then it would sort the whole queue instead of walking it
# in its index's order. A lease of this trainer that ran out is opened again, with its draft; one that they skipped,
# submitted or were too late with is not. Of a family (labeling.rankings.comparison_copies) nobody is given two, nor
# one whose written text they have reviewed.
_FITS = """
          AND coalesce((SELECT l.state = 'expired' FROM labeling_lease l
                        WHERE l.comparison_id = c.id AND l.trainer_id = %(trainer)s), true)
          AND (NOT %(forbids_own)s OR (
               (SELECT d.author_id FROM labeling_dialogue d WHERE d.id = c.dialogue_id) IS DISTINCT FROM %(trainer)s
               AND coalesce((SELECT bool_and(o.author_id IS DISTINCT FROM %(trainer)s)
                             FROM labeling_completion o WHERE o.comparison_id = c.id), true)))
          AND (c.family_id IS NULL OR coalesce((
               SELECT false FROM labeling_comparison f JOIN labeling_lease l ON l.comparison_id = f.id
               WHERE f.family_id = c.family_id AND f.id <> c.id AND l.trainer_id = %(trainer)s LIMIT 1), (
               SELECT false FROM labeling_comparison f JOIN labeling_practiceranking p ON p.comparison_id = f.id
               WHERE f.family_id = c.family_id AND p.trainer_id = %(trainer)s LIMIT 1), (
               SELECT bool_and(d.reviewed_by_id IS DISTINCT FROM %(trainer)s) FROM labeling_completion o
               JOIN labeling_message m ON m.id = o.message_id JOIN labeling_dialogue d ON d.id = m.dialogue_id
               WHERE o.comparison_id = c.id), true))
"""

# `places` is how many are free, which the sentence goes by. What `picked` knows of the lease may be old: who was
# submitting it meanwhile has committed by now, so the lease itself is asked once more, and nothing is taken if it
# has become a ranking.
_LEASED = """
        INSERT INTO labeling_lease AS lease (id, comparison_id, trainer_id, state, reason, shown_order, draft,
                                             draft_version, skip_reason, seconds, opened_at, expires_at)
        SELECT %(lease)s, picked.id, %(trainer)s, 'open',
               CASE WHEN picked.places = picked.rankings_wanted THEN %(first_reason)s
                    WHEN picked.places = 1 THEN %(last_reason)s ELSE %(middle_reason)s END,
               (SELECT jsonb_agg(o.id ORDER BY random()) FROM labeling_completion o WHERE o.comparison_id = picked.id),
               '{}', 0, '', 0, statement_timestamp(), statement_timestamp() + %(span)s
        FROM picked
        ON CONFLICT (comparison_id, trainer_id) DO UPDATE
            SET state = 'open', opened_at = statement_timestamp(), expires_at = excluded.expires_at, closed_at = NULL,
                reason = %(again_reason)s
            WHERE lease.state = 'expired'
        RETURNING lease.*
"""

_COUNTED = """
        UPDATE labeling_membership SET num_claims = num_claims + 1
        WHERE %(counts_claims)s AND id = %(membership)s AND EXISTS (SELECT FROM leased)
"""

# The first free place between two keys of the queue, taken by one statement. On statistics from when the queue was
# short the planner would sort it, too: hence no sorts until the transaction's end.
_TAKE = f"""
    SET LOCAL enable_sort = off;
    WITH picked AS (
        SELECT c.id, c.queue_key, c.open_slots AS places, c.rankings_wanted
        FROM labeling_comparison c
        WHERE c.project_id = %(project)s AND c.state = 'open' AND c.open_slots > 0 AND c.use = 'work'
          AND c.queue_key >= %(first)s
          AND c.queue_key <= CASE WHEN %(head)s IS NULL THEN 'Infinity' ELSE coalesce((
                SELECT h.queue_key FROM labeling_comparison h
                WHERE h.project_id = %(project)s AND h.state = 'open' AND h.open_slots > 0 AND h.use = 'work'
                  AND h.queue_key >= %(first)s
                ORDER BY h.queue_key, h.id OFFSET %(head)s LIMIT 1), 'Infinity') END
          {_FITS}
        ORDER BY c.queue_key, c.id
        LIMIT 1
        FOR UPDATE OF c SKIP LOCKED
    ), leased AS ({_LEASED}
    ), taken AS (
        UPDATE labeling_comparison c SET open_slots = c.open_slots - 1 FROM leased WHERE c.id = leased.comparison_id
    ), counted AS ({_COUNTED})
    SELECT leased.*, picked.queue_key FROM leased, picked
"""  # noqa: S608 (made of this file's own constants)

# A gold item, each trainer's in an order of their own. It must look like work: the sentence is what a comparison
# of this project could say, by the places that it might have free. The comparison's row is locked here and not only
# by the check of the foreign key at the end: a lease before its comparison would be the wrong order, and a deadlock.
_TAKE_GOLD = f"""
    WITH picked AS (
        SELECT c.id, c.queue_key, 1 + floor(random() * %(wanted)s) AS places, %(wanted)s AS rankings_wanted
        FROM labeling_comparison c JOIN labeling_reference reference ON reference.comparison_id = c.id
        WHERE c.project_id = %(project)s AND c.state = 'open' AND c.use = 'gold'
          AND reference.made_by_id IS DISTINCT FROM %(trainer)s
          {_FITS}
        ORDER BY md5(c.id::text || %(trainer)s::text), c.id
        LIMIT 1
        FOR KEY SHARE OF c
    ), leased AS ({_LEASED}
    ), counted AS ({_COUNTED})
    SELECT leased.*, picked.queue_key FROM leased, picked
"""  # noqa: S608 (made of this file's own constants)
