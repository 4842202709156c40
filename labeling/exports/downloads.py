"""Downloads of an export's files: always attachments, with ranges so that a broken download can be resumed.

The files hold text of strangers, so the browser is told to save them and never to guess their type.
"""

import re
from datetime import timedelta
from pathlib import Path

from django.db.models.functions import Now
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header

from labeling.exports.files import directory_of, files_of
from labeling.models import AuditEvent, Export, User
from labeling.web.file_streams import stream_of

_TYPE = "application/octet-stream"
_CACHING = "private, no-cache"
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.IGNORECASE)
_SAME_DOWNLOAD = timedelta(days=1)  # ranges of a file that are requested within a day are one download


def export_file_response(request: HttpRequest, export: Export, name: str, *, by: User) -> HttpResponseBase:
    """One file of a finished export. Raises Http404 for a name that is not in its manifest.

    Every response with content leaves an audit event, except for a part of a file whose download this person started
    within a day. The decision is not left to the request's headers: they could keep a download out of the audit.
    """
    files = {file["name"]: file for file in files_of(export)}
    if name not in files:
        raise Http404
    shown_name = f"{export.project.slug}-{str(export.id)[:8]}-{name}"
    response = file_response(request, directory_of(export) / name, name=shown_name, sha256=files[name]["sha256"])
    is_part = response.status_code == 206
    if response.streaming and not (is_part and _is_in_audit(export, name, by=by)):
        AuditEvent.note("download export", export, by=by, file=name)
    return response


def file_response(request: HttpRequest, path: Path, *, name: str, sha256: str) -> HttpResponseBase:
    """The file, or the part that the Range header asks for. `sha256` of the whole file is its entity tag.

    The response is streaming exactly where it has content: not for HEAD, 304 (the client has the file), 412 (it means
    another file) or 416 (empty range).
    """
    size, tag = path.stat().st_size, f'"{sha256}"'
    unsent = get_conditional_response(request, etag=tag)
    if unsent is not None:
        unsent.headers["ETag"], unsent.headers["Cache-Control"] = tag, _CACHING
        return unsent
    span = _byte_range(request, size, tag)
    if span is None:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"})
    start, end = span
    response: HttpResponseBase
    if request.method == "HEAD":
        response = HttpResponse(content_type=_TYPE)
    else:
        response = StreamingHttpResponse(stream_of(request, path, start, end), content_type=_TYPE)
    response.headers["Content-Length"] = str(end - start)
    response.headers["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name) or ""
    response.headers["Accept-Ranges"], response.headers["ETag"] = "bytes", tag
    response.headers["Cache-Control"] = _CACHING
    if (start, end) != (0, size):
        response.status_code = 206
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return response


def _is_in_audit(export: Export, name: str, *, by: User) -> bool:
    """Whether the audit log has a download of this file by this person within _SAME_DOWNLOAD."""
    events = AuditEvent.objects.filter(
        subject_type=Export._meta.model_name, subject_id=str(export.id), at__gt=Now() - _SAME_DOWNLOAD
    )
    return events.filter(verb="download export", by=by, detail__file=name).exists()


def _byte_range(request: HttpRequest, size: int, tag: str) -> tuple[int, int] | None:
    """The byte range as (first, one past the last); None where it contains no byte of the file.

    The whole file where nothing, several ranges or no range is asked for, and for HEAD, which has no ranges.
    """
    if request.method == "HEAD":
        return 0, size
    asked = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    stale = request.headers.get("If-Range", tag) != tag
    if asked is None or stale or asked.group() == "bytes=-":
        return 0, size
    first, last = asked.groups()
    if not first:  # the last n bytes
        return (max(0, size - int(last)), size) if int(last) else None
    if last and int(last) < int(first):
        return 0, size  # no range
    start, end = int(first), min(int(last) + 1, size) if last else size
    return (start, end) if start < end else None
