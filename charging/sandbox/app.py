"""The sandbox as an ASGI application: wiring only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from fastapi import Depends, FastAPI, Request, Response

from charging.ocpi import wire
from charging.sandbox import (
    serve_admin,
    serve_commands,
    serve_invoices,
    serve_lists,
    serve_preferences,
    serve_prices,
    serve_profiles,
    serve_registration,
    serve_reservations,
    serve_swipe,
    serve_unlocking,
)
from charging.sandbox.cpo import Cpo
from charging.sandbox.driver import Driver
from charging.sandbox.persistence import Journal
from charging.sandbox.pusher import Pusher
from charging.sandbox.quirks import Quirk
from charging.sandbox.settings import SandboxSettings
from charging.sandbox.slashes import NeedSlashes
from charging.sandbox.speaking import Refusal, cpo_of, has_module, reply
from charging.sandbox.spoiling import SpoilAnswers


def create_app(settings: SandboxSettings, data: Path) -> FastAPI:
    """The CPO whose memory is in the directory ``data``; it goes on with what it finds there."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        journal = Journal(data / "sandbox.db")
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
        async with httpx.AsyncClient(timeout=settings.push_timeout_s, limits=limits, trust_env=False) as client:
            app.state.client = client
            app.state.cpo = Cpo(settings, journal)
            pusher = app.state.pusher = Pusher(client, app.state.cpo.quirks)
            app.state.driver = Driver(app.state.cpo, pusher)
            app.state.driver.resume()
            yield
            await app.state.driver.aclose()
            await pusher.aclose()
        journal.close()

    app = FastAPI(title="Sandbox CPO", lifespan=lifespan)
    app.add_middleware(NeedSlashes)
    app.add_middleware(SpoilAnswers)
    app.add_exception_handler(Refusal, _refuse)
    for module in (serve_registration, serve_admin, serve_swipe, serve_invoices, serve_prices):
        app.include_router(module.router)
    in_ocpi = (serve_lists, serve_reservations, serve_unlocking, serve_commands, serve_profiles, serve_preferences)
    for module in in_ocpi:
        app.include_router(module.router, dependencies=[Depends(has_module)])
    return app


async def _refuse(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal), "registered for nothing else"  # noqa: S101 - for the type checker
    challenge = {"WWW-Authenticate": "Token"} if refusal.http_status == 401 else None
    return reply(
        request,
        status_code=refusal.status_code,
        http_status=_http_status(request, refusal),
        message=refusal.message,
        headers=challenge,
    )


def _http_status(request: Request, refusal: Refusal) -> int:
    """As OCPI wants it, or the other way round: errors of OCPI as errors of HTTP, and what is missing as none."""
    if Quirk.ERRORS_BY_HTTP not in cpo_of(request).quirks or refusal.http_status not in (200, 404):
        return refusal.http_status
    return 200 if refusal.http_status == 404 else 500 if refusal.status_code >= wire.SERVER_ERROR else 400
