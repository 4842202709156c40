"""Webhooks of a project: which addresses are told of what, and the log of what one was told."""

import uuid

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labeling.models import Project, Webhook
from labeling.web import access
from labeling.web.access import ENGINEERS
from labeling.webhooks.deliveries import WebhookError, add_webhook, close_webhook, standing_of, try_again
from labeling.webhooks.forms import WebhookForm, in_words

PAGE = 50


@access.role_required(*ENGINEERS)
@require_http_methods(["GET", "POST"])
def webhooks(request: HttpRequest, slug: str) -> HttpResponse:
    """The addresses, and a form for another. The secret of a new one stands in this answer only."""
    project = access.project_for(request, slug)
    form = WebhookForm(request.POST or None)
    added = None
    if request.method == "POST" and form.is_valid():
        try:
            added = add_webhook(project, **form.cleaned_data, by=access.person(request))
            form = WebhookForm()
        except WebhookError as error:
            form.add_error("url", str(error))
    context = {**_context(project), "form": form, "added": added, "webhooks": _listed(project)}
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "labeling/webhooks/webhooks.html", context, status=status)


@access.role_required(*ENGINEERS)
@require_GET
def webhook(request: HttpRequest, slug: str, webhook_id: uuid.UUID) -> HttpResponse:
    """What this address was told and how it answered, newest first."""
    found = access.webhook_for(request, webhook_id, slug=slug)
    found.in_words = in_words(found.events)  # type: ignore[attr-defined]
    page = Paginator(found.deliveries.all(), PAGE).get_page(request.GET.get("page"))
    return render(
        request, "labeling/webhooks/webhook.html", {**_context(found.project), "webhook": found, "page": page}
    )


@access.role_required(*ENGINEERS)
@require_POST
def close(request: HttpRequest, slug: str, webhook_id: uuid.UUID) -> HttpResponse:
    close_webhook(access.webhook_for(request, webhook_id, slug=slug), by=access.person(request))
    messages.success(request, _("It is told nothing more."))
    return redirect("webhooks", slug)


@access.role_required(*ENGINEERS)
@require_POST
def retry(request: HttpRequest, slug: str, webhook_id: uuid.UUID) -> HttpResponse:
    """Tell again what this address did not take."""
    num = try_again(access.webhook_for(request, webhook_id, slug=slug), by=access.person(request))
    messages.success(request, _("%(n)d deliveries are tried again.") % {"n": num})
    return redirect("webhook", slug, webhook_id)


def _context(project: Project) -> dict[str, object]:
    return {"project": project, "section": "data"}


def _listed(project: Project) -> list[Webhook]:
    found = list(Webhook.objects.filter(project=project, closed_at=None).order_by("-created_at"))
    for one in found:
        one.in_words, one.standing = in_words(one.events), standing_of(one)  # type: ignore[attr-defined]
    return found
