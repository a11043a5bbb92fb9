"""The neighbours as one ASGI application, in memory: what is forgotten here when it ends was never real money."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response

from charging.sandbox.neighbours import evpass, payments, robot_jobs
from charging.sandbox.neighbours.evpass import Issuer, Wallets
from charging.sandbox.neighbours.mishaps import Mishap, Mishaps
from charging.sandbox.neighbours.payments import Books
from charging.sandbox.neighbours.settings import NeighbourSettings


def create_app(settings: NeighbourSettings | None = None) -> FastAPI:
    """All neighbours at one address; ``POST /admin/mishaps`` makes calls go wrong (see ``mishaps``)."""
    app = FastAPI(title="Sandbox neighbours")
    app.state.settings = settings or NeighbourSettings()
    forget_everything(app)
    app.middleware("http")(_with_mishaps)
    app.include_router(evpass.router)
    app.include_router(robot_jobs.router)
    app.include_router(payments.router)

    @app.post("/admin/mishaps")
    async def add_mishaps(coming: list[Mishap]) -> dict[str, int]:
        """Let these happen, too."""
        app.state.mishaps.add(*coming)
        return {"added": len(coming)}

    return app


def forget_everything(app: FastAPI) -> None:
    """As if all of them had just moved in."""
    app.state.payments = Books(app.state.settings)
    app.state.wallets = Wallets()
    app.state.issuer = Issuer()
    app.state.jobs = {}
    app.state.mishaps = Mishaps()


async def _with_mishaps(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    mishaps: Mishaps = request.app.state.mishaps
    return await mishaps.around(request, call_next)
