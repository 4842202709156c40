"""To the provider and back: to sign in, to join an account to it, to confirm who one is, and to sign out there.

The way there is a link and no form: the pages' policy lets forms lead to this host alone, redirects included.
"""

import logging
import secrets
from typing import Any
from urllib.parse import urlencode

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.openid_connect import views as allauth_views
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from requests import RequestException

from labeling.accounts import entering, single_sign_on
from labeling.accounts.allauth_adapters import PROVIDER
from labeling.accounts.single_sign_on import Claims, SignOnRefused
from labeling.accounts.views.confirm import after_confirming
from labeling.models import AuditEvent, User
from labeling.web import access
from labeling.web.proof import before_second_factor, note_proof, recently_proven
from labeling.web.redirects import safe_url

logger = logging.getLogger(__name__)

_SIGN_IN, _JOIN, _CONFIRM = "sign in", "join", "confirm"


@access.public
@never_cache
@require_GET
def to_provider(request: HttpRequest) -> HttpResponse:
    """Off to the provider to sign in. It changes nothing here, so a link may do it."""
    entering.keep_for_a_while(request)
    return _go(request, _SIGN_IN, wanted=safe_url(request, request.GET.get("next", "")))


@access.signed_in
@before_second_factor
@never_cache
@require_GET
def confirm_at_provider(request: HttpRequest) -> HttpResponse:
    """Off to the provider, which is to ask for a proof even of somebody who is signed in there."""
    wanted = safe_url(request, request.GET.get("next", ""))
    return _go(request, _CONFIRM, wanted=wanted, prompt="login", max_age="60")


@access.signed_in
@recently_proven
@require_POST
def join_provider(request: HttpRequest) -> HttpResponse:
    """A page with the link to the provider. By POST: a link that a stranger planted must not join anything."""
    way = _go(request, _JOIN, wanted=reverse("account"))
    if way.status_code != 302:
        return way
    context = {"section": "account", "url": way["Location"], "provider": settings.OIDC_NAME}
    return render(request, "labeling/accounts/to_provider.html", context)


@access.public
@never_cache
@require_GET
def from_provider(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Where the provider sends people back to. allauth checks the answer, then calls `came_back` or `failed`."""
    if provider_id != PROVIDER or not settings.OIDC_ISSUER:
        raise Http404
    try:
        response: HttpResponse = allauth_views.callback(request, provider_id)
    except (ValueError, KeyError) as error:  # an answer that is no JSON, or lacks what it must have
        return failed(request, exception=error)
    return response


@access.public
@never_cache
@require_GET
def leave_provider(request: HttpRequest) -> HttpResponse:
    """Off to the provider to sign out there as well (OpenID Connect RP-Initiated Logout 1.0), where it can."""
    back = request.build_absolute_uri(reverse("sign_in"))
    try:
        end = _provider(request).get_oauth2_adapter(request).openid_config.get("end_session_endpoint", "")
    except (RequestException, ValueError) as error:
        return failed(request, exception=error)
    if not end:
        messages.warning(request, _("%(name)s has no page for signing out.") % {"name": settings.OIDC_NAME})
        return redirect("sign_in")
    values = {"client_id": settings.OIDC_CLIENT_ID, "post_logout_redirect_uri": back}
    return redirect(f"{end}{'&' if '?' in end else '?'}{urlencode(values)}")


def came_back(request: HttpRequest, sociallogin: Any) -> HttpResponse:
    """The provider has said who it is. Called by labeling.accounts.allauth_adapters."""
    kept, wanted = sociallogin.state.get("data") or {}, sociallogin.state.get("next", "")
    purpose = kept.get("purpose")
    try:
        claims = single_sign_on.read_claims(sociallogin.account.extra_data, nonce=kept.get("nonce", ""))
        if purpose == _SIGN_IN:
            return _sign_in(request, claims, wanted)
        user = access.person(request)
        if purpose == _JOIN:
            single_sign_on.connect(user, claims)
            messages.success(request, _("From now on you can sign in with %(name)s.") % {"name": settings.OIDC_NAME})
            return redirect("account")
        return _confirm(request, user, claims, wanted)
    except SignOnRefused as refused:
        return _refused(request, str(refused), status=403)


def failed(request: HttpRequest, *, exception: Exception | None = None, error: Any = None) -> HttpResponse:
    """The way through the provider was broken off, by the person, by it or by the network."""
    if error == "cancelled":
        return redirect("sign_in")
    cause = (exception.__cause__ or exception) if exception else error
    logger.warning("single sign-on failed: %r", cause)
    if isinstance(exception, RequestException | ValueError | KeyError):
        sentence = _("%(name)s did not answer as it should. Try again; if it stays so, tell an admin.")
    else:
        sentence = _("Signing in with %(name)s did not work, or took too long. Try again.")
    return _refused(request, sentence % {"name": settings.OIDC_NAME}, status=502 if exception else 400)


def _sign_in(request: HttpRequest, claims: Claims, wanted: str) -> HttpResponse:
    user = single_sign_on.person_of(claims)
    second = "provider" if claims.has_second_factor else ""
    return redirect(entering.after_first_proof(request, user, method="provider", wanted=wanted, second=second))


def _confirm(request: HttpRequest, user: User, claims: Claims, wanted: str) -> HttpResponse:
    if not single_sign_on.confirms(user, claims):
        raise SignOnRefused(_("That was somebody else, or the provider asked for no proof just now."))
    note_proof(request, second_factor=claims.has_second_factor)
    AuditEvent.note("confirm", user, by=user, second_factor=claims.has_second_factor)
    return redirect(after_confirming(request, wanted))


def _go(request: HttpRequest, purpose: str, *, wanted: str, **how: str) -> HttpResponse:
    """Off to the provider. What the session keeps for the way back binds the answer to this browser and question."""
    provider, nonce = _provider(request), secrets.token_urlsafe(24)
    kept = {"purpose": purpose, "nonce": nonce}
    way: HttpResponse
    try:
        way = provider.redirect(request, "login", next_url=wanted, data=kept, auth_params={**how, "nonce": nonce})
    except ImmediateHttpResponse as answer:
        way = answer.response
    except (RequestException, ValueError, KeyError) as error:
        return failed(request, exception=error)
    return way


def _provider(request: HttpRequest) -> Any:
    if not settings.OIDC_ISSUER:
        raise Http404
    return get_adapter(request).get_provider(request, provider=PROVIDER)


def _refused(request: HttpRequest, sentence: str, *, status: int) -> HttpResponse:
    return render(request, "labeling/accounts/refused.html", {"sentence": sentence}, status=status)
