"""Traces for OpenTelemetry: one trace follows a request through the API, its workflow, activities and calls to CPOs.

On where the extra ``telemetry`` is installed and OpenTelemetry's own ``OTEL_EXPORTER_OTLP_ENDPOINT`` (or
``…_TRACES_ENDPOINT``) says where traces go; otherwise nothing here costs or does anything. FastAPI makes the spans of
requests, Temporal's SDK those of workflows and activities, we those of calls to CPOs. They hold ids; never a query, a
body or a token. A trace is not sent on to CPOs, but its id is: as the ``X-Correlation-ID`` (OCPI 2.2.1 §4 "Unique
message IDs") of every call that we make in it. What one process stores for another to go on with keeps the trace with
it (``traceparent``, ``within``).
"""

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:  # programs that have nothing to do with Temporal start without it
    from temporalio.client import Interceptor

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
IS_ON: Final = any(map(os.environ.get, _ENDPOINTS)) and find_spec("opentelemetry.sdk") is not None
_W3C: Final = TraceContextTextMapPropagator()


def start(service: str) -> None:
    """Have this process's spans sent, in the background, as those of ``service`` (``OTEL_SERVICE_NAME`` wins)."""
    if not IS_ON:
        return
    # Imported late: they are an extra, and take a while.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Span, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    class WithoutQuery(BatchSpanProcessor):
        def on_start(self, span: Span, parent_context: Context | None = None) -> None:
            if span.attributes and "url.query" in span.attributes:
                span.set_attribute("url.query", "[hidden]")  # what strangers put there may be a token
            super().on_start(span, parent_context)

    provider = TracerProvider(resource=Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", service)}))
    provider.add_span_processor(WithoutQuery(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def interceptors() -> "list[Interceptor]":
    """What carries a trace through Temporal: for a client, and so for its workers."""
    if not IS_ON:
        return []
    from temporalio.contrib.opentelemetry import TracingInterceptor  # needs the extra

    return [TracingInterceptor()]


def traceparent() -> str | None:
    """Where in its trace this task is, as W3C Trace Context's ``traceparent`` (§3.2): 55 characters. None outside."""
    carrier: dict[str, str] = {}
    if IS_ON:
        _W3C.inject(carrier)
    return carrier.get("traceparent")


@contextmanager
def within(parent: str | None) -> Iterator[None]:
    """What is done in here goes on where ``traceparent`` gave ``parent``; None: where this task is anyway."""
    if not IS_ON or parent is None:
        yield
        return
    token = attach(_W3C.extract({"traceparent": parent}))
    try:
        yield
    finally:
        detach(token)


@contextmanager
def called(name: str, attributes: Mapping[str, str]) -> Iterator[None]:
    """Around a call that we make. What it raises is its outcome."""
    if not IS_ON:
        yield
        return
    tracer = trace.get_tracer(__name__)
    with tracer.start_as_current_span(name, kind=trace.SpanKind.CLIENT, attributes=dict(attributes)):
        yield


def note(attributes: Mapping[str, str]) -> None:
    """Add ``attributes`` to the span that we are in."""
    if IS_ON:
        trace.get_current_span().set_attributes(dict(attributes))


def trace_id() -> str | None:
    """The trace that we are in, as 32 hexadecimal digits; None outside of one."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def correlation_id() -> str | None:
    """The trace that we are in as an X-Correlation-ID: a UUID. None outside of one."""
    known = trace_id()
    return str(uuid.UUID(known)) if known else None
