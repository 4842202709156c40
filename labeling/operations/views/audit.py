"""The audit, newest first: who changed what and when, narrowed and downloaded. Admins only; the download is audited."""

import json
from collections.abc import Iterator

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from labeling.models import AuditEvent, Project, User
from labeling.web import access
from labeling.web.file_streams import in_its_form
from labeling.web.listing import ListFilter, Order, by_days, listing, narrowed

_ORDERS = (
    Order(name="newest", label=_("newest first"), columns=("-id",)),
    Order(name="oldest", label=_("oldest first"), columns=("id",)),
)
_ROWS_AT_ONCE = 2000  # of a download, in memory


@access.role_required(User.Role.ADMIN)
@require_GET
def audit(request: HttpRequest) -> HttpResponse:
    """A page of events. A search finds names of people, and the beginning of what was done or of whose id it was."""
    found = listing(request.GET, _rows(), orders=_ORDERS, filters=_filters(), search=_search)
    context = {"section": "audit", "listing": found, "query": request.GET.urlencode()}
    return render(request, "labeling/operations/audit.html", context)


@access.role_required(User.Role.ADMIN)
@require_GET
def download_audit(request: HttpRequest) -> StreamingHttpResponse:
    """All events that the page would show, one JSON object a line, oldest first, under the same parameters."""
    rows, asked = narrowed(request.GET, _rows(), filters=_filters(), search=_search)
    by = access.person(request)
    AuditEvent.note("download audit", by, by=by, narrowed=asked)
    response = StreamingHttpResponse(
        in_its_form(request, _lines(rows.order_by("id"))), content_type="application/jsonl; charset=utf-8"
    )
    response["Content-Disposition"] = 'attachment; filename="audit.jsonl"'
    return response


def _rows() -> QuerySet[AuditEvent]:
    return AuditEvent.objects.select_related("by", "project")


def _filters() -> tuple[ListFilter, ...]:
    projects = [(str(key), name) for key, name in Project.objects.order_by("name").values_list("id", "name")]
    return (
        by_days("at"),
        ListFilter(
            name="project",
            label=_("Project"),
            choices=projects,
            apply=lambda rows, value: rows.filter(project_id=value),
        ),
        ListFilter(
            name="whose",
            label=_("By"),
            choices=(("person", _("people")), ("parley", _("Parley itself"))),
            apply=lambda rows, value: rows.filter(by__isnull=value == "parley"),
        ),
    )


def _search(rows: QuerySet[AuditEvent], words: str) -> QuerySet[AuditEvent]:
    named = Q(by__username__icontains=words) | Q(by__display_name__icontains=words)
    return rows.filter(named | Q(verb__istartswith=words) | Q(subject_id__startswith=words))


def _lines(rows: QuerySet[AuditEvent]) -> Iterator[bytes]:
    for event in rows.iterator(chunk_size=_ROWS_AT_ONCE):
        line = {
            "id": event.pk,
            "at": event.at.isoformat(),
            "by": event.by.username if event.by else None,
            "verb": event.verb,
            "subject": event.subject_type,
            "subject_id": event.subject_id,
            "project": event.project.slug if event.project else None,
            "detail": event.detail,
        }
        yield (json.dumps(line, ensure_ascii=False) + "\n").encode()
