"""What the engine is measured against: the least that FastAPI can answer, with and without a Temporal query."""

from fastapi import FastAPI, Request
from temporalio.client import Client

from charging import names
from charging.session.model import SessionState
from charging.settings import get_settings
from charging.temporal import connect


def trivial() -> FastAPI:
    """An API whose ``/trivial`` does nothing and whose ``/queried/{session_id}`` asks the session's workflow."""
    app = FastAPI()
    clients: list[Client] = []

    @app.get("/healthz")
    @app.get("/trivial")
    async def answer() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/queried/{session_id}")
    async def queried(request: Request, session_id: str) -> dict[str, str]:
        if not clients:
            clients.append(await connect(get_settings()))
        handle = clients[0].get_workflow_handle(names.charging_session_id(session_id))
        state = await handle.query(names.Query.STATUS, result_type=SessionState)
        return {"session_id": session_id, "status": state.status, "energy_kwh": str(state.meter.kwh)}

    return app
