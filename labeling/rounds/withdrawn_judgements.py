"""Verdicts of people that rest on judgements withdrawn since, and what is left of them.

A verdict is never changed afterwards: it was right by the judgements of its day, and promotions rest on it. What the
same test says of those that are left stands beside it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from labeling.models import Candidate, Comparison, Evaluation, Policy, Project, Promotion, Ranking
from labeling.rounds.evaluations import design_of
from labeling.rounds.verdicts import judgements_of
from labeling.statistics.sequential import run_test


@dataclass(frozen=True, kw_only=True, slots=True)
class Shaken:
    """A verdict with the number of its judgements that were withdrawn, and the test's word on those that are left."""

    candidate: Candidate
    num_withdrawn: int
    num_judgements: int  # that the verdict was made of, the withdrawn ones with them
    verdict_left: str  # of Candidate.Verdict; open where too few are left

    @property
    def share(self) -> float:
        return self.num_withdrawn / self.num_judgements if self.num_judgements else 0.0

    @property
    def holds(self) -> bool:
        return self.verdict_left == self.candidate.verdict

    @property
    def label_left(self) -> str:
        return str(Candidate.Verdict(self.verdict_left).label)


def shaken(candidate: Candidate) -> Shaken | None:
    """What withdrawals did to a verdict; None where they did nothing, and where there is no verdict."""
    if candidate.decided_at is None:
        return None
    num = num_withdrawn_since(candidate.evaluation, candidate.policy, candidate.decided_at)
    if not num:
        return None
    left = judgements_of(candidate.evaluation, candidate.policy, until=candidate.decided_at)
    verdict: str = run_test([(one.prompt_id, one.won) for one in left], design_of(candidate.evaluation)).verdict
    if verdict == Candidate.Verdict.OPEN and candidate.verdict == Candidate.Verdict.TOO_CLOSE:
        verdict = candidate.verdict  # with fewer judgements no difference is found either
    return Shaken(candidate=candidate, num_withdrawn=num, num_judgements=num + len(left), verdict_left=verdict)


def shaken_of(evaluations: Iterable[Evaluation]) -> list[Shaken]:
    """All of these evaluations' verdicts that rest on withdrawn judgements, newest first."""
    candidates = Candidate.objects.filter(evaluation__in=evaluations).exclude(decided_at=None)
    rows = candidates.select_related("evaluation__baseline", "evaluation__project", "policy")
    return [found for candidate in rows.order_by("-decided_at") if (found := shaken(candidate)) is not None]


def resting_on(rankings: QuerySet[Ranking]) -> list[tuple[Candidate, int]]:
    """The verdicts that rest on some of these judgements, each with how many; what a withdrawal would shake."""
    decided = Candidate.objects.exclude(decided_at=None).filter(evaluation__comparisons__rankings__in=rankings)
    found = []
    for candidate in decided.select_related("evaluation__baseline", "policy").distinct():
        of_it = rankings.filter(
            comparison__evaluation=candidate.evaluation_id,
            comparison__completions__policy=candidate.policy_id,
            abstained=None,
            ranked_at__lte=candidate.decided_at,
        )
        if num := of_it.order_by().values("id").distinct().count():
            found.append((candidate, num))
    return found


def num_withdrawn_since(evaluation: Evaluation, policy: Policy, when: datetime) -> int:
    """Judgements of this candidate that were made by then and withdrawn after; changes by their author are none."""
    made = Ranking.objects.filter(comparison__evaluation=evaluation, comparison__completions__policy=policy)
    made = made.filter(abstained=None).annotate(made_at=Coalesce("lease__closed_at", "ranked_at"))
    gone = Q(retracted_at__gt=when) & ~Q(lease=None)
    return made.filter(gone, made_at__lte=when).distinct().count()


def num_withdrawn_behind(promotion: Promotion) -> int:
    """Judgements that a promotion rested on and that were withdrawn after it was made."""
    if promotion.evaluation is None or not promotion.verdict:
        return 0
    return num_withdrawn_since(promotion.evaluation, promotion.policy, promotion.at)


def with_withdrawn(promotions: Iterable[Promotion]) -> list[Promotion]:
    """The promotions, each with `num_withdrawn`: what was withdrawn of what it rested on."""
    found = list(promotions)
    for promotion in found:
        promotion.num_withdrawn = num_withdrawn_behind(promotion)  # type: ignore[attr-defined]
    return found


def num_not_counted(projects: Iterable[Project]) -> int:
    """Rankings of work and evaluations that were withdrawn, and so are in no standing of the leaderboard."""
    rows = Ranking.objects.filter(
        comparison__project__in=projects, comparison__use__in=Comparison.WITH_PLACES, retracted_at__isnull=False
    )
    return rows.filter(abstained=None, trainer__is_simulated=False).exclude(lease=None, is_choice=False).count()
