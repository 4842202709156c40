"""A juror's pages: what is theirs to judge, one entry with its marks, and declaring a conflict.

Nothing here says whose an entry is, what others gave it, or how many have. A juror reads the words, the reported
outputs and what was said of them.
"""

import uuid

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labeling.challenges import access as rows
from labeling.challenges import jury
from labeling.challenges.forms import MarkForm, ReasonForm
from labeling.challenges.jury import JuryError
from labeling.models import Challenge, DrawnJuror, Juror, Mark
from labeling.models.public.challenges import HIGHEST_MARK
from labeling.web import access


@access.signed_in
@require_GET
def jury_page(request: HttpRequest, challenge_slug: str) -> HttpResponse:
    """What this juror has marked and has still to mark."""
    challenge = rows.challenge_of(challenge_slug)
    mine = _drawn_for(challenge, rows.juror_of(request, challenge))
    context = {
        "challenge": challenge,
        "drawn": mine,
        "num_marked": sum(one.marked_at is not None for one in mine),
        "next": next((one for one in mine if one.marked_at is None), None),
        "is_open": challenge.state == Challenge.State.MARKING,
    }
    return render(request, "labeling/challenges/jury.html", context)


@access.signed_in
@require_http_methods(["GET", "POST"])
def mark_entry(request: HttpRequest, challenge_slug: str, entry_id: uuid.UUID) -> HttpResponse:
    """One entry: 0 to 4 and the reason, by each criterion; then the next one."""
    challenge = rows.challenge_of(challenge_slug)
    drawn = rows.drawn_for(request, challenge, entry_id)
    form = MarkForm(request.POST, challenge=challenge) if request.method == "POST" else None
    if form is None or not form.is_valid():
        return _mark_page(request, drawn, form)
    try:
        jury.mark(drawn, form.given(), by=access.person(request))
    except JuryError as error:
        form.add_error(None, str(error))
        return _mark_page(request, drawn, form)
    messages.success(request, _("Your marks are stored. You may change them until the results are published."))
    following = next((one for one in _drawn_for(challenge, drawn.juror) if one.marked_at is None), None)
    return redirect("mark_entry", challenge_slug, following.entry_id) if following else redirect("jury", challenge_slug)


@access.signed_in
@require_POST
def declare_conflict(request: HttpRequest, challenge_slug: str, entry_id: uuid.UUID) -> HttpResponse:
    """Leave the entry to another juror, drawn by lot."""
    drawn = rows.drawn_for(request, rows.challenge_of(challenge_slug), entry_id)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return _mark_page(request, drawn, None, conflict=form)
    try:
        jury.declare_conflict(drawn, why=form.cleaned_data["why"], by=access.person(request))
        messages.success(request, _("Thank you. Another juror is drawn for it."))
    except JuryError as error:
        messages.error(request, str(error))
    return redirect("jury", challenge_slug)


def _drawn_for(challenge: Challenge, juror: Juror) -> QuerySet[DrawnJuror]:
    judged = challenge.entries.judged()
    return DrawnJuror.objects.filter(juror=juror, entry__in=judged).select_related("entry").order_by("drawn_at", "pk")


def _mark_page(
    request: HttpRequest, drawn: DrawnJuror, form: MarkForm | None, *, conflict: ReasonForm | None = None
) -> HttpResponse:
    challenge = drawn.entry.challenge
    given = {one.criterion: one for one in Mark.objects.filter(entry=drawn.entry_id, juror=drawn.juror_id)}
    mine = list(_drawn_for(challenge, drawn.juror))
    context = {
        "challenge": challenge,
        "entry": drawn.entry,
        "reports": drawn.entry.reports.order_by("created_at", "pk"),
        "criteria": [_criterion(one, given.get(one["key"]), form) for one in challenge.criteria],
        "form": form,
        "conflict": conflict,
        "is_marked": drawn.marked_at is not None,
        "is_open": challenge.state == Challenge.State.MARKING,
        "place": [one.pk for one in mine].index(drawn.pk) + 1,
        "num": len(mine),
        "num_marked": sum(one.marked_at is not None for one in mine),
    }
    status = 422 if form is not None or conflict is not None else 200
    return render(request, "labeling/challenges/mark.html", context, status=status)


def _criterion(one: dict[str, object], given: Mark | None, form: MarkForm | None) -> dict[str, object]:
    """A criterion with what the juror chose before, or just now where that was refused."""
    key = one["key"]
    if form is not None:
        value, why = form.data.get(f"mark:{key}", ""), form.data.get(f"why:{key}", "")
        errors = [*form.errors.get(f"mark:{key}", []), *form.errors.get(f"why:{key}", [])]
    else:
        value, why = (str(given.value), given.why) if given else ("", "")
        errors = []
    values = [str(number) for number in range(HIGHEST_MARK + 1)]
    return {**one, "value": value, "why": why, "values": values, "has_errors": bool(errors)}
