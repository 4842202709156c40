"""Signing in and out. labeling.accounts.users limits how often a password may be tried."""

from django.conf import settings
from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from labeling.accounts import users
from labeling.accounts.forms import SignInForm
from labeling.accounts.users import SignInRefused, check_password
from labeling.models import User
from labeling.web import access
from labeling.web.redirects import safe_url


@access.public
@never_cache
@sensitive_post_parameters("password")
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
        if user.last_login is None:
            users.adopt_time_zone(user, name=request.POST.get("time_zone", ""))
        login(request, user)
        return redirect(_destination(request))
    return _page(request, form)


@access.signed_in
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


def _page(request: HttpRequest, form: SignInForm, *, problem: SignInRefused | None = None) -> HttpResponse:
    named = form.is_bound and "username" not in form.errors
    form.fields["password" if named else "username"].widget.attrs["autofocus"] = True
    context = {
        "form": form,
        "problem": problem,
        "next": _wanted(request),
        "is_new": not User.objects.exclude(last_login=None).exists(),
    }
    status = 200 if request.method == "GET" else 429 if problem and problem.retry_after else 422
    response = render(request, "labeling/accounts/sign_in.html", context, status=status)
    if problem and problem.retry_after:
        response["Retry-After"] = str(int(problem.retry_after.total_seconds()) + 1)
    return response


def _wanted(request: HttpRequest) -> str:
    return request.POST.get("next") or request.GET.get("next") or ""


def _destination(request: HttpRequest) -> str:
    """The page that the person wanted to open, if it is safe, else the start page."""
    return safe_url(request, _wanted(request)) or resolve_url(settings.LOGIN_REDIRECT_URL)
