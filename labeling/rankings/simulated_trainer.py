"""The simulated trainer: ranks by the gold preference, by the same door as people. It is called so everywhere."""

import uuid

from labeling.gold import preference
from labeling.models import Lease, Project, User
from labeling.rankings import assignment
from labeling.rankings.submission import Submission
from records import Completion, Message


def rank_with_gold(project: Project, *, trainer: User, limit: int) -> int:
    """Rank up to `limit` comparisons of the queue; returns how many there were. The trainer must be a simulated one.

    What it thinks depends on the texts alone, so the same comparison always gets the same order.
    """
    if not trainer.is_simulated:
        raise ValueError(f"{trainer} is a person; only a simulated trainer ranks by the gold preference")
    for num_ranked in range(limit):
        lease = assignment.claim(project, by=trainer)
        if not isinstance(lease, Lease):
            return num_ranked
        # The key follows from the lease: a run that was cut off between two statements goes on without a double.
        assignment.submit(lease, _judged(lease), key=uuid.uuid5(lease.id, "gold"), by=trainer)
    return limit


def _judged(lease: Lease) -> Submission:
    completions = [
        Completion(id=str(completion.id), content=completion.content)
        for completion in lease.comparison.completions.all()
    ]
    messages = [Message(role=message["role"], content=message["content"]) for message in lease.comparison.messages]
    judged = preference.judge(messages, completions)
    return Submission(tiers=judged.tiers, unacceptable_from=judged.unacceptable_from)
