"""Confirming who one is, before a page that lately proven people alone may open (labeling.web.proof)."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labeling.accounts import second_factor, single_sign_on
from labeling.accounts.forms import ConfirmForm, PasskeyForm
from labeling.accounts.guessing import SignInRefused, check_code, check_password
from labeling.accounts.second_factor import SecondFactorError
from labeling.models import AuditEvent, User
from labeling.web import access
from labeling.web.proof import HELD_FORM, before_second_factor, note_proof
from labeling.web.redirects import safe_url


@access.signed_in
@before_second_factor
@never_cache
@sensitive_post_parameters("password", "code")
@require_http_methods(["GET", "POST"])
def confirm(request: HttpRequest) -> HttpResponse:
    """Ask for the password or a code, whichever the person has; then back to where they were going."""
    user = access.person(request)
    form = ConfirmForm(request.POST or None)
    if request.method == "GET" or not form.is_valid():
        return _page(request, user, form)
    code, password = form.cleaned_data["code"], form.cleaned_data["password"]
    try:
        if code:
            check_code(user, code)
        else:
            address = request.META.get("REMOTE_ADDR", "")
            check_password(request, username=user.username, password=password, address=address)
    except SignInRefused as refused:
        return _page(request, user, form, problem=str(refused))
    return _confirmed(request, user, second_factor=bool(code))


@access.signed_in
@before_second_factor
@never_cache
@require_POST
def confirm_by_passkey(request: HttpRequest) -> HttpResponse:
    user = access.person(request)
    form = PasskeyForm(request.POST)
    try:
        if not form.is_valid():
            raise SecondFactorError(form.errors.as_text())
        second_factor.accept_passkey(form.cleaned_data["credential"], of=user)
    except SecondFactorError as error:
        return _page(request, user, ConfirmForm(), problem=str(error))
    return _confirmed(request, user, second_factor=True)


def _confirmed(request: HttpRequest, user: User, *, second_factor: bool) -> HttpResponse:
    note_proof(request, second_factor=second_factor)
    AuditEvent.note("confirm", user, by=user, second_factor=second_factor)
    return redirect(after_confirming(request, _wanted(request)))


@access.signed_in
@before_second_factor
@never_cache
@require_GET
def held_form(request: HttpRequest) -> HttpResponse:
    """A form that was sent too late, to be sent again with one button. It is shown once."""
    held = request.session.pop(HELD_FORM, None)
    if held is None:
        return redirect(settings.LOGIN_REDIRECT_URL)
    return render(request, "labeling/accounts/held_form.html", {"held": held})


def after_confirming(request: HttpRequest, wanted: str) -> str:
    """The address to go to: the form that was held up, or the page that was wanted, if it is safe."""
    if HELD_FORM in request.session:
        return reverse("held_form")
    return safe_url(request, wanted) or resolve_url(settings.LOGIN_REDIRECT_URL)


def _page(request: HttpRequest, user: User, form: ConfirmForm, *, problem: str = "") -> HttpResponse:
    kinds = {factor.type for factor in second_factor.factors_of(user)}
    context = {
        "section": "account",
        "form": form,
        "problem": problem,
        "next": _wanted(request),
        "has_password": user.has_usable_password(),
        "has_app": "totp" in kinds,
        "has_passkey": "webauthn" in kinds,
        "provider": settings.OIDC_NAME if single_sign_on.is_connected(user) else "",
    }
    status = 200 if request.method == "GET" else 422
    return render(request, "labeling/accounts/confirm.html", context, status=status)


def _wanted(request: HttpRequest) -> str:
    return safe_url(request, request.POST.get("next") or request.GET.get("next") or "")
