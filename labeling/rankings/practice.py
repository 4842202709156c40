"""The practice set: comparisons whose order is known, ranked by newcomers and explained to them at once.

A practice ranking is a row of its own, so nothing that counts or exports rankings ever sees it; it takes no
place from anybody, and may be made again as often as somebody likes.
"""

import random
import uuid
from dataclasses import dataclass

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.models import Comparison, Membership, PracticeRanking, Project, User
from labeling.rankings.submission import AssignmentError, Submission, require_sense
from labeling.statistics.agreement import PairCounts, compare_rankings


@dataclass(frozen=True, kw_only=True, slots=True)
class Exercise:
    """A practice comparison as it stands for one person: how often they ranked it, and how the last time went."""

    comparison: Comparison
    num_times: int
    newest: PracticeRanking | None

    @property
    def counts(self) -> PairCounts | None:
        """The pairs of the newest time, theirs beside the reference's."""
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
    """The whole set with what this person has done of it."""
    times: dict[uuid.UUID, list[PracticeRanking]] = {}
    for ranking in PracticeRanking.objects.filter(comparison__project=project, trainer=by).order_by("ranked_at"):
        times.setdefault(ranking.comparison_id, []).append(ranking)
    return [
        Exercise(comparison=comparison, num_times=len(done), newest=done[-1] if done else None)
        for comparison in project.comparisons.practice_set()
        for done in [times.get(comparison.id, [])]
    ]


def exercises_left(found: list[Exercise]) -> list[Exercise]:
    """Those that were ranked less often than another; none at the end of a pass through the set."""
    most = max((exercise.num_times for exercise in found), default=0)
    return [exercise for exercise in found if exercise.num_times < max(most, 1)]


def wants_practice(project: Project, membership: Membership, *, by: User) -> bool:
    """Whether this person still has practice before them. Who sets a project up, and programs, have none."""
    if membership.practised_at is not None or by.is_admin or by.is_simulated:
        return False
    return project.comparisons.unpractised_by(by).exists()


def shown_order(comparison: Comparison, *, by: User) -> list[str]:
    """The completions' ids in an order drawn for this person, the same until they have ranked them, then another."""
    ids = sorted(str(identifier) for identifier in comparison.completions.values_list("id", flat=True))
    num_times = PracticeRanking.objects.filter(comparison=comparison, trainer=by).count()
    random.Random(f"{by.id}:{comparison.id}:{num_times}").shuffle(ids)
    return ids


def submit_practice(
    comparison: Comparison, submission: Submission, *, shown: list[str], key: uuid.UUID, by: User
) -> PracticeRanking:
    """Keep an order, and note on the membership once the whole set is done.

    The same `key` again is the same practice ranking. Raises AssignmentError on a submission that makes no sense.
    """
    if submission.abstained is not None:
        raise AssignmentError(_("Practice wants an order. Where you are not sure, a tie is an answer too."))
    ids = [str(identifier) for identifier in comparison.completions.values_list("id", flat=True)]
    require_sense(submission, ids)
    with transaction.atomic():
        # Two tabs that finish the set at once must not both think that the other is still at it.
        membership = Membership.objects.select_for_update().filter(project=comparison.project_id, user=by).first()
        ranking, _created = PracticeRanking.objects.get_or_create(
            submission_key=key,
            defaults={
                "comparison": comparison,
                "trainer": by,
                "tiers": [list(tier) for tier in submission.tiers],
                "unacceptable_from": submission.unacceptable_from,
                "shown_order": shown,
                "seconds": submission.seconds,
            },
        )
        _require_same(ranking, comparison, by)
        if membership is not None and membership.practised_at is None:
            _note_if_done(membership, by)
    return ranking


def _note_if_done(membership: Membership, by: User) -> None:
    if not Comparison.objects.unpractised_by(by).filter(project=membership.project_id).exists():
        Membership.objects.filter(id=membership.id).update(practised_at=Now())


def _require_same(ranking: PracticeRanking, comparison: Comparison, by: User) -> None:
    if (ranking.comparison_id, ranking.trainer_id) != (comparison.id, by.id):
        raise AssignmentError(_("This page has already been used for another ranking. Please reload it."))
