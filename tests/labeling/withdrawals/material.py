"""Work to be withdrawn: rankings through the queue, a dialogue, a better answer, a thumb."""

import uuid
from typing import Any

from labeling.models import Comparison, Dialogue, Project, Ranking, Thumb, User
from labeling.rankings import assignment, corrections
from labeling.withdrawals import batches
from tests.labeling.factories import make_comparison, make_dialogue, make_thumb
from tests.labeling.rankings.at_work import claim, in_shown_order


def rank(project: Project, by: User, **fields: Any) -> Ranking:
    """A ranking of a comparison of its own, submitted in the queue."""
    make_comparison(project=project, **fields)
    return rank_next(project, by)


def rank_next(project: Project, by: User) -> Ranking:
    lease = claim(project, by)
    outcome = assignment.submit(lease, in_shown_order(lease), key=uuid.uuid4(), by=by)
    assert outcome.ranking is not None
    return outcome.ranking


def better_answer(project: Project, by: User, ranking: Ranking) -> Dialogue:
    assert ranking.lease is not None
    return corrections.write_better(ranking.lease, content="Paris, on the Seine.", key=uuid.uuid4(), by=by)


def everything_of(project: Project, person: User) -> tuple[Ranking, Dialogue, Dialogue, Thumb]:
    ranking = rank(project, person)
    dialogue = make_dialogue(project=project, author=person, state=Dialogue.State.ACCEPTED)
    return ranking, dialogue, better_answer(project, person, ranking), make_thumb(project=project, created_by=person)


def counts(row: Ranking | Dialogue | Thumb) -> bool:
    row.refresh_from_db()
    return row.state != Dialogue.State.WITHDRAWN if isinstance(row, Dialogue) else row.retracted_at is None


def withdraw_all(project: Project, person: User, *, by: User, **fields: Any) -> Any:
    return batches.begin(project, by=by, person=person, **({"reason": "fraud"} | fields))


def comparison_of(ranking: Ranking) -> Comparison:
    return Comparison.objects.get(id=ranking.comparison_id)
