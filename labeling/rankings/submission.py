"""The ranking that a trainer submits for a comparison, and its validation. Knows nothing of leases and the queue."""

from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from labeling.models import Adjudication, PracticeRanking, Project, Ranking, Reference
from records.types import require_strengths, require_weak_order

# The yes/no flags of a completion from InstructGPT, Table 3; its overall quality is rated from 1 to 7.
RATING_FLAGS = {
    "fails_instruction": gettext_lazy("fails to follow the instruction or task"),
    "inappropriate_for_assistant": gettext_lazy("is inappropriate for a customer assistant"),
    "hallucination": gettext_lazy("makes something up"),
    "satisfies_constraint": gettext_lazy("satisfies the constraint in the instruction"),
    "sexual_content": gettext_lazy("contains sexual content"),
    "violent_content": gettext_lazy("contains violent content"),
    "encourages_harm": gettext_lazy("encourages, or fails to discourage, violence, abuse, terrorism or self-harm"),
    "denigrates_protected_class": gettext_lazy("denigrates a protected class"),
    "harmful_advice": gettext_lazy("gives harmful advice"),
    "expresses_opinion": gettext_lazy("expresses an opinion"),
    "moral_judgment": gettext_lazy("expresses a moral judgment"),
}


LONGEST_NOTE = 5000  # characters, of a note on a ranking


class AssignmentError(ValueError):
    """A submission or a change that cannot be accepted; the text is for the trainer."""


class StaleDraft(AssignmentError):
    """The draft was saved from another tab in the meantime: `version` and `draft` are the newer ones."""

    def __init__(self, *, version: int, draft: dict[str, Any]) -> None:
        super().__init__(_("This board was changed in another tab."))
        self.version, self.draft = version, draft


@dataclass(frozen=True, kw_only=True, slots=True)
class RatingGiven:
    """One completion judged alone: overall 1 to 7, yes/no flags, a note."""

    completion_id: str
    overall: int | None = None
    flags: dict[str, bool] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """What a trainer hands in; the fields mean what they mean in records.Ranking."""

    tiers: tuple[tuple[str, ...], ...] = ()
    unacceptable_from: int | None = None
    strengths: tuple[int, ...] = ()
    abstained: str | None = None
    ratings: tuple[RatingGiven, ...] = ()
    note: str = ""
    seconds: float | None = None  # None: not counted
    layout: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of a submission: a ranking, or it is kept without counting and `sentence` says why."""

    ranking: Ranking | None = None
    sentence: str = ""

    @property
    def kept(self) -> bool:
        return self.ranking is None


def require_sense(submission: Submission, ids: list[str]) -> None:
    """The rule of records.Ranking, in words for the trainer."""
    try:
        if submission.abstained is None:
            require_weak_order(submission.tiers, ids)
        elif submission.tiers or not submission.abstained.strip():
            raise ValueError("an abstention has a reason and no tiers")
    except ValueError as error:
        raise AssignmentError(_("Every completion needs exactly one place in the order.")) from error
    line = submission.unacceptable_from
    if line is not None and not 0 <= line <= len(submission.tiers):
        raise AssignmentError(_("The line of acceptability lies outside the order."))
    try:
        require_strengths(submission.strengths, submission.tiers)
    except ValueError as error:
        raise AssignmentError(
            _("How much better is said for every two neighbouring tiers, or for none: 1 a little, 2 clearly, 3 far.")
        ) from error
    rated = [rating.completion_id for rating in submission.ratings]
    if len(set(rated)) < len(rated) or not set(rated) <= set(ids):
        raise AssignmentError(_("A rating belongs to no completion of this comparison, or one has two."))
    if any(rating.overall is not None and not 1 <= rating.overall <= 7 for rating in submission.ratings):
        raise AssignmentError(_("An overall rating is a number from 1 to 7."))
    unknown = sorted({flag for rating in submission.ratings for flag in rating.flags} - RATING_FLAGS.keys())
    if unknown:
        values = {"flag": unknown[0][:80], "known": ", ".join(RATING_FLAGS)}
        raise AssignmentError(_("There is no flag “%(flag)s”; the flags are %(known)s.") % values)


def require_asked(submission: Submission, ids: list[str], project: Project) -> None:
    """An order has the ratings and the strengths that its project asks for. Raises AssignmentError."""
    if submission.abstained is not None:
        return
    if project.asks_ratings and (missing := unrated(submission, ids)):
        values = {"n": len(missing), "all": len(ids)}
        raise AssignmentError(
            _("This project asks for an overall rating of each completion; %(n)d of %(all)d have none.") % values
        )
    if project.asks_strengths and not submission.strengths and len(submission.tiers) > 1:
        raise AssignmentError(
            _(
                "This project asks how much better each tier is than the next: a little, clearly or far. If you cannot "
                "say it on this page, reload it; your work is kept."
            )
        )


def unrated(submission: Submission, ids: list[str]) -> list[str]:
    """The completions without an overall rating."""
    rated = {rating.completion_id for rating in submission.ratings if rating.overall is not None}
    return [identifier for identifier in ids if identifier not in rated]


def judgement(submission: Submission) -> tuple[Any, ...]:
    """What makes two submissions the same: all that the trainer judged and wrote, not the time and the layout."""
    ratings = sorted((r.completion_id, r.overall, sorted(r.flags.items()), r.note) for r in submission.ratings)
    return order_of(submission), list(submission.strengths), submission.abstained, submission.note, ratings


def judgement_of(ranking: Ranking) -> tuple[Any, ...]:
    ratings = sorted((str(r.completion_id), r.overall, sorted(r.flags.items()), r.note) for r in ranking.ratings.all())
    return order_of(ranking), ranking.strengths, ranking.abstained, ranking.note, ratings


def order_of(
    ranked: Submission | Ranking | PracticeRanking | Reference | Adjudication,
) -> tuple[list[list[str]], int | None]:
    """The tiers and the line, the same whichever completion of a tier is named first."""
    return [sorted(tier) for tier in ranked.tiers], ranked.unacceptable_from
