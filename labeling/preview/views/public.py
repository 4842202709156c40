"""What the public pages share: their context, and the header that keeps them out of search engines."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from labeling.models import Preview, User

NOT_INDEXED = "noindex, nofollow"


def public_page(
    request: HttpRequest, preview: Preview, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """A page of the preview. Only its first page may be listed, and only if an admin wants it so."""
    user = request.user
    is_listed = preview.is_listed and preview.is_open and template.endswith("/preview.html")
    shared = {
        "preview": preview,
        "robots": "" if is_listed else NOT_INDEXED,
        "visitor": user if isinstance(user, User) and user.is_visitor else None,
    }
    response = render(request, template, shared | context, status=status)
    if not is_listed:
        response["X-Robots-Tag"] = NOT_INDEXED
    return response
