"""``/metrics``, for Prometheus: the requests of this process, and what the store says of all."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.health import is_writable
from api.services import Services
from api.workflow_calls import is_reachable
from charging.errors import StoreUnavailable
from charging.store.gauges import Gauges, read_gauges
from charging.store.peer_health import HealthRecord, HealthStore

router = APIRouter()

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_PATIENCE_S: Final = 5  # Prometheus gives up after ten seconds, and then knows nothing at all
_QUEUES: Final = {
    "inbox": "messages of CPOs that no workflow has taken",
    "settlement": "CDRs that are not settled",
    "events": "events without a place in the stream",
    "webhooks": "deliveries to webhooks, from when they were due",
    "job_reports": "reports to Robot Jobs, from when they were due",
}


class Metrics:
    """Requests and their durations, by route template, never by path: ids must not become labels."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter("charging_http_requests", "Requests answered.", labels, registry=self.registry)
        self.seconds = Histogram(
            "charging_http_seconds", "Seconds until the answer.", ("route",), registry=self.registry, buckets=_BUCKETS
        )
        # Looking up a child by its labels costs several times what counting does.
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer."""
        key = (method if method in _METHODS else "other", route, status)
        if key not in self._children:
            self._children[key] = (self.requests.labels(*key), self.seconds.labels(route))
        requests, durations = self._children[key]
        requests.inc()
        durations.observe(seconds)


class MetricsMiddleware:
    """Counts every answered HTTP request. Plain ASGI: a wrapper around responses would cost more than the read."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._metrics.answered(scope["method"], template_of(scope), status, time.perf_counter() - began)


def template_of(scope: Scope) -> str:
    """The template of the path, whole: the route itself knows it without the prefixes of routers around its own."""
    context = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    path = getattr(context, "path", None)
    if path is None:
        return "none"
    # An application that is mounted (the codec server) knows only its own part of the path.
    given = scope.get("root_path", "")
    return f"{given.removeprefix(scope.get('app_root_path', given))}{path}"


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """For Prometheus. Holds no ids and no users."""
    services: Services = request.app.state.services
    own = (request.app.state.metrics.registry, services.peers.health.metrics.registry)
    parts = (*own, *await asyncio.gather(_up(services), _stored(services)))
    return Response(b"".join(generate_latest(registry) for registry in parts), media_type=CONTENT_TYPE_LATEST)


async def _up(services: Services) -> CollectorRegistry:
    """What ``/readyz`` says, told also while the rest is not."""
    registry = CollectorRegistry()
    store, temporal = await asyncio.gather(is_writable(services.database), is_reachable(services.temporal))
    Gauge("charging_store_up", "1 where this process can write to the store.", registry=registry).set(store)
    Gauge("charging_temporal_up", "1 where Temporal answers this process.", registry=registry).set(temporal)
    return registry


async def _stored(services: Services) -> CollectorRegistry:
    """What the store says of all processes; nothing while it is away."""
    registry = CollectorRegistry()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            records = await HealthStore(services.database).all()
            # Later than the records, so that each of them has its name.
            names = {connection.id: connection.name for connection in await services.connections.list()}
            stored = await read_gauges(services.database, datetime.now(UTC))
    except (StoreUnavailable, TimeoutError):
        return registry
    _show_breakers(registry, names, records)
    _show_gauges(registry, stored)
    return registry


def _show_breakers(registry: CollectorRegistry, names: Mapping[str, str], records: Iterable[HealthRecord]) -> None:
    """What all processes have written down about their calls to CPOs, whose ``names`` are by connection id."""
    labels = ("connection", "process")
    is_open = Gauge("charging_cpo_breaker_open", "1 where calls to a CPO are held back.", labels, registry=registry)
    failures = Gauge("charging_cpo_failures", "Calls to a CPO that failed in a row.", labels, registry=registry)
    for record in records:
        own = (names[record.connection_id], record.process)
        is_open.labels(*own).set(record.state != "closed")
        failures.labels(*own).set(record.failures)


def _show_gauges(registry: CollectorRegistry, stored: Gauges) -> None:
    """What there is to do, the same at every process."""
    labels = ("network", "status", "phase")
    sessions = Gauge("charging_sessions_open", "Sessions that have not ended.", labels, registry=registry)
    for place, count in stored.open_sessions.items():
        sessions.labels(*place).set(count)
    Gauge("charging_disputes_open", "CDRs that a person has to decide.", registry=registry).set(stored.disputes)
    for name, what in _QUEUES.items():
        queue = stored.queues[name]
        Gauge(f"charging_{name}_waiting", f"How many: {what}.", registry=registry).set(queue.waiting)
        Gauge(f"charging_{name}_oldest_seconds", f"The oldest: {what}.", registry=registry).set(queue.oldest_s)
        Gauge(f"charging_{name}_lost", f"Given up: {what}.", registry=registry).set(queue.lost)
