"""The practice set: comparisons with a reference ranking that newcomers rank and see explained immediately.

Practice rankings have a table of their own, so that whatever counts or exports rankings cannot meet one. They take
no places, and an exercise may be repeated any number of times.
"""

import random
import uuid
from dataclasses import dataclass

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.models import Comparison, Membership, PracticeRanking, Project, User
from labeling.rankings.submission import AssignmentError, Submission, order_of, require_sense
from labeling.statistics.agreement import PairCounts, compare_rankings


@dataclass(frozen=True, kw_only=True, slots=True)
class Exercise:
    """A practice comparison with one person's work on it: how often they ranked it, and their latest ranking."""

    comparison: Comparison
    num_times: int
    newest: PracticeRanking | None

    @property
    def counts(self) -> PairCounts | None:
        """The agreement of their latest ranking with the reference; None if they have not ranked it."""
        if self.newest is None:
            return None
        return compare_rankings(self.newest.tiers, self.comparison.reference.tiers)

    @property
    def question(self) -> str:
        return self.comparison.question

    @property
    def num_alike(self) -> int:
        counts = self.counts
        return counts.same if counts else 0

    @property
    def num_pairs(self) -> int:
        counts = self.counts
        return counts.trials("half") if counts else 0


def exercises(project: Project, *, by: User) -> list[Exercise]:
    """All exercises of a project, in order, with this person's work on each."""
    times: dict[uuid.UUID, list[PracticeRanking]] = {}
    for ranking in PracticeRanking.objects.filter(comparison__project=project, trainer=by).order_by("ranked_at"):
        times.setdefault(ranking.comparison_id, []).append(ranking)
    return [
        Exercise(comparison=comparison, num_times=len(done), newest=done[-1] if done else None)
        for comparison in project.comparisons.practice_set()
        for done in [times.get(comparison.id, [])]
    ]


def exercises_left(found: list[Exercise]) -> list[Exercise]:
    """The exercises left in the current pass: those ranked less often than another. Empty when a pass is complete."""
    most = max((exercise.num_times for exercise in found), default=0)
    return [exercise for exercise in found if exercise.num_times < max(most, 1)]


def wants_practice(project: Project, membership: Membership, *, by: User) -> bool:
    """Whether this person still has to practise. Admins and simulated trainers do not."""
    if membership.practised_at is not None or by.is_admin or by.is_simulated:
        return False
    return project.comparisons.unpractised_by(by).exists()


def shown_order(comparison: Comparison, *, by: User) -> list[str]:
    """The completions' ids in a random order for this person, which stays the same until they have ranked them."""
    ids = sorted(str(identifier) for identifier in comparison.completions.values_list("id", flat=True))
    num_times = PracticeRanking.objects.filter(comparison=comparison, trainer=by).count()
    random.Random(f"{by.id}:{comparison.id}:{num_times}").shuffle(ids)
    return ids


def submit_practice(
    comparison: Comparison, submission: Submission, *, shown: list[str], key: uuid.UUID, by: User
) -> PracticeRanking:
    """Store a practice ranking; once every exercise has one, set `practised_at` on the membership.

    The same submission again (the same `key`) returns the first ranking; another one under that key is refused.
    Raises AssignmentError on an invalid submission.
    """
    if submission.abstained is not None:
        raise AssignmentError(_("Practice wants an order. Where you are not sure, a tie is an answer too."))
    ids = [str(identifier) for identifier in comparison.completions.values_list("id", flat=True)]
    require_sense(submission, ids)
    with transaction.atomic():
        # The membership is locked, or two tabs that submit the last two exercises at the same time would not see each
        # other's ranking, and neither would set practised_at.
        membership = Membership.objects.select_for_update().filter(project=comparison.project_id, user=by).first()
        ranking, _created = PracticeRanking.objects.get_or_create(
            submission_key=key,
            defaults={
                "comparison": comparison,
                "trainer": by,
                "tiers": [list(tier) for tier in submission.tiers],
                "unacceptable_from": submission.unacceptable_from,
                "shown_order": shown,
                "seconds": submission.seconds or 0.0,
            },
        )
        _require_same(ranking, comparison, submission, by)
        if membership is not None and membership.practised_at is None:
            _note_if_done(membership, by)
    return ranking


def _note_if_done(membership: Membership, by: User) -> None:
    if not Comparison.objects.unpractised_by(by).filter(project=membership.project_id).exists():
        Membership.objects.filter(id=membership.id).update(practised_at=Now())


def _require_same(ranking: PracticeRanking, comparison: Comparison, submission: Submission, by: User) -> None:
    is_same = (ranking.comparison_id, ranking.trainer_id) == (comparison.id, by.id)
    if not is_same or order_of(ranking) != order_of(submission):
        raise AssignmentError(_("This page has already been used for another ranking. Please reload it."))
