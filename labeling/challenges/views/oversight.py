"""What an admin sees of entries: all of them, duplicates that are proposed, one with its author, and deciding on it."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from labeling.challenges import access as rows
from labeling.challenges import administration, duplicates
from labeling.challenges.administration import SetupError
from labeling.challenges.duplicates import DuplicateError
from labeling.challenges.forms import DuplicateForm, ReasonForm, ReleaseForm
from labeling.models import Challenge, Entry, User
from labeling.web import access
from labeling.web.listing import ListFilter, Order, listing

_SENT_FIRST = Order(name="first", label="", columns=("sent_at", "id"))
_STATES = [(one.value, one.label) for one in (Entry.State.SENT, Entry.State.DISQUALIFIED)]


@access.role_required(User.Role.ADMIN)
@require_GET
def entries_of(request: HttpRequest, slug: str, challenge_id: uuid.UUID) -> HttpResponse:
    """Every entry that is or was sent, with its author; and pairs that may show the same."""
    challenge = rows.challenge_for(request, challenge_id, slug=slug)
    sent = challenge.entries.filter(sent_at__isnull=False).select_related("author", "duplicate_of")
    states = ListFilter(name="state", label=_("State"), choices=_STATES, apply=lambda all, to: all.filter(state=to))
    context = {
        "project": challenge.project,
        "section": "project_settings",
        "challenge": challenge,
        "listing": listing(request.GET, sent, orders=(_SENT_FIRST,), filters=(states,)),
        "proposed": duplicates.proposed(challenge),
    }
    return render(request, "labeling/challenges/entries_of.html", context)


@access.role_required(User.Role.ADMIN)
@require_GET
def entry_of(request: HttpRequest, slug: str, challenge_id: uuid.UUID, entry_id: uuid.UUID) -> HttpResponse:
    challenge = rows.challenge_for(request, challenge_id, slug=slug)
    return _page(request, challenge, rows.entry_of(challenge, entry_id))


@access.role_required(User.Role.ADMIN)
@require_POST
def disqualify_entry(request: HttpRequest, slug: str, challenge_id: uuid.UUID, entry_id: uuid.UUID) -> HttpResponse:
    challenge = rows.challenge_for(request, challenge_id, slug=slug)
    entry = rows.entry_of(challenge, entry_id)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return _page(request, challenge, entry, form)
    try:
        administration.disqualify(entry, why=form.cleaned_data["why"], by=access.person(request))
        messages.success(request, _("Disqualified. Its author reads the reason."))
    except SetupError as error:
        messages.error(request, str(error))
    return redirect("entry_of", slug, challenge_id, entry_id)


@access.role_required(User.Role.ADMIN)
@require_POST
def name_duplicate(request: HttpRequest, slug: str, challenge_id: uuid.UUID, entry_id: uuid.UUID) -> HttpResponse:
    """Name two entries one finding; with no other entry, take that back."""
    challenge = rows.challenge_for(request, challenge_id, slug=slug)
    entry = rows.entry_of(challenge, entry_id)
    if not request.POST.get("other"):
        duplicates.take_back(entry, by=access.person(request))
        return redirect("entry_of", slug, challenge_id, entry_id)
    form = DuplicateForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say why the two entries are one finding."))
        return redirect("entries_of", slug, challenge_id)
    other = rows.entry_of(challenge, form.cleaned_data["other"])
    try:
        later = duplicates.name_duplicate(entry, other, why=form.cleaned_data["why"], by=access.person(request))
        messages.success(request, _("“%s” is a duplicate now; the first one sent is credited.") % later)
    except DuplicateError as error:
        messages.error(request, str(error))
    return redirect("entries_of", slug, challenge_id)


@access.role_required(User.Role.ADMIN)
@require_POST
def release_entry(request: HttpRequest, slug: str, challenge_id: uuid.UUID, entry_id: uuid.UUID) -> HttpResponse:
    """Let anyone read its words with the results, or hold them back."""
    challenge = rows.challenge_for(request, challenge_id, slug=slug)
    entry, form = rows.entry_of(challenge, entry_id), ReleaseForm(request.POST)
    if form.is_valid():
        administration.release(entry, released=form.cleaned_data["released"], by=access.person(request))
    return redirect("entry_of", slug, challenge_id, entry_id)


def _page(request: HttpRequest, challenge: Challenge, entry: Entry, form: ReasonForm | None = None) -> HttpResponse:
    context = {
        "project": challenge.project,
        "section": "project_settings",
        "challenge": challenge,
        "entry": entry,
        "reports": entry.reports.order_by("created_at", "pk"),
        "conflicts": entry.conflicts.select_related("juror__user"),
        "form": form or (ReasonForm() if entry.state == Entry.State.SENT else None),
    }
    return render(request, "labeling/challenges/entry_of.html", context, status=422 if form else 200)
