"""Requests in the log and in traces: one id in the response, the lines and the span, and nobody's own choice."""

import io
import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.test import Client

from labeling.web import tracing
from labeling.web.log_lines import JsonLine, WithRequestId

pytestmark = pytest.mark.django_db


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the root logger writes as JSON while the test lasts."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLine())
    handler.addFilter(WithRequestId())
    logging.getLogger("labeling").addHandler(handler)
    yield written
    logging.getLogger("labeling").removeHandler(handler)


def test_the_lines_of_a_request_name_its_id(lines: io.StringIO, settings: Any) -> None:
    settings.METRICS_TOKEN, settings.REDIS_URL = "t", "unix:///nowhere.sock"
    answer = Client().get("/metrics/", headers={"Authorization": "Bearer t", "X-Request-ID": "mine"})
    (line,) = [json.loads(one) for one in lines.getvalue().splitlines() if "workers failed" in one]
    assert line["request_id"] == answer["X-Request-ID"] != "mine"
    assert (line["level"], line["logger"]) == ("WARNING", "labeling.operations.figures")
    assert len(line["request_id"]) == 32
    logging.getLogger("labeling").warning("outside of a request, “quoted” ü")
    assert json.loads(lines.getvalue().splitlines()[-1])["request_id"] == ""


class _Collector(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.server.received.append(self.rfile.read(int(self.headers["Content-Length"])))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def test_a_request_is_a_span_where_a_collector_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    collector = ThreadingHTTPServer(("127.0.0.1", 0), _Collector)
    collector.received = []  # type: ignore[attr-defined]
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
    tracing._tracer.cache_clear()
    try:
        answer = Client().get("/health/live/")
        tracing._tracer().span_processor.force_flush()
    finally:
        tracing._tracer.cache_clear()
        collector.shutdown()
    (received,) = collector.received  # type: ignore[attr-defined]
    (span,) = ExportTraceServiceRequest.FromString(received).resource_spans[0].scope_spans[0].spans
    facts = {one.key: one.value.string_value or one.value.int_value for one in span.attributes}
    assert span.name == "GET live"
    assert facts["parley.request_id"] == answer["X-Request-ID"]
    assert facts["http.response.status_code"] == 200
