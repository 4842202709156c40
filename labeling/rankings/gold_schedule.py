"""When a gold item is due for a trainer: once in every N comparisons, at a place in the N that they cannot foresee.

Pure arithmetic on what the membership counts; which item it is, labeling.rankings.assignment_sql decides.
"""

from django.utils.crypto import salted_hmac

from labeling.models import Membership, Project


def is_gold_due(project: Project, membership: Membership) -> bool:
    """Whether the next comparison of this person should be a gold item.

    Their comparisons are counted off in blocks of N. In each block one place is drawn by a keyed hash of the
    person and the block: the same for the same person, another for the next block and the next person, and not
    to be computed without the server's secret key.
    """
    every = project.gold_every
    if every == 0:
        return False
    block, place = divmod(membership.num_claims, every)
    drawn = salted_hmac("labeling.gold_turns", f"{project.id}:{membership.user_id}:{block}").digest()
    return place == int.from_bytes(drawn[:8]) % every
