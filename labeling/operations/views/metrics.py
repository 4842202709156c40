"""The address that Prometheus scrapes, behind a token of its own: a monitor is no person and has no session."""

import secrets

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from labeling.operations.figures import PlatformCollector
from labeling.web import access

_PLATFORM = CollectorRegistry()
_PLATFORM.register(PlatformCollector())


@access.public
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Figures of this process and of the platform. 404 unless PARLEY_METRICS_TOKEN is set, 401 for another token."""
    if not settings.METRICS_TOKEN:
        raise Http404
    given = request.headers.get("Authorization", "").encode()
    if not secrets.compare_digest(given, f"Bearer {settings.METRICS_TOKEN}".encode()):
        return HttpResponse("A token is needed: Authorization: Bearer …\n", status=401, content_type="text/plain")
    return HttpResponse(generate_latest(REGISTRY) + generate_latest(_PLATFORM), content_type=CONTENT_TYPE_LATEST)
