"""Signing in by password or passkey, the second step, and signing out. Limits are in labeling.accounts.guessing."""

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from labeling.accounts import entering, links, second_factor
from labeling.accounts.forms import CodeForm, PasskeyForm, SignInForm
from labeling.accounts.guessing import SignInRefused, check_code, check_password
from labeling.accounts.second_factor import SecondFactorError
from labeling.models import User
from labeling.web import access


@access.public
@never_cache
@sensitive_post_parameters("password", "code")
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """The sign-in page. An htmx request that a lost session redirected here gets 401, not a page within its page."""
    if request.headers.get("HX-Request") and request.method == "GET":
        return HttpResponse(status=401)
    form = SignInForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            user = check_password(request, **form.cleaned_data, address=request.META.get("REMOTE_ADDR", ""))
        except SignInRefused as refused:
            return _page(request, form, problem=refused)
        # A code that was given beside the password was looked at with it, so it is the second proof.
        second = "code" if form.cleaned_data["code"] else ""
        zone = request.POST.get("time_zone", "")
        wanted = _wanted(request)
        return redirect(
            entering.after_first_proof(request, user, method="password", wanted=wanted, time_zone=zone, second=second)
        )
    return _page(request, form)


@access.public
@never_cache
@sensitive_post_parameters("code")
@require_http_methods(["GET", "POST"])
def second_step(request: HttpRequest) -> HttpResponse:
    """A code of the app or a recovery code, or a passkey, after the password or the provider."""
    found = entering.expected(request)
    if found is None:
        return redirect("sign_in")
    user, waiting = found
    form = CodeForm(request.POST or None)
    problem: SignInRefused | None = None
    if request.method == "POST" and form.is_valid():
        try:
            second = check_code(user, form.cleaned_data["code"])
            return redirect(
                entering.enter(
                    request,
                    user,
                    method=waiting.method,
                    wanted=waiting.next,
                    time_zone=waiting.time_zone,
                    second=second,
                )
            )
        except SignInRefused as refused:
            problem = refused
    context = {"form": form, "problem": problem, "has_app": second_factor.has_app(user), "person": user}
    return _refusal(request, render(request, "labeling/accounts/second_step.html", context), problem)


@access.public
@never_cache
@require_POST
def passkey_challenge(request: HttpRequest) -> HttpResponse:
    """What the browser is to sign: for the person of this session, for one who has given the password, for anyone."""
    entering.keep_for_a_while(request)
    found = entering.expected(request)
    signed_in = request.user if isinstance(request.user, User) else None
    return JsonResponse(second_factor.passkey_request(signed_in or (found[0] if found else None)))


@access.public
@never_cache
@require_POST
def passkey_sign_in(request: HttpRequest) -> HttpResponse:
    """A passkey proves both what one has and who one is: it is the password and the second step in one."""
    form = PasskeyForm(request.POST)
    found = entering.expected(request)
    wanted, zone = (
        (found[1].next, found[1].time_zone) if found else (_wanted(request), request.POST.get("time_zone", ""))
    )
    try:
        if not form.is_valid():
            raise SecondFactorError(_("That passkey was not accepted."))
        user = second_factor.accept_passkey(form.cleaned_data["credential"], of=found[0] if found else None)
        if not user.is_active or user.is_visitor:
            raise SecondFactorError(_("That passkey was not accepted."))
    except SecondFactorError as error:
        return _page(request, SignInForm(), problem=SignInRefused(str(error)))
    method = found[1].method if found else "passkey"
    return redirect(entering.enter(request, user, method=method, wanted=wanted, time_zone=zone, second="passkey"))


@access.signed_in
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Sign out; who came through the provider is told that they may still be signed in there."""
    came_by = request.session.get(entering.METHOD)
    logout(request)
    if came_by == "provider" and settings.OIDC_ISSUER:
        return redirect(reverse(settings.LOGOUT_REDIRECT_URL, query={"from": "provider"}))
    return redirect(settings.LOGOUT_REDIRECT_URL)


def _page(request: HttpRequest, form: SignInForm, *, problem: SignInRefused | None = None) -> HttpResponse:
    named = form.is_bound and "username" not in form.errors
    is_slowed = bool(problem and problem.retry_after)
    form.fields["code" if is_slowed else "password" if named else "username"].widget.attrs["autofocus"] = True
    context = {
        "form": form,
        "problem": problem,
        "is_slowed": is_slowed,
        "next": _wanted(request),
        "is_new": not User.objects.exclude(last_login=None).exists(),
        "provider": settings.OIDC_NAME if settings.OIDC_ISSUER else "",
        "left_provider": request.GET.get("from") == "provider",
        "mails_go_out": links.mails_go_out(),
    }
    return _refusal(request, render(request, "labeling/accounts/sign_in.html", context), problem)


def _refusal(request: HttpRequest, response: HttpResponse, problem: SignInRefused | None) -> HttpResponse:
    """The page with the status that says what is wrong: 429 if nothing was tried."""
    if request.method == "POST":
        response.status_code = 429 if problem and problem.retry_after else 422
    if problem and problem.retry_after:
        response["Retry-After"] = str(int(problem.retry_after.total_seconds()) + 1)
    return response


def _wanted(request: HttpRequest) -> str:
    return request.POST.get("next") or request.GET.get("next") or ""
