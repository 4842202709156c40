"""The page of a submitted ranking, as its author reads it. It stands at the address of the board that it was made on.

Gold items are shown as work is: nothing here asks what a comparison is used for.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from labeling.models import Comparison, Dialogue, Lease, Ranking, Withdrawal
from labeling.rankings import mending
from labeling.rankings.submission import RATING_FLAGS
from labeling.rankings.views import board
from labeling.rankings.wording import strength_choices
from labeling.sampling import screenings
from labeling.web.times import moment

SUBMITTED = (Lease.State.SUBMITTED, Lease.State.WITHDRAWN)  # states of a lease that this page shows


def submitted_page(request: HttpRequest, held: Lease) -> HttpResponse:
    ranking = mending.standing(held)
    assert ranking is not None
    comparison, until = held.comparison, mending.changes_until(held)
    context: dict[str, Any] = {
        "project": comparison.project,
        "section": "rank",
        "lease": held,
        "ranking": ranking,
        "state": _state(held, ranking),
        "submitted_at": moment(held.closed_at or ranking.ranked_at),
        "changed_at": moment(ranking.ranked_at) if _is_changed(ranking) else "",
        "until": moment(until),
        "may_change": mending.may_change(held),
        "came_back": mending.returned(held),
        "unsent": unsent_change(held, ranking),
        "earlier_messages": comparison.messages[:-1],
        "last_message": comparison.messages[-1],
        "tiers": tiers_of(ranking),
        "written": held.written.exclude(state=Dialogue.State.WITHDRAWN).order_by("created_at"),
    }
    return render(request, "labeling/rankings/submitted.html", context)


def unsent_change(held: Lease, ranking: Ranking) -> dict[str, Any] | None:
    """The draft of a change of this version that was kept and not submitted."""
    draft = held.draft
    return draft if isinstance(draft, dict) and draft.get("changes") == str(ranking.id) else None


def in_words(ranking: Ranking) -> str:
    """The order on one line, or the abstention with its reason."""
    if ranking.abstained is not None:
        return _("abstained: %(reason)s") % {"reason": ranking.abstained}
    letters = board.letters(ranking.shown_order)
    known = {identifier: letters.get(identifier, "?") for tier in ranking.tiers for identifier in tier}
    tied = ", " if ranking.is_choice else " = "
    return board.format_order(ranking.tiers, ranking.unacceptable_from, known, strengths=ranking.strengths, tied=tied)


def tiers_of(ranking: Ranking) -> list[dict[str, Any]]:
    """The tiers, best first, each with its completions; without an order one tier of all, which has no number."""
    known = {str(completion.id): completion for completion in ranking.comparison.completions.all()}
    screened = screenings.of_completions(known.values())
    rated = {str(rating.completion_id): rating for rating in ranking.ratings.all()}
    letters = board.letters(ranking.shown_order)
    words = dict(strength_choices())
    strengths = {number: words[strength] for number, strength in enumerate(ranking.strengths, 2)}  # by the lower tier
    line = len(ranking.tiers) if ranking.unacceptable_from is None else ranking.unacceptable_from
    return [
        {
            "number": number if ranking.tiers else None,
            "is_unacceptable": number > line and bool(ranking.tiers),
            "strength": strengths.get(number),
            "is_first_below": number == line + 1 and bool(ranking.tiers),
            "completions": [
                {
                    "letter": letters[identifier],
                    "content": known[identifier].content,
                    "finish_reason": known[identifier].finish_reason,
                    "screening": screened.get(known[identifier].pk),
                    "rating": rated.get(identifier),
                    "flags": [label for flag, label in RATING_FLAGS.items() if _has_flag(rated.get(identifier), flag)],
                }
                for identifier in sorted(tier, key=letters.__getitem__)
            ],
        }
        for number, tier in enumerate(ranking.tiers or [ranking.shown_order], 1)
    ]


def _state(held: Lease, ranking: Ranking) -> str:
    if held.state == Lease.State.WITHDRAWN:
        taken_out = mending.is_taken_out(ranking, Withdrawal.objects.in_force_for(held.trainer))
        return "retracted" if taken_out else "withdrawn"
    if ranking.retracted_at is not None:
        return "retracted"  # by somebody else: its author has nothing to undo
    return "left out" if held.comparison.state == Comparison.State.WITHDRAWN else "counts"


def _is_changed(ranking: Ranking) -> bool:
    return Ranking.objects.filter(comparison=ranking.comparison_id, trainer=ranking.trainer_id).count() > 1


def _has_flag(rating: Any, flag: str) -> bool:
    return rating is not None and bool(rating.flags.get(flag))
