"""The webhooks of a project: the list, adding and closing one, its log of deliveries, retrying them."""

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
from labeling.webhooks.deliveries import (
    WebhookError,
    add_webhook,
    close_webhook,
    delivery_counts,
    retry_deliveries,
    rotate_secret,
)
from labeling.webhooks.forms import WebhookForm, event_labels

PAGE = 50


@access.role_required(*ENGINEERS)
@require_http_methods(["GET", "POST"])
def webhooks(request: HttpRequest, slug: str) -> HttpResponse:
    """The open webhooks, and a form for a new one. Its secret is in this response only."""
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
    """The deliveries of one webhook and how the address answered, newest first."""
    return _page(request, access.webhook_for(request, webhook_id, slug=slug))


def _page(request: HttpRequest, found: Webhook, *, is_rotated: bool = False) -> HttpResponse:
    found.event_labels = event_labels(found.events)  # type: ignore[attr-defined]
    page = Paginator(found.deliveries.all(), PAGE).get_page(request.GET.get("page"))
    context = {**_context(found.project), "webhook": found, "page": page, "is_rotated": is_rotated}
    return render(request, "labeling/webhooks/webhook.html", context)


@access.role_required(*ENGINEERS)
@require_POST
def close(request: HttpRequest, slug: str, webhook_id: uuid.UUID) -> HttpResponse:
    close_webhook(access.webhook_for(request, webhook_id, slug=slug), by=access.person(request))
    messages.success(request, _("It is told nothing more."))
    return redirect("webhooks", slug)


@access.role_required(*ENGINEERS)
@require_POST
def rotate(request: HttpRequest, slug: str, webhook_id: uuid.UUID) -> HttpResponse:
    """A new secret, which is in this response only; the old one signs too for a day."""
    found = access.webhook_for(request, webhook_id, slug=slug)
    try:
        rotate_secret(found, by=access.person(request))
    except WebhookError as error:
        messages.error(request, str(error))
        return redirect("webhook", slug, webhook_id)
    return _page(request, found, is_rotated=True)


@access.role_required(*ENGINEERS)
@require_POST
def retry(request: HttpRequest, slug: str, webhook_id: uuid.UUID) -> HttpResponse:
    """Retry the deliveries that this address has not accepted."""
    num = retry_deliveries(access.webhook_for(request, webhook_id, slug=slug), by=access.person(request))
    messages.success(request, _("%(n)d deliveries are tried again.") % {"n": num})
    return redirect("webhook", slug, webhook_id)


def _context(project: Project) -> dict[str, object]:
    return {"project": project, "section": "data"}


def _listed(project: Project) -> list[Webhook]:
    found = list(Webhook.objects.filter(project=project, closed_at=None).order_by("-created_at"))
    for one in found:
        one.event_labels, one.delivery_counts = event_labels(one.events), delivery_counts(one)  # type: ignore[attr-defined]
    return found
