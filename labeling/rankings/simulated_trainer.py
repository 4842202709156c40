"""The simulated trainer: ranks comparisons by the gold preference, through the same queue as people.

Its user is marked simulated, and so are its rankings wherever they go.
"""

import uuid

from labeling.gold import preference
from labeling.models import Lease, Project, User
from labeling.rankings import assignment
from labeling.rankings.submission import Submission
from records import Completion, Message


def rank_with_gold(project: Project, *, trainer: User, limit: int) -> int:
    """Rank up to `limit` comparisons of the queue; returns how many were ranked, fewer if the queue ran empty.

    The order depends on the texts alone, so the same comparison always gets the same order. Raises ValueError
    if `trainer` is a person.
    """
    if not trainer.is_simulated:
        raise ValueError(f"{trainer} is a person; only a simulated trainer ranks by the gold preference")
    for num_ranked in range(limit):
        lease = assignment.claim(project, by=trainer)
        if not isinstance(lease, Lease):
            return num_ranked
        # The key is derived from the lease: if the program is killed and started again, nothing is submitted twice.
        assignment.submit(lease, _gold_submission(lease), key=uuid.uuid5(lease.id, "gold"), by=trainer)
    return limit


def _gold_submission(lease: Lease) -> Submission:
    completions = [
        Completion(id=str(completion.id), content=completion.content)
        for completion in lease.comparison.completions.all()
    ]
    messages = [Message(role=message["role"], content=message["content"]) for message in lease.comparison.messages]
    judged = preference.judge(messages, completions)
    return Submission(tiers=judged.tiers, unacceptable_from=judged.unacceptable_from)
