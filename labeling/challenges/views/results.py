"""Publishing results with the reasons, and answering objections to them."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from labeling.challenges import access as rows
from labeling.challenges import administration, results
from labeling.challenges.forms import LONGEST_WHY, ReplyForm, ResultsForm
from labeling.challenges.results import PublishingError
from labeling.models import Challenge, User
from labeling.web import access
from labeling.web.form_fields import plain_line_ends

MOST_BELOW = 20  # entries that are shown below the last prize


@access.role_required(User.Role.ADMIN)
@require_http_methods(["GET", "POST"])
def challenge_results(request: HttpRequest, slug: str, challenge_id: uuid.UUID) -> HttpResponse:
    """The order as it stands, once every mark is in; published with the jury's words and a reason for each winner."""
    challenge = rows.challenge_for(request, challenge_id, slug=slug)
    if request.method == "GET":
        return _page(request, challenge, None)
    form = ResultsForm(request.POST)
    if not form.is_valid():
        return _page(request, challenge, form)
    try:
        results.publish(
            challenge, words=form.cleaned_data["words"], reasons=_reasons(request), by=access.person(request)
        )
    except PublishingError as error:
        form.add_error(None, str(error))
        return _page(request, challenge, form)
    messages.success(request, _("The results are published. Entrants may object for seven days."))
    return redirect("challenge", challenge.slug)


@access.role_required(User.Role.ADMIN)
@require_POST
def answer_objection(request: HttpRequest, slug: str, challenge_id: uuid.UUID, objection_id: uuid.UUID) -> HttpResponse:
    challenge = rows.challenge_for(request, challenge_id, slug=slug)
    objection = rows.objection_of(challenge, objection_id)
    form = ReplyForm(request.POST)
    if form.is_valid():
        administration.answer(objection, reply=form.cleaned_data["reply"], by=access.person(request))
        messages.success(request, _("Answered."))
    else:
        messages.error(request, _("An answer needs words, and not too many."))
    return redirect("run_challenge", slug, challenge_id)


def _reasons(request: HttpRequest) -> dict[str, str]:
    """The reasons by entry; a text that is too long counts as none, which the refusal says."""
    texts = {name.partition(":")[2]: plain_line_ends(text) for name, text in _fields(request)}
    return {entry: text for entry, text in texts.items() if len(text) <= LONGEST_WHY}


def _fields(request: HttpRequest) -> list[tuple[str, str]]:
    return [(name, str(text)) for name, text in request.POST.items() if name.startswith("reason:")]


def _page(request: HttpRequest, challenge: Challenge, form: ResultsForm | None) -> HttpResponse:
    problems = results.why_not_yet(challenge)
    placed = [] if problems else results.standing(challenge)
    shown = {str(one.pk): one for one in challenge.entries.filter(pk__in=[one.entry for one in placed])}
    earlier = {str(one.entry_id): one.words for one in challenge.results.all()}
    posted = _reasons(request) if form is not None else {}
    lines = [(one, shown[one.entry], posted.get(one.entry, earlier.get(one.entry, ""))) for one in placed]
    context = {
        "project": challenge.project,
        "section": "project_settings",
        "challenge": challenge,
        "problems": problems,
        "winners": lines[: challenge.num_prizes],
        "below": lines[challenge.num_prizes :][:MOST_BELOW],
        "agreement": None if problems else results.agreement(challenge),
        "form": form or ResultsForm(initial={"words": challenge.words}),
    }
    return render(request, "labeling/challenges/results.html", context, status=422 if form else 200)
