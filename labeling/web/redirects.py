"""Where a form leads back to: the page that it stands on."""

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme


def way_back(request: HttpRequest, *, otherwise: str) -> str:
    """The address that a form sent as `next`, if it is one of ours; else the other."""
    return ours(request, request.POST.get("next", "")) or otherwise


def ours(request: HttpRequest, address: str) -> str:
    """The address if it leads to a page of this Parley, else nothing."""
    is_ours = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return address if is_ours else ""
