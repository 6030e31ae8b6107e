"""OpenTelemetry's SDK for tests: in use inside a block, and as if it had not been imported outside.

Whoever imports this module has imported OpenTelemetry: do so inside a test.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from foretell.telemetry import MODULE

EXPORTER = InMemorySpanExporter()
PROVIDER = TracerProvider()
PROVIDER.add_span_processor(SimpleSpanProcessor(EXPORTER))
trace.set_tracer_provider(PROVIDER)
del sys.modules[MODULE]


@contextmanager
def in_use() -> Iterator[None]:
    """A program that uses OpenTelemetry."""
    sys.modules[MODULE] = trace
    EXPORTER.clear()
    try:
        yield
    finally:
        del sys.modules[MODULE]


@contextmanager
def caller_span() -> Iterator[Any]:
    """A span of the program's own, which is the current one."""
    with PROVIDER.get_tracer("test").start_as_current_span("caller") as span:
        yield span


def told() -> list[ReadableSpan]:
    """Foretell's spans, in the order in which they ended."""
    found = EXPORTER.get_finished_spans()
    return [span for span in found if span.instrumentation_scope.name == "foretell"]
