"""A person's API tokens: the list, making one, revoking one."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from labeling.accounts.api_tokens import TokenError, alive_tokens, make_token, revoke_token
from labeling.accounts.forms import TokenForm
from labeling.models import User
from labeling.web import access
from labeling.web.proof import recently_proven


@access.signed_in
@recently_proven
@require_http_methods(["GET", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """The valid tokens, and a form for a new one. The text of a new token is in this response only."""
    user = access.person(request)
    form = TokenForm(request.POST if request.method == "POST" else None, owner=user)
    text = ""
    if request.method == "POST" and form.is_valid():
        try:
            text = make_token(owner=user, **form.values())[1]
            form = TokenForm(owner=user)
        except TokenError as error:
            form.add_error(None, str(error))
    return _page(request, user, form, text)


@access.signed_in
@require_POST
def revoke(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    revoke_token(access.own_token(request, token_id), by=access.person(request))
    return redirect("tokens")


def tokens_revoked(num: int) -> str:
    """The message after a change of password or a closed account has revoked tokens."""
    return ngettext(
        "%(n)d token of the API was revoked; programs that used it need a new one.",
        "%(n)d tokens of the API were revoked; programs that used them need new ones.",
        num,
    ) % {"n": num}


def _page(request: HttpRequest, user: User, form: TokenForm, text: str) -> HttpResponse:
    context = {
        "section": "account",
        "form": form,
        "new_token": text,
        "tokens": alive_tokens(user).select_related("project"),
    }
    return render(
        request, "labeling/accounts/tokens.html", context, status=422 if form.is_bound and form.errors else 200
    )
