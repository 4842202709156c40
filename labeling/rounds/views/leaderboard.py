"""The page of the leaderboard, over all projects that one sees or over one of them."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from labeling.models import Policy, Project
from labeling.rounds.leaderboard import Leaderboard, leaderboard_of
from labeling.rounds.withdrawn_judgements import num_not_counted
from labeling.statistics.intervals import Estimate
from labeling.statistics.leaderboard import FEWEST_VOTES
from labeling.statistics.paired_comparisons import elo
from labeling.statistics.style_control import MEASURES
from labeling.web import access
from labeling.web.access import ENGINEERS
from labeling.web.permissions import model_access


@access.role_required(*ENGINEERS)
@require_GET
def leaderboard(request: HttpRequest) -> HttpResponse:
    projects = Project.objects.visible_to(access.person(request)).order_by("name")
    chosen = projects.filter(slug=request.GET.get("project", "")).first()
    board = leaderboard_of([chosen] if chosen else projects)
    context = {
        "section": "models",
        "projects": projects,
        "chosen": chosen,
        "board": board,
        "num_withdrawn": num_not_counted([chosen] if chosen else projects),
        "rows": _rows(board, model_access.policies_for(request)),
        "weights": [(measure, board.styled.weights[measure]) for measure in MEASURES] if board.styled else [],
        "fewest": FEWEST_VOTES,
    }
    return render(request, "labeling/rounds/leaderboard.html", context)


def _rows(board: Leaderboard, seen: QuerySet[Policy]) -> list[dict[str, Any]]:
    ids = dict(seen.filter(name__in=[one.policy for one in board.standings]).values_list("name", "id"))
    return [
        {
            "standing": one,
            "id": ids.get(one.policy),
            "elo": _in_elo(one.strength),
            "elo_with_ties": elo(board.tied.strengths[one.policy]) if board.tied and one.strength else None,
            "elo_at_equal_style": elo(board.styled.strengths[one.policy])
            if board.styled and one.strength and one.policy in board.styled.strengths
            else None,
        }
        for one in board.standings
    ]


def _in_elo(strength: Estimate | None) -> Estimate | None:
    if strength is None:
        return None
    return Estimate(value=elo(strength.value), low=elo(strength.low), high=elo(strength.high), n=strength.n)
