"""Spans for OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT names a collector and the extra `tracing` is installed.

Without both nothing is imported and nothing is sent.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from labeling import environment


class NoSpan:
    """What there is to write to where nothing is traced."""

    def update_name(self, name: str) -> None:
        pass

    def set_attribute(self, key: str, value: Any) -> None:
        pass


@contextmanager
def span(name: str, **attributes: Any) -> Iterator[Any]:
    """A span around what stands inside; an exception that leaves it is recorded in it."""
    tracer = _tracer()
    if tracer is None:
        yield NoSpan()
        return
    with tracer.start_as_current_span(name, attributes=attributes) as opened:
        yield opened


@lru_cache(maxsize=1)
def _tracer() -> Any:
    """The process's tracer, which sends in a thread of its own. A missing library is an error, not silence."""
    if not environment.text("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "parley")}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer("parley")
