"""When a gold item is due for a trainer: once in every block of N comparisons, at an unpredictable position.

Computed from the membership's counter alone; labeling.rankings.assignment_sql decides which item it is.
"""

from django.utils.crypto import salted_hmac

from labeling.models import Membership, Project


def is_gold_due(project: Project, membership: Membership) -> bool:
    """Whether the next comparison of this person should be a gold item; never if `gold_every` is 0.

    The person's claims are divided into blocks of `gold_every`. A keyed hash of project, person and block gives the
    position within the block. It is reproducible, differs between blocks and persons, and cannot be predicted
    without the server's secret key.
    """
    every = project.gold_every
    if every == 0:
        return False
    block, place = divmod(membership.num_claims, every)
    drawn = salted_hmac("labeling.gold_turns", f"{project.id}:{membership.user_id}:{block}").digest()
    return place == int.from_bytes(drawn[:8]) % every
