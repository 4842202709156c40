"""SQL that takes places in comparisons and frees them again, at a cost that does not grow with the project.

It is raw SQL because each operation must be a single round trip under the locks that labeling.rankings.assignment
describes, and because the planner must not leave the index of the queue.
"""

import uuid
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from labeling.models import Lease, Membership, Project


def hold(project: Project, membership: Membership) -> Lease | None:
    """Extend and return the lease that this person holds in the project, the oldest of several; None if there is none.

    A lease that has expired but was not closed yet counts as held.
    """
    lease = next(iter(Lease.objects.raw(_HOLD, _values(project, membership))), None)
    return lease if lease is not None and lease.state == Lease.State.OPEN else None


def take(project: Project, membership: Membership, *, first: float, head: int | None = None) -> Lease | None:
    """Lease the first comparison with a queue key of at least `first` that this person may have; None if there is none.

    With `head`, only that many comparisons are tried. The returned lease has the comparison's `queue_key`.
    """
    values = _values(project, membership) | {"first": first, "head": head}
    return next(iter(Lease.objects.raw(_TAKE, values)), None)


def take_gold(project: Project, membership: Membership) -> Lease | None:
    """Lease a gold item that this person has not had; None if there is none. Gold items have no places to use up.

    The cost grows only with the number of the project's gold items, which is small.
    """
    return next(iter(Lease.objects.raw(_TAKE_GOLD, _values(project, membership))), None)


def take_evaluation(project: Project, membership: Membership) -> Lease | None:
    """Lease a pair of the project's open evaluation that this person may have; None if there is none.

    They get no two pairs of one prompt, and none of a prompt of their own, whatever the project allows otherwise.
    The cost grows with the pairs of that evaluation, which are a few hundred.
    """
    values = _values(project, membership) | {"forbids_own": True}
    return next(iter(Lease.objects.raw(_TAKE_EVALUATION, values)), None)


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
    """Close up to 500 expired leases, of one project or of all, and free their places; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_EXPIRE, {"project": project.id if project else None})
        return int(cursor.fetchone()[0])


# The state is checked again in SET and not in the outer WHERE: with it there, and old statistics, the planner scans
# the partial index of open leases instead of using the primary key (242 ms against 0.5 ms). The second check is
# needed since another transaction may close the lease between the subquery and the update.
_HOLD = """
    UPDATE labeling_lease lease
    SET expires_at = CASE WHEN state = 'open' THEN statement_timestamp() + %(span)s ELSE expires_at END
    WHERE id = (
        SELECT l.id FROM labeling_lease l JOIN labeling_comparison c ON c.id = l.comparison_id
        WHERE l.trainer_id = %(trainer)s AND l.state = 'open' AND c.project_id = %(project)s AND c.state = 'open'
        ORDER BY l.opened_at LIMIT 1)
    RETURNING lease.*
"""

# Closes a batch of expired leases. Comparisons are locked first, the lock order of all that changes a lease; SKIP
# LOCKED leaves comparisons that another transaction is working on to the next call, so that any number of sweeps can
# run at once. `closed` checks the lease again, since it may have changed before the lock was held.
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
        SET open_slots = open_slots + CASE WHEN comparison.use IN ('work', 'evaluation') THEN places.num ELSE 0 END
        FROM (SELECT comparison_id, count(*) AS num FROM closed GROUP BY comparison_id) places
        WHERE comparison.id = places.comparison_id
        RETURNING places.num
    )
    SELECT coalesce(sum(num), 0) FROM given_back
"""

# Whether a trainer may have comparison c. The conditions on other tables are scalar subqueries within coalesce, so
# that the planner neither turns them into joins nor estimates that hardly any row passes: in both cases it would sort
# the whole queue instead of reading it in the order of its index. In the order of the conditions:
# - A lease of this trainer that expired is opened again, with its draft; one that they skipped, submitted or were
#   too late with is not.
# - Where the project forbids it, nobody ranks a dialogue or a completion that they wrote. IS DISTINCT FROM treats a
#   missing author as somebody else.
# - Nobody gets two comparisons of a family (labeling.rankings.comparison_copies), nor one with a written text that
#   they have reviewed.
# - Nobody ranks what they adjudicate, or have seen others' orders of.
_ELIGIBLE = """
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
          AND coalesce((SELECT false FROM labeling_seenorders s
                        WHERE s.comparison_id = c.id AND s.person_id = %(trainer)s LIMIT 1), (
               SELECT false FROM labeling_adjudication a
               WHERE a.comparison_id = c.id AND a.reviewer_id = %(trainer)s LIMIT 1), true)
"""

