"""The neighbours as one ASGI application. What they know is in one SQLite file, so that a kill costs nobody money."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request, Response

from charging.sandbox.neighbours import evpass, payments, robot_jobs
from charging.sandbox.neighbours.issuer import Issuer
from charging.sandbox.neighbours.mishaps import Mishap, Mishaps
from charging.sandbox.neighbours.payments import Books
from charging.sandbox.neighbours.robot_jobs import Hearsay
from charging.sandbox.neighbours.settings import NeighbourSettings
from charging.sandbox.neighbours.wallets import Wallets
from charging.sandbox.persistence import Journal


def create_app(settings: NeighbourSettings | None = None, file: Path | None = None) -> FastAPI:
    """All neighbours at one address, who go on with what they find in ``file``; without one, in memory.

    ``POST /admin/mishaps`` makes calls go wrong (see ``mishaps``).
    """
    app = FastAPI(title="Sandbox neighbours")
    app.state.settings = settings or NeighbourSettings()
    move_in(app, Journal(file))
    app.middleware("http")(_with_mishaps)
    app.include_router(evpass.router)
    app.include_router(robot_jobs.router)
    app.include_router(payments.router)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Alive."""
        return {"status": "ok"}

    @app.post("/admin/mishaps")
    async def add_mishaps(coming: list[Mishap]) -> dict[str, int]:
        """Let these happen, too."""
        app.state.mishaps.add(*coming)
        return {"added": len(coming)}

    return app


def move_in(app: FastAPI, journal: Journal) -> None:
    """From now on all of them know what is in ``journal``, and nothing else."""
    app.state.journal = journal
    app.state.payments = Books(app.state.settings, journal)
    app.state.wallets = Wallets(journal)
    app.state.issuer = Issuer(journal)
    app.state.jobs = Hearsay(journal)
    app.state.mishaps = Mishaps()


async def _with_mishaps(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    mishaps: Mishaps = request.app.state.mishaps
    return await mishaps.around(request, call_next)
