"""What became of one ranking or dialogue: all of it for those who review or train models, yes or no for its author."""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from labeling.models import Dialogue, Project, Ranking
from labeling.rankings.views.submitted import in_words
from labeling.web import access
from labeling.web.access import TRACERS, signed_in
from labeling.withdrawals.forward import forward_from, is_in_an_export, visible_promotions


@signed_in
@require_GET
def ranking_forward(request: HttpRequest, slug: str, ranking_id: uuid.UUID) -> HttpResponse:
    ranking = access.traced_ranking(request, ranking_id, slug=slug)
    what = {"ranking": ranking, "opening": ranking.comparison.question, "order": in_words(ranking)}
    return _page(request, ranking, ranking.comparison.project, **what)


@signed_in
@require_GET
def dialogue_forward(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    dialogue = access.traced_dialogue(request, dialogue_id, slug=slug)
    is_readable = dialogue.state != Dialogue.State.WITHDRAWN or dialogue.author_id == access.person(request).id
    first = dialogue.messages.filter(role="user").order_by("position").first() if is_readable else None
    return _page(request, dialogue, dialogue.project, dialogue=dialogue, opening=first.content if first else "")


def _page(request: HttpRequest, row: Ranking | Dialogue, project: Project, **what: Any) -> HttpResponse:
    reader = access.person(request)
    context = {"project": project, "section": "quality", **what}
    if reader.role in TRACERS:
        projects = list(Project.objects.visible_to(reader))
        author = row.trainer_id if isinstance(row, Ranking) else row.author_id
        context["found"] = visible_promotions(forward_from(row, by_its_author=author == reader.id), projects)
    else:
        context["is_in_an_export"] = is_in_an_export(row)
    return render(request, "labeling/withdrawals/forward.html", context)
