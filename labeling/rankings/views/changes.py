"""The page on which the author of a submitted ranking changes it: the ordinary board, filled with what counts now.

What is kept of a change that is not submitted yet stands in the lease's draft, with the id of the version that it
changes; the draft of a change of an older version is not shown.
"""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from labeling.models import Lease, Ranking
from labeling.rankings import mending
from labeling.rankings.board_input import BoardError, read_request, read_submission
from labeling.rankings.mending import MendedMeanwhile
from labeling.rankings.submission import AssignmentError
from labeling.rankings.views import board
from labeling.rankings.views.submitted import unsent_change
from labeling.rankings.wording import abstain_reasons
from labeling.web import access
from labeling.web.access import RANKERS
from labeling.web.times import moment


@access.role_required(*RANKERS)
@require_http_methods(["GET", "POST"])
def change_ranking(request: HttpRequest, slug: str, lease_id: uuid.UUID) -> HttpResponse:
    """Change the ranking of this lease; 409 where it was changed or withdrawn meanwhile, 422 where that is refused."""
    held = access.own_lease(request, lease_id, slug=slug)
    ranking = mending.standing(held)
    if ranking is None or (request.method == "GET" and not mending.may_change(held)):
        return redirect("lease", slug, lease_id)
    if request.method == "GET":
        return _page(request, held, ranking)
    values: dict[str, Any] = {}
    try:
        values = read_request(request)
        submission, key = read_submission(values)
        counts = mending.change(held, submission, key=key, by=access.person(request))
    except (BoardError, AssignmentError) as error:
        status = 409 if isinstance(error, MendedMeanwhile) else 422
        return _refusal(request, held, ranking, values, error=str(error), status=status)
    if counts.submission_key == key:
        messages.success(request, _("Your change is saved; this is the ranking that counts now."))
    else:
        messages.info(request, _("Nothing was different, so your ranking stays as it was."))
    return board.answer(request, reverse("lease", args=(slug, lease_id)))


def change_name(ranking: Ranking) -> str:
    """Under which the browser keeps the draft of a change of this version."""
    return f"change:{ranking.id}"


def _refusal(
    request: HttpRequest, held: Lease, ranking: Ranking, values: dict[str, Any], *, error: str, status: int
) -> HttpResponse:
    if request.content_type == "application/json":
        own = reverse("lease", args=(held.comparison.project.slug, held.id))
        return JsonResponse({"error": error, "own": own}, status=status)
    return _page(request, held, ranking, posted=values, error=error, status=status)


def _page(
    request: HttpRequest,
    held: Lease,
    ranking: Ranking,
    *,
    posted: dict[str, Any] | None = None,
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    project, until = held.comparison.project, mending.changes_until(held)
    kept = None if request.GET.get("anew") else unsent_change(held, ranking)
    layout = (kept or {}).get("layout") or board.layout_of(access.person(request))
    context = board.board_context(
        held.comparison,
        shown_order=held.shown_order,
        layout=layout,
        posted=posted if posted is not None else _as_posted(ranking),
        error=error,
    )
    context |= {
        "project": project,
        "section": "rank",
        "lease": held,
        "changes": ranking,
        "submitted_at": moment(ranking.ranked_at),
        "asks_strengths": _asks_strengths(ranking),
        "until": moment(until),
        "came_back": mending.returned(held),
        "is_kept_change": kept is not None,
        "abstain_reasons": abstain_reasons(),
        "may_write": True,
        "submission_key": (posted or {}).get("key") or mending.change_key(ranking.id),
        "submit_label": _("Submit the change"),
        "facts": _facts(request, held, ranking, kept, layout),
    }
    return render(request, "labeling/rankings/ranking.html", context, status=status)


def _facts(
    request: HttpRequest, held: Lease, ranking: Ranking, kept: dict[str, Any] | None, layout: str
) -> dict[str, Any]:
    arguments = (held.comparison.project.slug, held.id)
    names = {"submit": "change_ranking", "draft": "lease_draft", "better": "write_better"}
    urls = {key: reverse(name, args=arguments) for key, name in names.items()}
    saved_at = held.draft_saved_at.timestamp() if kept is not None and held.draft_saved_at else 0
    return board.board_facts(change_name(ranking), num=len(held.shown_order), layout=layout, urls=urls) | {
        "draft": kept or _as_draft(ranking),
        "draft_version": held.draft_version,
        # Where the person begins anew, what the browser keeps is older than this page.
        "draft_saved_at": timezone.now().timestamp() if request.GET.get("anew") else saved_at,
        "asks": {"ratings": held.comparison.project.asks_ratings, "strengths": _asks_strengths(ranking)},
        "kept_with": {"changes": str(ranking.id)},
    }


def _asks_strengths(ranking: Ranking) -> bool:
    """Also where the project asks no more: what was said of the tiers is not lost by a change of them."""
    return ranking.comparison.project.asks_strengths or bool(ranking.strengths)


def _as_draft(ranking: Ranking) -> dict[str, Any]:
    """The ranking as rank.js keeps a board."""
    values = _as_posted(ranking)
    line = values["line"] if values["line"] is not None else len(ranking.shown_order) + 1
    board_values = {"shelves": values["shelves"], "line": line}
    board_values["strengths"] = values["strengths"]
    return {"board": board_values, "ratings": values["ratings"], "note": ranking.note}


def _as_posted(ranking: Ranking) -> dict[str, Any]:
    """The ranking as the board posts it."""
    ratings = {
        str(rating.completion_id): {
            "overall": rating.overall,
            "flags": [flag for flag, is_set in rating.flags.items() if is_set],
            "note": rating.note,
        }
        for rating in ranking.ratings.all()
    }
    shelves = {identifier: shelf for shelf, tier in enumerate(ranking.tiers, 1) for identifier in tier}
    line = None if ranking.unacceptable_from is None else ranking.unacceptable_from + 1
    strengths = {str(lower): strength for lower, strength in enumerate(ranking.strengths, 2)}
    return {"shelves": shelves, "line": line, "strengths": strengths, "ratings": ratings, "note": ranking.note}