# Opens a lease on `picked`. `picked.places`, the number of free places, decides which reason the trainer reads. The
# order in which they see the completions is drawn here and kept. What `picked` has seen of an earlier lease of this
# trainer may be out of date: a transaction that was submitting on it can have committed while this one waited. So the
# conflict clause checks the state again, and nothing is leased if the earlier lease has become a ranking.
_INSERT_LEASE = """
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

_COUNT_CLAIM = """
        UPDATE labeling_membership SET num_claims = num_claims + 1
        WHERE %(counts_claims)s AND id = %(membership)s AND EXISTS (SELECT FROM leased)
"""

# Ends `picked` with its first row in the order of the queue, and leases a place of it. SKIP LOCKED passes over
# comparisons that another trainer is just given, so that claims do not wait for each other.
_TAKE_FIRST = f"""ORDER BY c.queue_key, c.id
        LIMIT 1
        FOR UPDATE OF c SKIP LOCKED
    ), leased AS ({_INSERT_LEASE}
    ), taken AS (
        UPDATE labeling_comparison c SET open_slots = c.open_slots - 1 FROM leased WHERE c.id = leased.comparison_id
    ), counted AS ({_COUNT_CLAIM})
    SELECT leased.*, picked.queue_key FROM leased, picked
"""  # noqa: S608 (made of this file's own constants)

# Leases the first comparison with a free place between two queue keys; with `head`, the upper key is that of the
# comparison `head` positions further on. With statistics from when the queue was short, the planner would sort it even
# so; sorting is therefore off until the end of the transaction.
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
          {_ELIGIBLE}
        {_TAKE_FIRST}"""  # noqa: S608 (made of this file's own constants)

# Leases a gold item; the order of the items is a hash, so each trainer gets them in an order of their own. A gold item
# must look like work: its number of free places is drawn at random from those that a comparison of this project can
# have, and the reason follows from it. FOR KEY SHARE locks the comparison before the lease is inserted; otherwise only
# the foreign key's check would lock it, after the lease, and the reversed lock order could deadlock.
_TAKE_GOLD = f"""
    WITH picked AS (
        SELECT c.id, c.queue_key, 1 + floor(random() * %(wanted)s) AS places, %(wanted)s AS rankings_wanted
        FROM labeling_comparison c JOIN labeling_reference reference ON reference.comparison_id = c.id
        WHERE c.project_id = %(project)s AND c.state = 'open' AND c.use = 'gold'
          AND reference.made_by_id IS DISTINCT FROM %(trainer)s
          {_ELIGIBLE}
        ORDER BY md5(c.id::text || %(trainer)s::text), c.id
        LIMIT 1
        FOR KEY SHARE OF c
    ), leased AS ({_INSERT_LEASE}
    ), counted AS ({_COUNT_CLAIM})
    SELECT leased.*, picked.queue_key FROM leased, picked
"""  # noqa: S608 (made of this file's own constants)

# Leases a pair of the open evaluation. Pairs of one prompt are a family, of which nobody gets two; the order of the
# queue keys is that of the evaluation's seed.
_TAKE_EVALUATION = f"""
    WITH picked AS (
        SELECT c.id, c.queue_key, c.open_slots AS places, c.rankings_wanted
        FROM labeling_comparison c JOIN labeling_evaluation e ON e.id = c.evaluation_id
        WHERE e.project_id = %(project)s AND e.state = 'open'
          AND c.state = 'open' AND c.open_slots > 0 AND c.use = 'evaluation'
          AND (SELECT p.created_by_id FROM labeling_prompt p WHERE p.id = c.prompt_id) IS DISTINCT FROM %(trainer)s
          {_ELIGIBLE}
        {_TAKE_FIRST}"""  # noqa: S608 (made of this file's own constants)
