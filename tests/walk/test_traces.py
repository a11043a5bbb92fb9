"""What operators see of a session: one trace through all processes, and the metrics of each."""

import uuid
from functools import partial
from pathlib import Path

import pytest
from fastapi import FastAPI, Request, Response
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.embedded import Embedded, embedded
from tests.serving import free_port, serve
from tests.waiting import eventually

EVSE = "FI-VRT-E12345"


class Collector:
    """An OpenTelemetry collector: ``spans`` are (trace id, name, attributes), ``sent`` every byte that came."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, str, dict[str, str]]] = []
        self.sent = b""
        self.app = FastAPI()
        self.app.post("/v1/traces")(self._take)

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        self.sent += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    attributes = {pair.key: pair.value.string_value for pair in span.attributes}
                    self.spans.append((span.trace_id.hex(), span.name, attributes))
        return Response()

    def named(self, trace: str) -> set[str]:
        """The names of the spans of one trace."""
        return {name for own, name, _ in self.spans if own == trace}


@pytest.mark.soak
async def test_one_trace_leads_from_the_robots_request_to_the_cpo_and_metrics_tell_of_all_sessions(
    tmp_path: Path,
) -> None:
    collector, metrics = Collector(), f"127.0.0.1:{free_port()}"
    async with serve(collector.app) as url:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "CHARGING_METRICS_ADDRESS": metrics,
        }
        async with embedded(tmp_path / "data", environment=environment) as stack:
            session_id = await stack.start(EVSE, key="k", battery_target_kwh=30)
            await stack.until(session_id, status="completed")
            await eventually(
                lambda: _trace_of(collector, "POST /v1/sessions/start"),
                describe=lambda: f"{sorted({name for _, name, _ in collector.spans})}",
            )
            trace = _trace_of(collector, "POST /v1/sessions/start")
            wanted = {
                "StartWorkflow:ChargingSessionWorkflow",
                "RunWorkflow:ChargingSessionWorkflow",
                "RunActivity:start_session",
                "OCPI POST",
            }
            await eventually(
                lambda: wanted <= collector.named(trace),
                describe=lambda: str(sorted({(t[:4], n) for t, n, _ in collector.spans})),
            )
            sent = next(told for own, name, told in collector.spans if (own, name) == (trace, "OCPI POST"))
            assert sent["ocpi.correlation_id"] == str(uuid.UUID(trace))
            for told, module in (
                ("SignalWorkflow:session_updated", "sessions"),
                ("RunWorkflow:SettlementWorkflow", "cdrs"),
            ):
                await eventually(partial(_is_part_of_a_push, collector, told, module), describe=partial(str, told))
            assert stack.run["token"].encode() not in collector.sent
            await _metrics_tell(stack, f"http://{metrics}/metrics")


def _trace_of(collector: Collector, name: str) -> str:
    return next((trace for trace, own, _ in collector.spans if own == name), "")


def _is_part_of_a_push(collector: Collector, name: str, module: str) -> bool:
    """Whether what workflows were told is in one trace with the request of the CPO that it came with."""
    return any(f"/{module}" in own for own in collector.named(_trace_of(collector, name)))


async def _metrics_tell(stack: Embedded, worker_url: str) -> None:
    worker = (await stack.http.get(worker_url)).text
    for name, labels in (
        ("charging_phase_seconds_count", ('phase="charging"', 'network="Virta"', 'status="active"')),
        ("charging_sessions_ended_total", ('status="completed"', 'reason="target_reached"')),
        ("charging_cpo_calls_total", ('operation="START_SESSION"', 'outcome="answered"')),
    ):
        lines = [line for line in worker.splitlines() if line.startswith(name)]
        assert any(all(label in line for label in labels) for line in lines), lines
    api = (await stack.http.get(f"{stack.run['api']}/metrics")).text
    for line in ("charging_disputes_open 0.0", "charging_inbox_waiting 0.0", "charging_settlement_oldest_seconds 0.0"):
        assert line in api
