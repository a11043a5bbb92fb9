"""A push and what its workflow hears are one trace, though another process may tell the workflow, and later."""

import asyncio
from decimal import Decimal

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio.client import Client
from temporalio.contrib.opentelemetry import TracingInterceptor

from charging import names, tracing
from charging.inbox import Inbox
from charging.session.model import SessionSpec
from charging.store import tables
from tests.receive.conftest import Desk, at, session_body
from tests.receive.test_cdrs import cdr_body
from tests.receive.test_inbox import delivered, running

SIGNALLED = f"SignalWorkflow:{names.Signal.SESSION_UPDATED}"


class Spans:
    """The spans of this process, by name."""

    def __init__(self) -> None:
        self._kept = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._kept))
        self.tracer = provider.get_tracer("tests")

    def parents(self, name: str) -> set[str]:
        """The names of what the spans ``name`` are directly part of."""
        ended = self._kept.get_finished_spans()
        names_of = {_id(span): span.name for span in ended}
        return {names_of[_parent(span)] for span in ended if span.name == name}


def _id(span: ReadableSpan) -> tuple[int, int]:
    assert span.context is not None
    return span.context.trace_id, span.context.span_id


def _parent(span: ReadableSpan) -> tuple[int, int]:
    assert span.parent is not None, f"{span.name} begins a trace of its own"
    return span.parent.trace_id, span.parent.span_id


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    """Tracing is on."""
    monkeypatch.setattr(tracing, "IS_ON", True)
    return Spans()


def told_by(desk: Desk, spans: Spans) -> Inbox:
    """The inbox of another process: nothing but the store tells it of a trace."""
    client = desk.temporal.client
    interceptors = [TracingInterceptor(spans.tracer)]
    return Inbox(
        desk.database, Client(client.service_client, data_converter=client.data_converter, interceptors=interceptors)
    )


async def push(desk: Desk, spans: Spans, spec: SessionSpec, name: str, **fields: object) -> None:
    """A PUT of the session's Session, in a request that is the span ``name``."""
    with spans.tracer.start_as_current_span(name, context=trace.set_span_in_context(trace.INVALID_SPAN)):
        await desk.put(session_body(authorization_reference=spec.authorization_reference, **fields))


async def test_each_of_two_pushes_that_are_stored_at_once_goes_on_in_its_own_trace(desk: Desk, spans: Spans) -> None:
    one, other = await desk.start(workflow=True), await desk.start(workflow=True)
    await asyncio.gather(push(desk, spans, one, "one", id="S1", kwh=1), push(desk, spans, other, "other", id="S2"))
    async with running(told_by(desk, spans)):
        await delivered(desk, one)
        await delivered(desk, other)
    assert spans.parents(SIGNALLED) == {"one", "other"}


async def test_of_pushes_that_become_one_signal_the_first_that_is_traced_has_it(desk: Desk, spans: Spans) -> None:
    spec = await desk.start(workflow=True, wake_kwh=Decimal(1))
    await desk.put(session_body(authorization_reference=spec.authorization_reference))
    for minutes in (1, 2):
        await push(desk, spans, spec, f"minute {minutes}", kwh=minutes, last_updated=at(minutes))
    assert await desk.mail(spec) == ["session"] * 3
    async with running(told_by(desk, spans)):
        await delivered(desk, spec)
    assert spans.parents(SIGNALLED) == {"minute 1"}


async def test_results_and_bills_go_on_in_the_traces_that_they_came_in(desk: Desk, spans: Spans) -> None:
    spec = await desk.start(workflow=True)
    start = await desk.command(spec, "START_SESSION")
    with spans.tracer.start_as_current_span("result"):
        await desk.call("POST", f"commands/START_SESSION/{start}", {"result": "ACCEPTED"})
    with spans.tracer.start_as_current_span("bill"):
        await desk.call("POST", "cdrs", cdr_body(authorization_reference=spec.authorization_reference))
    async with running(told_by(desk, spans)):
        await delivered(desk, spec)
    assert spans.parents(f"SignalWorkflow:{names.Signal.COMMAND_RESULT}") == {"result"}
    assert spans.parents(f"SignalWithStartWorkflow:{names.Workflow.SETTLEMENT}") == {"bill"}


async def test_where_tracing_is_off_no_trace_is_kept(desk: Desk) -> None:
    spec = await desk.start()
    await push(desk, Spans(), spec, "traced by somebody else")
    assert [row.traceparent for row in await desk.rows(tables.inbox)] == [None]
