"""An entrant's own entry: begun, kept, sent, changed, withdrawn; and after the results what the jurors said of it."""

import uuid
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from labeling.challenges import access as rows
from labeling.challenges import entries
from labeling.challenges.eligibility import why_not
from labeling.challenges.entries import EntryError
from labeling.challenges.forms import EntryForm
from labeling.models import Challenge, Entry
from labeling.web import access

_OPEN = (Challenge.State.PLANNED, Challenge.State.OPEN)


@dataclass(frozen=True, kw_only=True)
class Said:
    """One juror's marks, without the juror."""

    marks: tuple[tuple[str, int, str], ...]  # criterion, value, why


@access.anyone_signed_in
@require_http_methods(["GET", "POST"])
def enter(request: HttpRequest, challenge_slug: str) -> HttpResponse:
    """A new entry. It is kept as a draft, or sent."""
    return _handle(request, rows.challenge_of(challenge_slug), None)


@access.anyone_signed_in
@require_http_methods(["GET", "POST"])
def entry(request: HttpRequest, challenge_slug: str, entry_id: uuid.UUID) -> HttpResponse:
    """An entry of one's own: changed and sent until the close, read after it."""
    challenge = rows.challenge_of(challenge_slug)
    return _handle(request, challenge, rows.own_entry(request, challenge, entry_id))


@access.anyone_signed_in
@require_POST
def withdraw_entry(request: HttpRequest, challenge_slug: str, entry_id: uuid.UUID) -> HttpResponse:
    held = rows.own_entry(request, rows.challenge_of(challenge_slug), entry_id)
    try:
        entries.withdraw(held, by=access.person(request))
        messages.success(request, _("Withdrawn. You may send it again until the close."))
    except EntryError as error:
        messages.error(request, str(error))
    return redirect("entry", challenge_slug, entry_id)


def _handle(request: HttpRequest, challenge: Challenge, held: Entry | None) -> HttpResponse:
    user = access.person(request)
    if request.method == "GET":
        return _page(request, challenge, held, None)
    form = EntryForm(request.POST, challenge=challenge, user=user)
    if not form.is_valid():
        return _page(request, challenge, held, form)
    try:
        if request.POST.get("do") == "send":
            kept = entries.send(
                challenge,
                form.words(),
                by=user,
                entry=held,
                accepts=form.accepted(),
                is_adult=form.cleaned_data["is_adult"],
            )
            messages.success(request, _("Sent. You may change or withdraw it until the close."))
        else:
            kept = entries.keep_draft(challenge, form.words(), by=user, entry=held)
            messages.success(request, _("Kept as a draft. It takes part once you send it."))
    except EntryError as error:
        form.add_error(None, str(error))
        return _page(request, challenge, held, form)
    return redirect("entry", challenge.slug, kept.pk)


def _page(request: HttpRequest, challenge: Challenge, held: Entry | None, form: EntryForm | None) -> HttpResponse:
    user = access.person(request)
    reason = why_not(user, challenge)
    is_open = challenge.state in _OPEN and not (held and held.state == Entry.State.DISQUALIFIED)
    context = {
        "challenge": challenge,
        "rules": challenge.rules,
        "entry": held,
        "why_not": reason,
        "form": form or (_blank(request, challenge, held) if is_open and not reason else None),
        "may_send": challenge.state == Challenge.State.OPEN,
        "may_withdraw": is_open and held is not None and held.state == Entry.State.SENT,
        "said": _said(challenge, held) if held and challenge.is_decided else [],
        "result": getattr(held, "result", None) if challenge.is_decided else None,
    }
    return render(request, "labeling/challenges/entry.html", context, status=422 if form else 200)


def _blank(request: HttpRequest, challenge: Challenge, held: Entry | None) -> EntryForm:
    rules = challenge.rules
    initial: dict[str, object] = {"rules_version": rules.version if rules else 0}
    if held is not None:
        initial |= {
            "title": held.title,
            "text": held.text,
            "reports": held.reports.all(),
            "shows_name": held.shows_name,
            "is_adult": held.is_adult,
            "accepts_rules": rules is not None and held.rules_id == rules.pk,
        }
    return EntryForm(initial=initial, challenge=challenge, user=access.person(request))


def _said(challenge: Challenge, held: Entry) -> list[Said]:
    """The jurors in the order of their rows' ids, which says nothing of who they are."""
    names = {one["key"]: one["name"] for one in challenge.criteria}
    by_juror: dict[object, list[tuple[str, int, str]]] = {}
    for mark in held.marks.order_by("juror_id", "pk"):
        given = (names.get(mark.criterion, mark.criterion), mark.value, mark.why)
        by_juror.setdefault(mark.juror_id, []).append(given)
    return [Said(marks=tuple(marks)) for marks in by_juror.values()]
