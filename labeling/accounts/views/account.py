"""A person's own settings: name, time zone, language, colours, goal and breaks, password; the tours they have seen."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from labeling.accounts import links, users
from labeling.accounts.forms import AccountForm, PasswordForm, ThemeForm, TourForm
from labeling.accounts.single_sign_on import is_connected
from labeling.accounts.views.api_tokens import tokens_revoked
from labeling.models import User
from labeling.web import access
from labeling.web.access import WRITERS
from labeling.web.redirects import return_url


@access.signed_in
@require_http_methods(["GET", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    user = access.person(request)
    form = AccountForm(request.POST or None, instance=user)
    if request.method == "POST" and form.is_valid():
        users.change_own_settings(user, values=form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("account")
    return _page(request, user, form=form)


@access.signed_in
@sensitive_post_parameters()
@require_POST
def change_password(request: HttpRequest) -> HttpResponse:
    """Change one's own password; all other sessions end and all tokens are revoked."""
    user = access.person(request)
    form = PasswordForm(user, request.POST)
    if not form.is_valid():
        return _page(request, user, password_form=form)
    num_revoked = users.change_own_password(user, password=form.cleaned_data["new_password1"])
    update_session_auth_hash(request, user)
    messages.success(request, _("Your password is changed; other places where you were signed in are signed out."))
    if num_revoked:
        messages.success(request, tokens_revoked(num_revoked))
    return redirect("account")


@access.signed_in
@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    form = ThemeForm(request.POST)
    if not form.is_valid():
        return HttpResponse(status=422)
    users.set_preference(access.person(request), theme=form.cleaned_data["theme"])
    return redirect(return_url(request, default="home"))


@access.role_required(*WRITERS)
@require_POST
def tour_seen(request: HttpRequest) -> HttpResponse:
    form = TourForm(request.POST)
    if not form.is_valid():
        return HttpResponse(status=422)
    users.see_tour(access.person(request), name=form.cleaned_data["name"])
    return HttpResponse(status=204)


def _page(
    request: HttpRequest,
    user: User,
    *,
    form: AccountForm | None = None,
    password_form: PasswordForm | None = None,
) -> HttpResponse:
    # Validating the form has already changed its instance; the page shows the person as stored.
    user.refresh_from_db()
    invalid = bool((form and form.errors) or (password_form and password_form.errors))
    context = {
        "form": form or AccountForm(instance=user),
        "password_form": password_form or (PasswordForm(user) if user.has_usable_password() else None),
        "section": "account",
        "provider": settings.OIDC_NAME if settings.OIDC_ISSUER else "",
        "is_connected": is_connected(user),
        "may_prove_address": links.mails_go_out() and user.email != user.proven_email and bool(user.email),
    }
    return render(request, "labeling/accounts/account.html", context, status=422 if invalid else 200)
