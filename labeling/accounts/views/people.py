"""People, for admins: the list, creating accounts, changing roles, closing accounts, resetting passwords."""

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from labeling.accounts import links, users
from labeling.accounts.forms import NewPersonForm, RoleForm
from labeling.accounts.views.api_tokens import tokens_revoked
from labeling.accounts.views.links import url_of
from labeling.models import AccountLink, User
from labeling.web import access
from labeling.web.listing import NEWEST, ListFilter, Order, by_column, listing
from labeling.web.proof import recently_proven

ORDERS = (
    Order(name="name", label=gettext_lazy("name"), columns=("username", "id")),
    NEWEST,
)
FILTERS = (
    by_column("role", gettext_lazy("Role"), User.Role.of_members()),
    ListFilter(
        name="account",
        label=gettext_lazy("Account"),
        choices=(("open", gettext_lazy("open")), ("closed", gettext_lazy("closed"))),
        apply=lambda rows, value: rows.filter(is_active=value == "open"),
    ),
)


@access.role_required(User.Role.ADMIN)
@recently_proven
@require_http_methods(["GET", "POST"])
@sensitive_variables("password")
def people(request: HttpRequest) -> HttpResponse:
    """The list of people, and a form for a new account. Its password is in this response only."""
    form = NewPersonForm(request.POST or None)
    if request.method == "GET" or not form.is_valid():
        return _page(request, form=form)
    values = form.cleaned_data
    email, by = values.pop("email"), access.person(request)
    invited = values.pop("by_link") or bool(email)
    try:
        made, password = users.create_account(**values, by=by, has_password=not invited)
    except users.AccountError as error:
        form.add_error("username", str(error))
        return _page(request, form=form)
    if invited:
        return _invited(request, made, email=email)
    return _page(request, shown_once={"username": made.username, "password": password})


@access.role_required(User.Role.ADMIN)
@recently_proven
@require_POST
def change_role(request: HttpRequest, user_id: uuid.UUID) -> HttpResponse:
    form = RoleForm(request.POST)
    if not form.is_valid():
        return _page(request, problem=_("That is not a role."))
    return _change(request, user_id, users.change_role, role=form.cleaned_data["role"])


@access.role_required(User.Role.ADMIN)
@recently_proven
@require_POST
def close_account(request: HttpRequest, user_id: uuid.UUID) -> HttpResponse:
    return _change(request, user_id, users.set_active, active=False)


@access.role_required(User.Role.ADMIN)
@recently_proven
@require_POST
def open_account(request: HttpRequest, user_id: uuid.UUID) -> HttpResponse:
    return _change(request, user_id, users.set_active, active=True)


@access.role_required(User.Role.ADMIN)
@recently_proven
@require_POST
@sensitive_variables("password")
def reset_password(request: HttpRequest, user_id: uuid.UUID) -> HttpResponse:
    somebody = get_object_or_404(User, pk=user_id)
    password, num_revoked = users.reset_password(somebody, by=access.person(request))
    said = tokens_revoked(num_revoked) if num_revoked else ""
    return _page(request, shown_once={"username": somebody.username, "password": password, "tokens_revoked": said})


def _invited(request: HttpRequest, made: User, *, email: str) -> HttpResponse:
    """Mail the invitation to the address where mail goes out; else its link is in this response only."""
    link, secret = links.make_link(made, purpose=AccountLink.Purpose.INVITATION, by=access.person(request), email=email)
    if not email or not links.mails_go_out():
        return _page(request, shown_once={"username": made.username, "link": url_of(request, secret)})
    links.send_link(link, url=url_of(request, secret))
    messages.success(request, _("An invitation is on its way to %(email)s.") % {"email": email})
    return redirect("people")


def _change(request: HttpRequest, user_id: uuid.UUID, change: Callable[..., int | None], **values: Any) -> HttpResponse:
    somebody = get_object_or_404(User, pk=user_id)
    try:
        num_revoked = change(somebody, by=access.person(request), **values)
    except users.AccountError as error:
        return _page(request, problem=str(error))
    messages.success(request, _("Changed: %(name)s.") % {"name": somebody})
    if num_revoked:
        messages.success(request, tokens_revoked(num_revoked))
    return redirect("people")


def _page(
    request: HttpRequest,
    *,
    form: NewPersonForm | None = None,
    shown_once: dict[str, str] | None = None,
    problem: str = "",
) -> HttpResponse:
    context = {
        "section": "people",
        "listing": listing(
            request.GET,
            User.objects.exclude(role=User.Role.VISITOR).prefetch_related("projects"),
            orders=ORDERS,
            filters=FILTERS,
            search=lambda rows, words: rows.filter(
                Q(username__icontains=words) | Q(display_name__icontains=words) | Q(email__icontains=words)
            ),
        ),
        "roles": User.Role.of_members(),
        "form": form or NewPersonForm(),
        "shown_once": shown_once,
        "problem": problem,
    }
    invalid = bool(problem or (form and form.errors))
    return render(request, "labeling/accounts/people.html", context, status=422 if invalid else 200)
