"""A log as a file to be kept: always an attachment, never longer than the size that was announced."""

from django.http import HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header

from labeling.rounds.job_logs import JobLog
from labeling.web.file_streams import stream_of


def log_response(request: HttpRequest, log: JobLog, *, name: str) -> StreamingHttpResponse:
    """What the log holds now; of a very long one, its end."""
    content = stream_of(request, log.path, log.sent_from, log.num_bytes)
    response = StreamingHttpResponse(content, content_type="text/plain; charset=utf-8")
    response.headers["Content-Length"] = str(log.num_bytes - log.sent_from)
    response.headers["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name) or ""
    response.headers["Cache-Control"] = "private, no-cache"
    return response
