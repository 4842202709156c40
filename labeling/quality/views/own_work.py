"""My work: what a person ranked and wrote, and withdrawing one of it after reading what that touches."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labeling.dialogues import regeneration, review
from labeling.dialogues.rules import WritingError
from labeling.dialogues.suggestions import stop_runs
from labeling.exports.holding import holding_of
from labeling.models import Dialogue, Project, Ranking
from labeling.quality.own_work import DIALOGUES, RANKINGS, own_work
from labeling.quality.personal_statistics import personal_statistics
from labeling.rankings import mending
from labeling.rankings.submission import AssignmentError
from labeling.rankings.views.submitted import in_words
from labeling.web import access
from labeling.web.access import RANKERS, WRITERS


@access.role_required(*WRITERS)
@require_GET
def history(request: HttpRequest) -> HttpResponse:
    """The person's own rankings and dialogues, newest first, with their statistics."""
    user = access.person(request)
    context = {"section": "history", "pace": personal_statistics(user), "work": own_work(request.GET, user)}
    return render(request, "labeling/quality/history.html", context)


@access.role_required(*RANKERS)
@require_http_methods(["GET", "POST"])
def withdraw_ranking(request: HttpRequest, slug: str, ranking_id: uuid.UUID) -> HttpResponse:
    """GET says what the withdrawal touches, POST withdraws."""
    ranking = access.own_ranking(request, ranking_id, slug=slug)
    if request.method == "GET":
        what = {"ranking": ranking, "question": ranking.comparison.question, "order": in_words(ranking)}
        return _confirmation(request, ranking.comparison.project, ranking, **what)
    try:
        mending.withdraw(ranking, by=access.person(request), reason=request.POST.get("reason", ""))
        messages.success(request, _("The ranking is withdrawn and counts no more."))
    except AssignmentError as error:
        messages.error(request, str(error))
    return redirect(_withdrawn(RANKINGS))


@access.role_required(*RANKERS)
@require_POST
def put_back_ranking(request: HttpRequest, slug: str, ranking_id: uuid.UUID) -> HttpResponse:
    """Undo a withdrawal, or say why that cannot be."""
    try:
        mending.put_back(access.own_ranking(request, ranking_id, slug=slug), by=access.person(request))
        messages.success(request, _("The ranking counts again."))
    except AssignmentError as error:
        messages.error(request, str(error))
    return redirect("history")


@access.role_required(*WRITERS)
@require_http_methods(["GET", "POST"])
def take_out_dialogue(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    """GET says what the withdrawal touches, POST withdraws."""
    dialogue = access.own_dialogue(request, dialogue_id, slug=slug)
    if request.method == "GET":
        first = dialogue.messages.filter(role="user").order_by("position").first()
        last = dialogue.messages.order_by("-position").first() if dialogue.lease_id else None
        what = {"opening": first and first.content, "answer": last and last.content}
        return _confirmation(request, dialogue.project, dialogue, dialogue=dialogue, **what)
    user = access.person(request)
    stop_runs(dialogue, by=user)
    regeneration.stop_regenerating(dialogue, by=user)
    review.withdraw(dialogue, by=user, reason=request.POST.get("reason", ""))
    if dialogue.lease_id:
        messages.success(request, _("The better answer is withdrawn. Your ranking stays."))
    else:
        messages.success(request, _("The dialogue is withdrawn."))
    return redirect(_withdrawn(DIALOGUES))


@access.role_required(*WRITERS)
@require_POST
def put_back_dialogue(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    """Undo a withdrawal, or say why that cannot be."""
    dialogue = access.own_withdrawn_dialogue(request, dialogue_id, slug=slug)
    try:
        review.put_back(dialogue, by=access.person(request))
        messages.success(request, _("The dialogue is back, as it was."))
    except WritingError as error:
        messages.error(request, str(error))
    return redirect("history")


def _withdrawn(kind: str) -> str:
    """The list in which the withdrawal can be undone."""
    return f"{reverse('history')}?kind={kind}&state=withdrawn"


def _confirmation(request: HttpRequest, project: Project, row: Ranking | Dialogue, **what: Any) -> HttpResponse:
    context = {"project": project, "section": "history", "holding": holding_of(row), **what}
    return render(request, "labeling/quality/withdraw.html", context)
