"""A person's snippets: the list, and making, changing, deleting and putting back one."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from labeling.accounts.forms import SnippetForm
from labeling.accounts.snippets import SnippetError, add_snippet, change_snippet, delete_snippet, put_back_snippet
from labeling.models import Snippet, User
from labeling.web import access
from labeling.web.access import WRITERS


@access.role_required(*WRITERS)
@require_http_methods(["GET", "POST"])
def snippets(request: HttpRequest) -> HttpResponse:
    """The snippets, and a form for a new one."""
    user = access.person(request)
    form = SnippetForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            add_snippet(**form.cleaned_data, by=user)
            messages.success(request, _("The snippet is kept."))
            return redirect("snippets")
        except SnippetError as error:
            form.add_error(None, str(error))
    return _page(request, user, new=form)


@access.role_required(*WRITERS)
@require_POST
def change(request: HttpRequest, snippet_id: uuid.UUID) -> HttpResponse:
    user = access.person(request)
    snippet = access.own_snippet(request, snippet_id)
    form = SnippetForm(request.POST, prefix=f"s-{snippet.pk}")
    if not form.is_valid():
        return _page(request, user, changed=(snippet, form))
    change_snippet(snippet, **form.cleaned_data, by=user)
    messages.success(request, _("Saved."))
    return redirect("snippets")


@access.role_required(*WRITERS)
@require_POST
def delete(request: HttpRequest, snippet_id: uuid.UUID) -> HttpResponse:
    """Delete a snippet; the page that follows offers to undo it."""
    delete_snippet(access.own_snippet(request, snippet_id), by=access.person(request))
    return redirect(reverse("snippets", query={"deleted": str(snippet_id)}))


@access.role_required(*WRITERS)
@require_POST
def put_back(request: HttpRequest, snippet_id: uuid.UUID) -> HttpResponse:
    try:
        put_back_snippet(access.own_snippet(request, snippet_id, is_deleted=True), by=access.person(request))
        messages.success(request, _("The snippet is back."))
    except SnippetError as error:
        messages.error(request, str(error))
    return redirect("snippets")


def _page(
    request: HttpRequest,
    user: User,
    *,
    new: SnippetForm | None = None,
    changed: tuple[Snippet, SnippetForm] | None = None,
) -> HttpResponse:
    """The list; `changed` is a snippet with the form that was refused."""
    kept = list(Snippet.objects.kept_by(user))
    forms = {
        snippet.pk: SnippetForm(prefix=f"s-{snippet.pk}", initial={"name": snippet.name, "text": snippet.text})
        for snippet in kept
    }
    if changed is not None:
        forms[changed[0].pk] = changed[1]
    context = {
        "section": "account",
        "snippets": [(snippet, forms[snippet.pk]) for snippet in kept],
        "new": new or SnippetForm(),
        "deleted": _deleted(request, user),
    }
    invalid = changed is not None or (new is not None and new.is_bound)
    return render(request, "labeling/accounts/snippets.html", context, status=422 if invalid else 200)


def _deleted(request: HttpRequest, user: User) -> Snippet | None:
    """The snippet that was deleted just now."""
    try:
        named = uuid.UUID(request.GET.get("deleted", ""))
    except ValueError:
        return None
    return Snippet.objects.filter(owner=user, pk=named).exclude(deleted_at=None).first()
