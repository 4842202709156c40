"""Submits a text written on the ranking screen: a corrected completion, or a better one."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from labeling.dialogues.rules import WritingError
from labeling.rankings import corrections
from labeling.rankings.board_input import BoardError, read_json
from labeling.rankings.forms import BetterForm
from labeling.web import access
from labeling.web.access import RANKERS


@access.role_required(*RANKERS)
@require_POST
def write_better(request: HttpRequest, slug: str, lease_id: uuid.UUID) -> HttpResponse:
    """Submit the text as a demonstration. The board is not changed."""
    held = access.own_lease(request, lease_id, slug=slug)
    try:
        form = BetterForm(_posted(request))
        if not form.is_valid():
            return _refused(request, slug, form.problems())
        values = form.cleaned_data
        origin = values.pop("completion")
        completion = access.completion_of(held, origin) if origin else None
        written = corrections.write_better(held, **values, completion=completion, by=access.person(request))
    except (BoardError, WritingError) as error:
        return _refused(request, slug, str(error))
    url = reverse("dialogue", args=(slug, written.pk))
    if request.content_type == "application/json":
        return JsonResponse({"sentence": _("Handed in; a reviewer will read it."), "url": url})
    return redirect(url)


def _posted(request: HttpRequest) -> dict[str, Any]:
    """The form's fields, from JSON or from the plain form.

    The plain form has the editors of all completions; the pressed button names the completion.
    """
    if request.content_type == "application/json":
        return read_json(request.body)
    origin = request.POST.get("completion", "")
    return {"completion": origin, "content": request.POST.get(f"content:{origin}", ""), "key": uuid.uuid4()}


def _refused(request: HttpRequest, slug: str, sentence: str) -> HttpResponse:
    if request.content_type == "application/json":
        return JsonResponse({"error": sentence}, status=422)
    messages.error(request, sentence)  # the plain form opens a new window, so the text is still in the old one
    return redirect("rank", slug)
