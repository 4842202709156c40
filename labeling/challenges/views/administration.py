"""An admin's challenges: all of a project's and a new one; one with its settings, its jurors and its draw."""

import uuid

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from labeling.challenges import access as rows
from labeling.challenges import administration, jury, results
from labeling.challenges.administration import SetupError
from labeling.challenges.forms import ChallengeForm, JurorForm, initial_of
from labeling.challenges.jury import JuryError
from labeling.models import Challenge, Entry, Project, User
from labeling.web import access


@access.signed_in
@require_http_methods(["GET", "POST"])
def project_challenges(request: HttpRequest, slug: str) -> HttpResponse:
    """The challenges of a project, for its people; an admin sets a new one up."""
    project, user = access.project_for(request, slug), access.person(request)
    if request.method == "GET" or not user.is_admin:
        return _list_page(request, project, None)
    form = ChallengeForm(request.POST)
    if not form.is_valid():
        return _list_page(request, project, form)
    made = administration.set_up(project, form.values(), rules=form.cleaned_data["rules"], by=user)
    messages.success(request, _("The contest is set up. Anyone can read its page now."))
    return redirect("run_challenge", slug, made.pk)


@access.role_required(User.Role.ADMIN)
@require_http_methods(["GET", "POST"])
def run_challenge(request: HttpRequest, slug: str, challenge_id: uuid.UUID) -> HttpResponse:
    """One challenge: how far it is, its jurors, its objections, its settings."""
    challenge = rows.challenge_for(request, challenge_id, slug=slug)
    if request.method == "GET":
        return _challenge_page(request, challenge)
    form = ChallengeForm(request.POST, challenge=challenge, initial={"slug": challenge.slug})
    if not form.is_valid():
        return _challenge_page(request, challenge, form=form)
    try:
        administration.change(challenge, form.values(), rules=form.cleaned_data["rules"], by=access.person(request))
    except SetupError as error:
        form.add_error(None, str(error))
        return _challenge_page(request, challenge, form=form)
    messages.success(request, _("Changed."))
    return redirect("run_challenge", slug, challenge_id)


@access.role_required(User.Role.ADMIN)
@require_POST
def name_juror(request: HttpRequest, slug: str, challenge_id: uuid.UUID) -> HttpResponse:
    challenge = rows.challenge_for(request, challenge_id, slug=slug)
    form = JurorForm(request.POST)
    if not form.is_valid():
        return _challenge_page(request, challenge, juror_form=form)
    try:
        named = jury.name_juror(challenge, form.cleaned_data["username"], by=access.person(request))
    except JuryError as error:
        form.add_error("username", str(error))
        return _challenge_page(request, challenge, juror_form=form)
    messages.success(request, _("%s is a juror.") % named.user)
    return redirect("run_challenge", slug, challenge_id)


@access.role_required(User.Role.ADMIN)
@require_POST
def excuse_juror(request: HttpRequest, slug: str, challenge_id: uuid.UUID, juror_id: int) -> HttpResponse:
    challenge = rows.challenge_for(request, challenge_id, slug=slug)
    jury.excuse(get_object_or_404(challenge.jurors, pk=juror_id), by=access.person(request))
    messages.success(request, _("Excused. What they had not marked went to others by lot."))
    return redirect("run_challenge", slug, challenge_id)


@access.role_required(User.Role.ADMIN)
@require_POST
def draw_jurors(request: HttpRequest, slug: str, challenge_id: uuid.UUID) -> HttpResponse:
    challenge = rows.challenge_for(request, challenge_id, slug=slug)
    try:
        num = jury.draw_jurors(challenge, by=access.person(request))
        messages.success(request, ngettext("%d place was drawn.", "%d places were drawn.", num) % num)
    except JuryError as error:
        messages.error(request, str(error))
    return redirect("run_challenge", slug, challenge_id)


def _list_page(request: HttpRequest, project: Project, form: ChallengeForm | None) -> HttpResponse:
    sent = Count("entries", filter=Q(entries__state=Entry.State.SENT))
    is_admin = access.person(request).is_admin
    context = {
        "project": project,
        "section": "project_settings",
        "challenges": project.challenges.annotate(num_sent=sent),
        "form": form or (ChallengeForm() if is_admin else None),
    }
    return render(request, "labeling/challenges/project_challenges.html", context, status=422 if form else 200)


def _challenge_page(
    request: HttpRequest,
    challenge: Challenge,
    *,
    form: ChallengeForm | None = None,
    juror_form: JurorForm | None = None,
) -> HttpResponse:
    drawn = Count("drawn")
    marked = Count("drawn", filter=Q(drawn__marked_at__isnull=False))
    states = dict(challenge.entries.values_list("state").annotate(num=Count("pk")).order_by())
    context = {
        "project": challenge.project,
        "section": "project_settings",
        "challenge": challenge,
        "form": form or ChallengeForm(challenge=challenge, initial=initial_of(challenge)),
        "juror_form": juror_form or JurorForm(),
        "jurors": challenge.jurors.select_related("user").annotate(num_drawn=drawn, num_marked=marked).order_by("pk"),
        "num_sent": states.get(Entry.State.SENT, 0),
        "num_judged": challenge.entries.judged().count(),
        "num_short": jury.short_of_jurors(challenge),
        "num_waiting": jury.waiting(challenge),
        "why_not_yet": results.why_not_yet(challenge),
        "objections": challenge.objections.select_related("author", "decided_by"),
        "is_closed": challenge.state not in (Challenge.State.PLANNED, Challenge.State.OPEN),
        "is_marking": challenge.state == Challenge.State.MARKING,
    }
    status = 422 if form or juror_form else 200
    return render(request, "labeling/challenges/run_challenge.html", context, status=status)
