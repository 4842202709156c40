"""Pages that anyone may read: all challenges, and one with its rules, dates, prizes and results; and objecting."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from labeling.challenges import access as rows
from labeling.challenges import entries
from labeling.challenges.eligibility import why_not
from labeling.challenges.entries import EntryError
from labeling.challenges.forms import ObjectionForm
from labeling.challenges.publication import published
from labeling.models import Challenge, Entry, Juror, User
from labeling.web import access

MOST_SHOWN = 50


@access.public
@require_GET
def challenges(request: HttpRequest) -> HttpResponse:
    shown = list(Challenge.objects.all()[:MOST_SHOWN])
    user = request.user
    judges = Juror.objects.filter(user=user, excused_at=None) if isinstance(user, User) else Juror.objects.none()
    context = {"challenges": shown, "judged": set(judges.values_list("challenge_id", flat=True))}
    return render(request, "labeling/challenges/challenges.html", context)


@access.public
@require_GET
def challenge(request: HttpRequest, challenge_slug: str) -> HttpResponse:
    return _page(request, rows.challenge_of(challenge_slug))


@access.anyone_signed_in
@require_POST
def object_to_results(request: HttpRequest, challenge_slug: str) -> HttpResponse:
    found = rows.challenge_of(challenge_slug)
    form = ObjectionForm(request.POST)
    if not form.is_valid():
        return _page(request, found, form)
    try:
        entries.object_to(found, form.cleaned_data["objection"], by=access.person(request))
    except EntryError as error:
        form.add_error(None, str(error))
        return _page(request, found, form)
    messages.success(request, _("Your objection is with the jury. The answer will stand here."))
    return redirect("challenge", challenge_slug)


def _page(request: HttpRequest, found: Challenge, form: ObjectionForm | None = None) -> HttpResponse:
    user = request.user if isinstance(request.user, User) else None
    mine = found.entries.filter(author=user).order_by("created_at") if user else Entry.objects.none()
    may_object = user is not None and found.state == Challenge.State.OBJECTIONS and entries.entered(user, found)
    objections = found.objections.all()
    context = {
        "challenge": found,
        "rules": found.rules,
        "sum_of_weights": sum(found.weights.values()),
        "why_not": why_not(user, found) if user else "",
        "mine": mine,
        "is_juror": user is not None and found.jurors.filter(user=user, excused_at=None).exists(),
        "results": published(found) if found.is_decided else None,
        "objections": objections.filter(author=user) if user else objections.none(),
        "num_objections": objections.count(),
        "num_answered": objections.exclude(decided_at=None).count(),
        "form": form or (ObjectionForm() if may_object else None),
        "now": timezone.now(),
    }
    return render(request, "labeling/challenges/challenge.html", context, status=422 if form else 200)
