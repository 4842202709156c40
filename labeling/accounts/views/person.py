"""How one person gets in, for admins: their sessions, tokens and second factors, and a link to a new password."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET, require_POST

from labeling.accounts import links, second_factor
from labeling.accounts.api_tokens import alive_tokens, revoke_token
from labeling.accounts.sessions import end_session, end_sessions
from labeling.accounts.single_sign_on import is_connected
from labeling.accounts.users import AccountError
from labeling.accounts.views.links import url_of
from labeling.accounts.views.sessions import described, sessions_ended
from labeling.models import AccountLink, ApiToken, Session, User
from labeling.web import access
from labeling.web.proof import recently_proven


@access.role_required(User.Role.ADMIN)
@recently_proven
@require_GET
def person_access(request: HttpRequest, user_id: uuid.UUID) -> HttpResponse:
    return _page(request, _member(user_id))


@access.role_required(User.Role.ADMIN)
@recently_proven
@require_POST
def end_persons_session(request: HttpRequest, user_id: uuid.UUID, session_id: uuid.UUID) -> HttpResponse:
    session = get_object_or_404(Session, id=session_id, user=_member(user_id))
    end_session(session, by=access.person(request))
    return redirect("person_access", user_id)


@access.role_required(User.Role.ADMIN)
@recently_proven
@require_POST
def end_persons_sessions(request: HttpRequest, user_id: uuid.UUID) -> HttpResponse:
    num = end_sessions(_member(user_id), by=access.person(request), but=request.session.session_key)
    messages.success(request, sessions_ended(num))
    return redirect("person_access", user_id)


@access.role_required(User.Role.ADMIN)
@recently_proven
@require_POST
def revoke_persons_token(request: HttpRequest, user_id: uuid.UUID, token_id: uuid.UUID) -> HttpResponse:
    token = get_object_or_404(ApiToken, id=token_id, owner=_member(user_id))
    revoke_token(token, by=access.person(request))
    return redirect("person_access", user_id)


@access.role_required(User.Role.ADMIN)
@recently_proven
@require_POST
def remove_second_factors(request: HttpRequest, user_id: uuid.UUID) -> HttpResponse:
    """For somebody who lost the device: all second factors go, and all sessions, of which one may be on it."""
    somebody, by = _member(user_id), access.person(request)
    second_factor.remove_all_factors(somebody, by=by)
    end_sessions(somebody, by=by, but=request.session.session_key)
    messages.success(request, _("%(name)s has no second factor now.") % {"name": somebody})
    return redirect("person_access", user_id)


@access.role_required(User.Role.ADMIN)
@recently_proven
@require_POST
@sensitive_variables("secret")
def make_password_link(request: HttpRequest, user_id: uuid.UUID) -> HttpResponse:
    """A link to a new password: mailed to a proven address where mail goes out, else shown here once."""
    somebody = _member(user_id)
    email = somebody.proven_email if links.mails_go_out() else ""
    try:
        link, secret = links.make_link(
            somebody, purpose=AccountLink.Purpose.PASSWORD, by=access.person(request), email=email
        )
    except AccountError as error:
        return _page(request, somebody, problem=str(error))
    if not email:
        return _page(request, somebody, shown_link=url_of(request, secret))
    links.send_link(link, url=url_of(request, secret))
    messages.success(request, _("A link is on its way to %(email)s.") % {"email": email})
    return redirect("person_access", user_id)


def _member(user_id: uuid.UUID) -> User:
    return get_object_or_404(User.objects.exclude(role=User.Role.VISITOR), pk=user_id)


def _page(request: HttpRequest, somebody: User, **more: Any) -> HttpResponse:
    context = {
        "section": "people",
        "person": somebody,
        "sessions": described(somebody, own_key=request.session.session_key),
        "tokens": alive_tokens(somebody).select_related("project"),
        "factors": list(second_factor.factors_of(somebody)),
        "num_codes": second_factor.num_recovery_codes(somebody),
        "has_password": somebody.has_usable_password(),
        "is_connected": is_connected(somebody),
        **more,
    }
    return render(request, "labeling/accounts/person.html", context, status=422 if more.get("problem") else 200)
