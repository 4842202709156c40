"""Mine: a visitor's chats, what models may learn from them, a download of everything, and deleting it."""

import uuid

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labeling.preview import consent, erasure, lookup
from labeling.preview.forms import TrainingForm
from labeling.preview.own_words import everything_of, own_visits
from labeling.preview.views.public import public_page
from labeling.safety.appeals import appeals_of
from labeling.safety.reports import outcomes_for
from labeling.web import access

MOST_SHOWN = 200


@access.visitor_required
@require_GET
def mine(request: HttpRequest, slug: str) -> HttpResponse:
    preview = lookup.visited_preview(request, slug)
    user = access.person(request)
    visits = own_visits(preview, user)
    context = {
        "visits": visits[:MOST_SHOWN],
        "num_visits": visits.count(),
        "consent": consent.consent_of(user, preview),
        "outcomes": outcomes_for(user, project=preview.project),
        "appeals": list(appeals_of(user).filter(project=preview.project_id)[:MOST_SHOWN]),
    }
    return public_page(request, preview, "labeling/preview/mine.html", context)


@access.visitor_required
@require_POST
def change_training(request: HttpRequest, slug: str) -> HttpResponse:
    """Whether models may learn from what they write from now on; taking it back also takes out what was."""
    preview = lookup.visited_preview(request, slug)
    form = TrainingForm(request.POST)
    if not form.is_valid():
        return HttpResponse(status=422)
    consent.set_training(access.person(request), preview, training=form.cleaned_data["training"])
    messages.success(request, _("Saved."))
    return redirect("mine", preview.slug)


@access.visitor_required
@require_GET
def download_mine(request: HttpRequest, slug: str) -> HttpResponse:
    preview = lookup.visited_preview(request, slug)
    found = everything_of(preview, access.person(request))
    name = f'attachment; filename="{preview.slug}-mine.json"'
    return JsonResponse(
        found, json_dumps_params={"indent": 1, "ensure_ascii": False}, headers={"Content-Disposition": name}
    )


@access.visitor_required
@require_POST
def delete_visit(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    preview = lookup.visited_preview(request, slug)
    dialogue = lookup.own_visit(request, dialogue_id, preview=preview)
    erasure.erase_dialogue(dialogue, by=access.person(request))
    messages.success(request, _("That chat is deleted."))
    return redirect("mine", preview.slug)


@access.visitor_required
@require_http_methods(["GET", "POST"])
def delete_mine(request: HttpRequest, slug: str) -> HttpResponse:
    """What deleting everything means, and doing it."""
    preview = lookup.visited_preview(request, slug)
    user = access.person(request)
    if request.method == "GET":
        context = {"num_visits": own_visits(preview, user).count()}
        return public_page(request, preview, "labeling/preview/delete_mine.html", context)
    erasure.erase_visitor(user)
    logout(request)
    messages.success(request, _("Everything of yours is deleted, your address included. Thank you for your visit."))
    return redirect("preview_page", preview.slug)
