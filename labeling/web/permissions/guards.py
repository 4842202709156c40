"""The decorators of views: who may open one. Each sets `view.access`, so that a test finds every view without one.

Which rows somebody may see is not known here: labeling.web.access and labeling.web.permissions.model_access say that.
"""

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from labeling.models import User
from labeling.web.proof import lacks_second_factor

# The roles that may do each kind of work. A reviewer is also a trainer; an admin may do everything.
WRITERS = (User.Role.TRAINER, User.Role.REVIEWER, User.Role.ADMIN)
RANKERS = WRITERS
REVIEWERS = (User.Role.REVIEWER, User.Role.ADMIN)
WATCHERS = REVIEWERS
ENGINEERS = (User.Role.ENGINEER, User.Role.ADMIN)
MEMBERS = frozenset(role for role in User.Role.values if role != User.Role.VISITOR)
FIGURE_READERS = (*REVIEWERS, User.Role.ENGINEER)  # of quality: who trains on rankings must see how good they are
TRACERS = (User.Role.REVIEWER, User.Role.ENGINEER, User.Role.ADMIN)  # who may see what became of others' work

View = Callable[..., Any]


def public(view: View) -> View:
    """Anyone may open this view, signed in or not."""
    wrapped = login_not_required(view)
    wrapped.access = "public"  # type: ignore[attr-defined]
    return wrapped


def signed_in(view: View) -> View:
    """Anyone who works here and has signed in may open this view; a preview's visitors get 403."""
    return _guarded(view, roles=MEMBERS, access="signed in")


def anyone_signed_in(view: View) -> View:
    """Whoever has signed in may open this view, a preview's visitors too."""
    return _guarded(view, roles=frozenset(User.Role.values), access="anyone signed in")


def visitor_required(view: View) -> View:
    """Only visitors of the preview may open this view, and only its own: others are sent to its door, members get 403.

    What is somebody else's is still to be kept from them by the `access` call that fetches it.
    """
    roles = frozenset((str(User.Role.VISITOR),))
    return _guarded(view, roles=roles, access=("visitor",), door="preview_sign_in")


def role_required(*roles: User.Role) -> Callable[[View], View]:
    """Only people of these roles may open this view: others get 403, visitors are redirected to the sign-in page."""
    if not roles:
        raise ValueError("role_required needs at least one role")
    names = frozenset(str(role) for role in roles)
    return lambda view: _guarded(view, roles=names, access=tuple(sorted(names)))


def person(request: HttpRequest) -> User:
    """The signed-in person. 404 for a visitor, who cannot reach a guarded view anyway."""
    if not isinstance(request.user, User):
        raise Http404
    return request.user


def _guarded(view: View, *, roles: frozenset[str], access: str | tuple[str, ...], door: str = "") -> View:
    early = getattr(view, "before_second_factor", False)

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return _denied(request, request.user, roles, door, early=early) or view(request, *args, **kwargs)

    @wraps(view)
    async def guarded_async(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        denied = _denied(request, await request.auser(), roles, door, early=early)
        return denied or await view(request, *args, **kwargs)

    wrapped: Any = guarded_async if iscoroutinefunction(view) else guarded
    wrapped.access = access
    if door:  # it sends strangers there itself; the middleware would send them to where members sign in
        wrapped = login_not_required(wrapped)
    return wrapped  # type: ignore[no-any-return]


def _denied(
    request: HttpRequest, user: Any, roles: frozenset[str], door: str, *, early: bool
) -> HttpResponseBase | None:
    if not user.is_authenticated and door:
        slug = request.resolver_match.kwargs["slug"] if request.resolver_match else ""
        return redirect(door, slug)
    if not user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    if not early and lacks_second_factor(request, role=user.role):
        return redirect("second_factor")
    if user.role not in roles:
        raise PermissionDenied(_("Your role does not open this page. An admin can change it."))
    return None
