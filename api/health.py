"""``/healthz`` touches nothing, ``/readyz`` writes to the store and asks Temporal, ``/metrics`` is for Prometheus."""

import time
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.schemas import LiveAnswer, ReadyAnswer
from api.services import Services
from api.workflow_calls import is_reachable
from charging.errors import StoreUnavailable
from charging.store.engine import Database
from charging.store.leases import LeaseStore
from charging.store.peer_health import HealthStore

router = APIRouter(tags=["Health"])

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


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
            self._metrics.answered(scope["method"], _template(scope), status, time.perf_counter() - began)


def _template(scope: Scope) -> str:
    """The template of the path, whole: the route itself knows it without the prefixes of routers around its own."""
    context = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    return str(getattr(context, "path", "none"))


@router.get("/healthz", response_model=LiveAnswer, summary="The process runs")
async def healthz() -> dict[str, str]:
    """Touches nothing: a database that is away must not have this process killed."""
    return {"status": "ok"}


@router.get("/readyz", response_model=ReadyAnswer, summary="The store and Temporal answer")
async def readyz(request: Request, response: Response) -> dict[str, object]:
    """200 when both answer, else 503 and which one does not."""
    services: Services = request.app.state.services
    store, temporal = await _answers(services.database), await is_reachable(services.temporal)
    ready = store and temporal
    response.status_code = 200 if ready else 503
    return {"status": "ready" if ready else "not_ready", "store": store, "temporal": temporal}


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """For Prometheus. Holds no ids and no users."""
    services: Services = request.app.state.services
    parts = (request.app.state.metrics.registry, services.peers.health.metrics.registry, await _breakers(services))
    return Response(b"".join(generate_latest(registry) for registry in parts), media_type=CONTENT_TYPE_LATEST)


async def _breakers(services: Services) -> CollectorRegistry:
    """What all processes have written down about their calls to CPOs; nothing while the store is away."""
    registry, labels = CollectorRegistry(), ("connection", "process")
    is_open = Gauge("charging_cpo_breaker_open", "1 where calls to a CPO are held back.", labels, registry=registry)
    failures = Gauge("charging_cpo_failures", "Calls to a CPO that failed in a row.", labels, registry=registry)
    try:
        names = {connection.id: connection.name for connection in await services.connections.list()}
        records = await HealthStore(services.database).all()
    except StoreUnavailable:
        return registry
    for record in records:
        own = (names[record.connection_id], record.process)
        is_open.labels(*own).set(record.state != "closed")
        failures.labels(*own).set(record.failures)
    return registry


async def _answers(database: Database) -> bool:
    """Whether something can be written: from a disk that is full, everything can still be read."""
    now = datetime.now(UTC)
    try:
        await LeaseStore(database).take("readiness", now=now, until=now)
    except StoreUnavailable:
        return False
    return True
