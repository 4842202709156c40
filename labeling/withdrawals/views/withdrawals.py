"""An admin's withdrawals: all of a project's, a new one with its preview, one with its rows, and undoing it."""

import uuid
from typing import Any

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labeling.models import Project, User, Withdrawal
from labeling.web import access
from labeling.withdrawals import batches
from labeling.withdrawals.batches import WithdrawalError
from labeling.withdrawals.forms import UndoForm, WithdrawalForm
from labeling.withdrawals.preview import preview_of
from labeling.withdrawals.selection import kinds_in_words

MOST_SHOWN = 50
MOST_ROWS = 50  # of those that could not be put back


@access.role_required(User.Role.ADMIN)
@require_GET
def withdrawals(request: HttpRequest, slug: str) -> HttpResponse:
    return _list_page(request, access.project_for(request, slug), form=None)


@access.role_required(User.Role.ADMIN)
@require_POST
def preview_withdrawal(request: HttpRequest, slug: str) -> HttpResponse:
    """What the withdrawal would touch, with the button that makes it. Nothing is changed."""
    project = access.project_for(request, slug)
    form = WithdrawalForm(request.POST, project=project)
    if not form.is_valid():
        return _list_page(request, project, form=form)
    context = {
        "project": project,
        "section": "quality",
        "form": form,
        "preview": preview_of(form.wanted),
        "whose": form.cleaned_data["person"] or form.cleaned_data["outside_person"],
        "labels": dict(Withdrawal.Kind.choices),
        "reason": Withdrawal.Reason(form.cleaned_data["reason"]).label,
    }
    return render(request, "labeling/withdrawals/preview.html", context)


@access.role_required(User.Role.ADMIN)
@require_POST
def new_withdrawal(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request, slug)
    form = WithdrawalForm(request.POST, project=project)
    if not form.is_valid():
        return _list_page(request, project, form=form)
    values = form.cleaned_data
    chosen = {name: values[name] for name in ("person", "outside_person", "kinds", "reason", "text", "key")}
    try:
        made = batches.begin(project, by=access.person(request), since=form.since_moment, **chosen)
    except WithdrawalError as error:
        form.add_error(None, str(error))
        return _list_page(request, project, form=form)
    return redirect("withdrawal", slug, made.id)


@access.role_required(User.Role.ADMIN)
@require_GET
def withdrawal(request: HttpRequest, slug: str, withdrawal_id: uuid.UUID) -> HttpResponse:
    found = access.withdrawal_for(request, withdrawal_id, slug=slug)
    return _withdrawal_page(request, found, UndoForm())


@access.role_required(User.Role.ADMIN)
@require_http_methods(["POST"])
def undo_withdrawal(request: HttpRequest, slug: str, withdrawal_id: uuid.UUID) -> HttpResponse:
    found = access.withdrawal_for(request, withdrawal_id, slug=slug)
    form = UndoForm(request.POST)
    if not form.is_valid():
        return _withdrawal_page(request, found, form)
    try:
        batches.undo(found, by=access.person(request), reason=form.cleaned_data["reason"])
        messages.success(request, _("The withdrawal is undone."))
    except WithdrawalError as error:
        messages.error(request, str(error))
    return redirect("withdrawal", slug, found.id)


def _list_page(request: HttpRequest, project: Project, *, form: WithdrawalForm | None) -> HttpResponse:
    rows = project.withdrawals.select_related("person", "by").annotate(num=Count("rows"))
    context = {
        "project": project,
        "section": "quality",
        "form": form or WithdrawalForm(project=project),
        "withdrawals": [(one, kinds_in_words(one.kinds)) for one in rows[:MOST_SHOWN]],
    }
    return render(request, "labeling/withdrawals/withdrawals.html", context, status=422 if form else 200)


def _withdrawal_page(request: HttpRequest, found: Withdrawal, form: UndoForm) -> HttpResponse:
    is_back, stays = Q(put_back_at__isnull=False), ~Q(stays_out="")
    counted = found.rows.values("kind").annotate(
        num=Count("id"), num_back=Count("id", filter=is_back), num_stays=Count("id", filter=stays)
    )
    counts: list[dict[str, Any]] = [{**row, "label": Withdrawal.Kind(row["kind"]).label} for row in counted]
    context = {
        "project": found.project,
        "section": "quality",
        "withdrawal": found,
        "kinds": kinds_in_words(found.kinds),
        "counts": sorted(counts, key=lambda row: Withdrawal.Kind.values.index(row["kind"])),
        "stays_out": found.rows.exclude(stays_out="")[:MOST_ROWS],
        "form": form,
    }
    fragment = "_withdrawal_state" if request.headers.get("HX-Request") else "withdrawal"
    return render(request, f"labeling/withdrawals/{fragment}.html", context, status=422 if form.errors else 200)
