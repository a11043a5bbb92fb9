"""The API's application, which ``python -m api`` serves. Wiring only."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from importlib.metadata import version

from fastapi import FastAPI

from api import codec, documentation, problems
from api.auth import Authenticator
from api.desk import build_desk
from api.edge import Edge
from api.limits import Limits
from api.metrics import Metrics, MetricsMiddleware
from api.reserving import build_commander
from api.routes import ROUTES
from api.services import Services, build_services
from charging import logs, tracing
from charging.inbox import Inbox
from charging.neighbours.robot_jobs import job_reporter
from charging.pruner import Pruner
from charging.settings import Settings, get_settings
from charging.store.curves import CurveStore
from charging.store.quotas import QuotaStore
from charging.store.reservations import ReservationStore
from charging.store.sync_states import SyncStateStore
from charging.sweeper import Sweeper
from charging.timetable import Timetable
from charging.token_pusher import TokenPusher
from charging.unanswered import UnansweredReservations

_RESTART_S = 1

log = logging.getLogger(__name__)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application; it opens nothing before its lifespan begins."""
    settings = settings or get_settings()
    tracing.start("charging-api")
    app = FastAPI(
        title="Charging sessions",
        version=version("charging-sessions"),
        description="Charge this car: durable charging sessions at OCPI networks, for robots.",
        lifespan=_lifespan,
        redirect_slashes=False,
        routes=ROUTES,
        telemetry={"operation_spans": False, "metrics": False, "logs": False},
    )
    app.state.settings = settings
    app.state.limits = Limits(settings, partial(_use_quota, app))
    app.state.authenticator = Authenticator(settings)
    app.state.metrics = Metrics()
    problems.install(app)
    documentation.install(app)
    app.mount(codec.PATH, codec.create_codec(settings, app.state.authenticator, app.state.limits))
    app.add_middleware(MetricsMiddleware, metrics=app.state.metrics)
    app.add_middleware(Edge)
    return app


async def _use_quota(app: FastAPI, name: str, ends_at: datetime, amount: int) -> int:
    services: Services = app.state.services
    return await QuotaStore(services.database).use(name, ends_at, amount)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    logs.configure(log_format=settings.log_format, our_level=settings.log_level)
    for warning in settings.warnings():
        log.warning(warning)
    services = await build_services(settings)
    desk = build_desk(services)
    app.state.services, app.state.desk = services, desk
    tasks = [asyncio.create_task(_for_ever(run)) for run in [*_background(services), desk.relay.run]]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await desk.close()
        await services.close()


def _background(services: Services) -> list[Callable[[], Awaitable[None]]]:
    """What runs beside the endpoints.

    The inbox delivers what CPOs have pushed, the sweeper finds what was lost, the timetable has everything pulled that
    CPOs have, the pusher tells them of our tokens, and they are asked again for reservations that they did not answer.
    Robot Jobs, where it is our neighbour, hears of its sessions. The pruner deletes old events.
    """
    inbox = Inbox(services.database, services.temporal)
    services.receiver.on_commit = inbox.kick
    sweeper = Sweeper(services.database, services.temporal, services.peers, services.receiver, services.settings)
    pusher = TokenPusher(services.database, services.peers, services.settings)
    states = SyncStateStore(services.database)
    curve_store = CurveStore(services.database)
    timetable = Timetable(services.connections, states, curve_store, services.temporal, services.settings)
    reservations = ReservationStore(services.database)
    unanswered = UnansweredReservations(reservations, build_commander(services), services.settings.sweep_s)
    reporter = job_reporter(services.settings, services.database)
    reporting = [reporter.run] if reporter else []
    pruner = Pruner(services.database, services.settings)
    return [inbox.run, sweeper.run, timetable.run, pusher.run, unanswered.run, pruner.run, *reporting]


async def _for_ever(run: Callable[[], Awaitable[None]]) -> None:
    """A bug in the background must not end it quietly: log it, and go on."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("a background task failed; it starts again")
        await asyncio.sleep(_RESTART_S)
