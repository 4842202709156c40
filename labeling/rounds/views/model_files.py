"""A model as a file to take away, and two models side by side."""

import uuid

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET

from labeling.models import AuditEvent
from labeling.rounds.model_comparison import metric_lines, option_lines
from labeling.rounds.model_files import members_of
from labeling.web import access
from labeling.web.access import ENGINEERS
from labeling.web.file_streams import in_its_form
from labeling.web.permissions import model_access
from labeling.web.tar_stream import tar_length, tar_pieces


@access.role_required(*ENGINEERS)
@require_GET
def download_model(request: HttpRequest, model_id: uuid.UUID) -> StreamingHttpResponse:
    """The model's directory as a tar archive; 404 where its files are not whole in the store."""
    model = model_access.own_model_for(request, model_id)
    members = members_of(model)
    if not members:
        raise Http404
    AuditEvent.note("download model", model, by=access.person(request), manifest_sha256=model.manifest_sha256)
    response = StreamingHttpResponse(in_its_form(request, tar_pieces(members)), content_type="application/x-tar")
    response.headers["Content-Length"] = str(tar_length(members))
    name = f"{model.name}.tar"
    response.headers["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name) or ""
    response.headers["Cache-Control"] = "private, no-cache"
    return response


@access.role_required(*ENGINEERS)
@require_GET
def compare_models(request: HttpRequest, model_id: uuid.UUID) -> HttpResponse:
    """This model beside the one of its sort that the query names."""
    left = model_access.model_for(request, model_id)
    try:
        right = model_access.model_for(request, uuid.UUID(request.GET.get("with", "")))
    except ValueError as error:
        raise Http404 from error
    if type(left) is not type(right):
        raise Http404
    context = {"left": left, "right": right, "options": option_lines(left, right), "groups": metric_lines(left, right)}
    return render(request, "labeling/rounds/compare_models.html", {"section": "models", **context})
