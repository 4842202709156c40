"""One's own second factors: the list, setting an app or a passkey up, taking one away, recovery codes."""

import base64

from allauth.mfa.adapter import get_adapter
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labeling.accounts import second_factor as domain
from labeling.accounts.forms import CodeForm, NewPasskeyForm
from labeling.accounts.second_factor import SecondFactorError
from labeling.models import User
from labeling.web import access
from labeling.web.proof import before_second_factor, lacks_second_factor, note_proof, recently_proven


@access.signed_in
@before_second_factor
@never_cache
@require_GET
def second_factor(request: HttpRequest) -> HttpResponse:
    return _page(request, access.person(request))


@access.signed_in
@before_second_factor
@recently_proven
@never_cache
@sensitive_post_parameters("code")
@require_http_methods(["GET", "POST"])
def set_up_app(request: HttpRequest) -> HttpResponse:
    """The secret for the app, as a picture and as letters, and the first code that proves the app has it."""
    user = access.person(request)
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            codes = domain.add_app(request, user, code=form.cleaned_data["code"])
            return _added(request, user, codes)
        except SecondFactorError as error:
            form.add_error("code", str(error))
    secret = domain.secret_to_set_up(request)
    adapter = get_adapter()
    picture = adapter.build_totp_svg(adapter.build_totp_url(user, secret))
    context = {
        "section": "account",
        "form": form,
        "secret": " ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
        "picture": f"data:image/svg+xml;base64,{base64.b64encode(picture.encode()).decode()}",
    }
    status = 422 if form.is_bound else 200
    return render(request, "labeling/accounts/set_up_app.html", context, status=status)


@access.signed_in
@before_second_factor
@recently_proven
@never_cache
@require_POST
def passkey_creation(request: HttpRequest) -> HttpResponse:
    """What the browser is asked for to make a passkey."""
    return JsonResponse(domain.passkey_creation(access.person(request)))


@access.signed_in
@before_second_factor
@recently_proven
@never_cache
@require_POST
def add_passkey(request: HttpRequest) -> HttpResponse:
    user = access.person(request)
    form = NewPasskeyForm(request.POST)
    if not form.is_valid():
        return _page(request, user, problem=_("The browser's answer was not understood; please try again."))
    try:
        codes = domain.add_passkey(user, **form.cleaned_data)
    except SecondFactorError as error:
        return _page(request, user, problem=str(error))
    return _added(request, user, codes)


@access.signed_in
@recently_proven
@require_POST
def remove(request: HttpRequest, factor_id: int) -> HttpResponse:
    user = access.person(request)
    factor = get_object_or_404(domain.factors_of(user), pk=factor_id)
    try:
        domain.remove_factor(user, factor, is_needed=user.role in settings.REQUIRE_SECOND_FACTOR)
    except SecondFactorError as error:
        return _page(request, user, problem=str(error))
    messages.success(request, _("Taken away."))
    return redirect("second_factor")


@access.signed_in
@recently_proven
@never_cache
@require_POST
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """New recovery codes, in this response only; older ones are void."""
    user = access.person(request)
    try:
        return _page(request, user, codes=domain.new_recovery_codes(user))
    except SecondFactorError as error:
        return _page(request, user, problem=str(error))


def _added(request: HttpRequest, user: User, codes: list[str]) -> HttpResponse:
    """The list after a factor was set up: whoever has set it up has given it, too."""
    note_proof(request, second_factor=True)
    if codes:
        return _page(request, user, codes=codes)
    messages.success(request, _("Set up."))
    return redirect("second_factor")


def _page(request: HttpRequest, user: User, *, codes: list[str] | None = None, problem: str = "") -> HttpResponse:
    factors = list(domain.factors_of(user))
    context = {
        "section": "account",
        "factors": factors,
        "has_app": any(factor.type == "totp" for factor in factors),
        "num_codes": domain.num_recovery_codes(user),
        "codes": codes,
        "problem": problem,
        "is_needed": user.role in settings.REQUIRE_SECOND_FACTOR,
        "is_lacking": lacks_second_factor(request, role=user.role),
    }
    return render(request, "labeling/accounts/second_factor.html", context, status=422 if problem else 200)
