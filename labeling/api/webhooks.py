"""Operations on webhooks of a project: add and close them, and read their deliveries."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Status

from labeling.api import schemas
from labeling.api.authentication import scope_required
from labeling.api.pagination import NEWEST_FIRST, Page, Place, page_of
from labeling.models import ApiToken, Webhook
from labeling.web import access
from labeling.web.access import ENGINEERS
from labeling.webhooks import deliveries

READ, WRITE = ApiToken.Scope.READ, ApiToken.Scope.WRITE
router = Router()


@router.get("/projects/{slug}/webhooks", response=Page[schemas.Webhook])
@scope_required(READ)
@access.role_required(*ENGINEERS)
def list_webhooks(request: HttpRequest, slug: str, place: Query[Place]) -> Any:
    """Webhooks of a project, closed ones too, newest first."""
    return page_of(Webhook.objects.filter(project=access.project_for(request, slug)), place, order=NEWEST_FIRST)


@router.post("/projects/{slug}/webhooks", response={201: schemas.AddedWebhook})
@scope_required(WRITE)
@access.role_required(*ENGINEERS)
def add_webhook(request: HttpRequest, slug: str, given: schemas.NewWebhook) -> Any:
    """Add a webhook for these events; only this response contains the secret of its signatures."""
    project = access.project_for(request, slug)
    return Status(201, deliveries.add_webhook(project, **given.dict(), by=access.person(request)))


@router.post("/projects/{slug}/webhooks/{webhook_id}/close", response=schemas.Webhook)
@scope_required(WRITE)
@access.role_required(*ENGINEERS)
def close_webhook(request: HttpRequest, slug: str, webhook_id: UUID) -> Any:
    """Close a webhook: it gets no more events."""
    found = access.webhook_for(request, webhook_id, slug=slug)
    deliveries.close_webhook(found, by=access.person(request))
    found.refresh_from_db()
    return found


@router.post("/projects/{slug}/webhooks/{webhook_id}/rotate", response=schemas.AddedWebhook)
@scope_required(WRITE)
@access.role_required(*ENGINEERS)
def rotate_secret(request: HttpRequest, slug: str, webhook_id: UUID) -> Any:
    """Give a webhook a new secret, which only this response contains; the old one signs too for 24 hours."""
    found = access.webhook_for(request, webhook_id, slug=slug)
    deliveries.rotate_secret(found, by=access.person(request))
    return found


@router.get("/projects/{slug}/webhooks/{webhook_id}/deliveries", response=Page[schemas.Delivery])
@scope_required(READ)
@access.role_required(*ENGINEERS)
def list_deliveries(request: HttpRequest, slug: str, webhook_id: UUID, place: Query[Place]) -> Any:
    """Deliveries of a webhook with the address's responses, newest first."""
    found = access.webhook_for(request, webhook_id, slug=slug)
    return page_of(found.deliveries.all(), place, order=NEWEST_FIRST)
