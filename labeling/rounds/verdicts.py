"""What people said of the policies of an evaluation: judgements, win rates with intervals, and how style weighed in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from uuid import UUID

from django.db.models.functions import Coalesce

from labeling.models import Comparison, Completion, Evaluation, Policy, Ranking
from labeling.statistics.intervals import Estimate
from labeling.statistics.leaderboard import Vote, standings
from labeling.statistics.logistic_regression import sigmoid
from labeling.statistics.style_control import Style, StyledVote, control_style, style_of

FEWEST_FOR_CONTROL = 20  # judgements below which nothing is said of style


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """One person's word on one pair: the share that the candidate won, and whether they found neither acceptable."""

    ranking_id: UUID
    prompt_id: UUID
    trainer_id: UUID
    is_simulated: bool
    won: float
    is_neither: bool
    candidate_answer: str
    baseline_answer: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PeoplesFigures:
    """A candidate against the baseline by people; a tie, and "neither", is half a win.

    `win_rate` draws prompts and trainers apart (labeling.statistics.leaderboard). The controlled ones are at equal
    length and at equal style; None below FEWEST_FOR_CONTROL judgements. Lengths are mean characters of an answer.
    """

    win_rate: Estimate
    wins: int
    ties: int
    losses: int
    num_neither: int  # of the ties, those in which both were unacceptable
    num_trainers: int
    num_simulated: int  # judgements that programs made, which no page may call people's
    num_prompts: int
    length_controlled: float | None
    style_controlled: float | None
    candidate_length: float
    baseline_length: float

    @property
    def judged_by(self) -> str:
        """ "people", "simulated trainers", or "both"."""
        if self.num_simulated == 0:
            return "people"
        return "simulated trainers" if self.num_simulated == self.wins + self.ties + self.losses else "both"


def judgements_of(evaluation: Evaluation, candidate: Policy, *, until: datetime | None = None) -> list[Judgement]:
    """What people said, by then, in the order in which they did; without what they abstained from or took back."""
    rows = Ranking.objects.filter(
        comparison__evaluation=evaluation,
        comparison__completions__policy=candidate,
        retracted_at=None,
        abstained=None,
    )
    if until is not None:
        rows = rows.annotate(made_at=Coalesce("lease__closed_at", "ranked_at")).filter(made_at__lte=until)
    rankings = list(rows.exclude(trainer=None).select_related("comparison", "trainer").order_by("ranked_at", "id"))
    answers: dict[UUID, dict[UUID, Completion]] = {}
    comparisons = {ranking.comparison_id for ranking in rankings}
    for completion in Completion.objects.filter(comparison__in=comparisons):
        answers.setdefault(completion.comparison_id, {})[completion.policy_id] = completion  # type: ignore[arg-type,index]
    return [
        _judgement(ranking, answers[ranking.comparison_id], candidate.id, evaluation.baseline_id)
        for ranking in rankings
    ]


def figures_of(judgements: Sequence[Judgement]) -> PeoplesFigures | None:
    """The figures; None without a judgement."""
    if not judgements:
        return None
    votes = [
        Vote(first="candidate", second="baseline", won=one.won, prompt=one.prompt_id, trainer=one.trainer_id)
        for one in judgements
    ]
    by_policy = {standing.policy: standing for standing in standings(votes)}
    styles = [(style_of(one.candidate_answer), style_of(one.baseline_answer)) for one in judgements]
    return PeoplesFigures(
        win_rate=by_policy["candidate"].wins,
        wins=sum(one.won == 1 for one in judgements),
        ties=sum(one.won == 0.5 for one in judgements),
        losses=sum(one.won == 0 for one in judgements),
        num_neither=sum(one.is_neither for one in judgements),
        num_trainers=len({one.trainer_id for one in judgements}),
        num_simulated=sum(one.is_simulated for one in judgements),
        num_prompts=len({one.prompt_id for one in judgements}),
        length_controlled=_controlled(
            judgements, [(_length_alone(one), _length_alone(other)) for one, other in styles]
        ),
        style_controlled=_controlled(judgements, styles),
        candidate_length=fmean(candidate.length for candidate, _ in styles),
        baseline_length=fmean(baseline.length for _, baseline in styles),
    )


def num_alike(evaluation: Evaluation) -> int:
    """Pairs whose answers are the same word for word: ties that nobody was asked about, and no part of the figures."""
    return evaluation.comparisons.filter(state=Comparison.State.DONE, rankings_wanted=0).count()


def _judgement(ranking: Ranking, pair: dict[UUID, Completion], candidate_id: UUID, baseline_id: UUID) -> Judgement:
    candidate, baseline = pair[candidate_id], pair[baseline_id]
    places = {name: place for place, tier in enumerate(ranking.tiers) for name in tier}
    difference = places[str(baseline.id)] - places[str(candidate.id)]
    return Judgement(
        ranking_id=ranking.id,
        prompt_id=ranking.comparison.prompt_id,  # type: ignore[arg-type]
        trainer_id=ranking.trainer_id,  # type: ignore[arg-type]
        is_simulated=ranking.trainer is not None and ranking.trainer.is_simulated,
        won=1.0 if difference > 0 else 0.0 if difference < 0 else 0.5,
        is_neither=ranking.unacceptable_from == 0 and difference == 0,
        candidate_answer=candidate.content,
        baseline_answer=baseline.content,
    )


def _controlled(judgements: Sequence[Judgement], styles: Sequence[tuple[Style, Style]]) -> float | None:
    """The share that the candidate would win if both answers were alike in these measures."""
    if len(judgements) < FEWEST_FOR_CONTROL:
        return None
    votes = [
        StyledVote(
            first="candidate", second="baseline", won=one.won, first_style=candidate_style, second_style=baseline_style
        )
        for one, (candidate_style, baseline_style) in zip(judgements, styles, strict=True)
    ]
    strengths = control_style(votes).strengths
    return sigmoid(strengths["candidate"] - strengths["baseline"])


def _length_alone(style: Style) -> Style:
    return Style(length=style.length, headers=0, list_items=0, bold=0)
