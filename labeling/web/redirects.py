"""Redirect targets that come from a request, checked so that they cannot lead to another site."""

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme


def return_url(request: HttpRequest, *, default: str) -> str:
    """The URL that a form posted as `next`, if it is safe; else `default`."""
    return safe_url(request, request.POST.get("next", "")) or default


def safe_url(request: HttpRequest, url: str) -> str:
    """The URL if it is a path on this host, else an empty string."""
    if not url.startswith("/"):  # anything else, `redirect` might take for the name of a view
        return ""
    is_safe = url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
    return url if is_safe else ""
