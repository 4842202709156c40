"""The order in which a claim reads the queue of comparisons, and how far a ranking moves a comparison forward in it.

The SQL is in labeling.rankings.assignment_sql, the locks are in labeling.rankings.assignment.
Knows nothing of practice and gold items, which come before the queue.
"""

from labeling.models import Lease, Membership, Project
from labeling.rankings.assignment_sql import take

HEAD = 256  # comparisons at each head of the queue that every claim tries first: new rounds and freed places
# Each ranking lowers its comparison's queue key by this, so that comparisons nearest completion come first. Among
# comparisons with equally many rankings, keys differ by the round's number, so this must exceed the number of rounds.
NEARER = 10_000.0
_BEGINNING = float("-inf")  # below every queue key
_UNBEGUN = -NEARER + 1  # a comparison without rankings has a key above this


def take_next(project: Project, membership: Membership) -> Lease | None:
    """Lease a place from a head of the queue, else from this person's cursor on, else from anywhere.

    The queue has two heads: comparisons that others have ranked, and those that nobody has, the newest round first.
    The cursor keeps a trainer's claim from reading past thousands of comparisons that they have ranked and that
    still want others' rankings: 87 ms against 0.6 ms at 50,000 of them (PostgreSQL 18, eight clients).
    """
    lease = take(project, membership, first=_BEGINNING, head=HEAD)
    if lease is None and project.rankings_wanted > 1:
        lease = take(project, membership, first=_UNBEGUN, head=HEAD)
    if lease is not None:
        return lease
    if membership.queue_cursor is not None:
        lease = take(project, membership, first=membership.queue_cursor)
    lease = lease or take(project, membership, first=_BEGINNING)
    if lease is not None:
        Membership.objects.filter(id=membership.id).update(queue_cursor=lease.queue_key)  # type: ignore[attr-defined]
    return lease
