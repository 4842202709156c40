"""Files of the store as answers: always attachments, in parts where a broken download is resumed.

Never a page of ours: the browser is told to save the file and not to guess what it is.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

from django.db.models.functions import Now
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

from labeling.exports.files import directory_of, files_of
from labeling.models import AuditEvent, Export, User

_PIECE = 2**18  # bytes
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_RESUMED_WITHIN = timedelta(days=1)  # parts of a file that are asked for within a day are one download


def export_file_response(request: HttpRequest, export: Export, name: str, *, by: User) -> HttpResponseBase:
    """One file of a finished export, and a word in the audit. 404 for a name that its manifest does not hold.

    Whatever sends content leaves an audit event, but for a part of a file that this person has lately begun:
    what the request says of itself cannot keep a download out of the audit.
    """
    files = {file["name"]: file for file in files_of(export)}
    if name not in files:
        raise Http404
    shown_name = f"{export.project.slug}-{str(export.id)[:8]}-{name}"
    response = file_response(request, directory_of(export) / name, name=shown_name, sha256=files[name]["sha256"])
    is_part = response.status_code == 206
    if response.streaming and not (is_part and _has_begun(export, name, by=by)):
        AuditEvent.note("download export", export, by=by, file=name)
    return response


def file_response(request: HttpRequest, path: Path, *, name: str, sha256: str) -> HttpResponseBase:
    """The file, or the part of it that `Range` asks for. `sha256` of the whole is its entity tag.

    The answer is streaming where it sends content: not where the caller has the file, nor where no byte is meant.
    """
    size, tag = path.stat().st_size, f'"{sha256}"'
    if tag in (held.strip() for held in request.headers.get("If-None-Match", "").split(",")):
        return HttpResponse(status=304, headers={"ETag": tag})
    span = _span(request, size, tag)
    if span is None:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"})
    start, end = span
    body = _pieces_later(path, start, end) if hasattr(request, "scope") else _pieces(path, start, end)
    response = StreamingHttpResponse(body, content_type="application/octet-stream")
    response.headers["Content-Length"] = str(end - start)
    response.headers["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name) or ""
    response.headers["Accept-Ranges"], response.headers["ETag"] = "bytes", tag
    response.headers["Cache-Control"] = "private, no-cache"
    if "Range" in request.headers and (start, end) != (0, size):
        response.status_code = 206
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return response


def _has_begun(export: Export, name: str, *, by: User) -> bool:
    """Whether this person's download of this file is in the audit already."""
    events = AuditEvent.objects.filter(
        subject_type=Export._meta.model_name, subject_id=str(export.id), at__gt=Now() - _RESUMED_WITHIN
    )
    return events.filter(verb="download export", by=by, detail__file=name).exists()


def _span(request: HttpRequest, size: int, tag: str) -> tuple[int, int] | None:
    """First byte and the one after the last; None where no byte of the file is meant."""
    asked = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    stale = request.headers.get("If-Range", tag) != tag
    if asked is None or stale or asked.group() == "bytes=-":
        return 0, size
    first, last = asked.groups()
    if not first:  # the last n bytes
        return (max(0, size - int(last)), size) if int(last) else None
    start, end = int(first), min(int(last) + 1, size) if last else size
    return (start, end) if start < end else None


def _pieces(path: Path, start: int, end: int) -> Iterator[bytes]:
    with open(path, "rb") as file:
        file.seek(start)
        while start < end and (piece := file.read(min(_PIECE, end - start))):
            start += len(piece)
            yield piece


async def _pieces_later(path: Path, start: int, end: int) -> AsyncIterator[bytes]:
    """The same without holding the event loop: an iterator of the other kind would be read whole into memory."""
    pieces = _pieces(path, start, end)
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
