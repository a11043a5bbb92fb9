"""Calls to a session's workflow, with Temporal's errors translated once: away is 503, gone is ``WorkflowGone``."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from pydantic import BaseModel
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from api.problems import unavailable
from charging import names
from charging.errors import Problem
from charging.planning.publication import CurveNews
from charging.pulling import Pull, Synchronisation
from charging.session.model import SessionSpec, SessionState
from charging.temporal import RPC_TIMEOUT, signal_charging_session, start_charging_session
from charging.temporal import refresh_curve as start_refresh
from charging.temporal import synchronise as start_synchronisation

QUERY_TIMEOUT = timedelta(seconds=2)
REFRESH_PATIENCE = timedelta(seconds=60)
SYNC_PATIENCE = timedelta(minutes=10)


class WorkflowGone(Exception):
    """The session's workflow has ended, or does not exist yet."""


@asynccontextmanager
async def _reaching_temporal(patience: timedelta = RPC_TIMEOUT) -> AsyncIterator[None]:
    try:
        # The client connects at its first call, which knows no timeout of its own.
        async with asyncio.timeout(patience.total_seconds() + 1):
            yield
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise WorkflowGone from error
        raise unavailable("The workflow engine did not answer.") from error
    except (RuntimeError, TimeoutError) as error:  # RuntimeError: the first connection failed
        raise unavailable("The workflow engine did not answer.") from error


async def start_workflow(client: Client, spec: SessionSpec) -> None:
    """Start the session's workflow; a no-op where it runs or has run. Raises ``Problem`` 503 when Temporal is away."""
    try:
        async with _reaching_temporal():
            await start_charging_session(client, spec)
    except WorkflowAlreadyStartedError:
        return
    except WorkflowGone as error:  # a namespace that does not exist
        raise unavailable("The workflow engine has no such namespace.") from error


async def signal(client: Client, session_id: str, name: names.Signal, message: BaseModel) -> None:
    """Send a signal. Raises ``WorkflowGone``, or ``Problem`` 503 when Temporal is away."""
    async with _reaching_temporal():
        await signal_charging_session(client, session_id, name, message)


async def ask_state(client: Client, session_id: str) -> SessionState | None:
    """The workflow's own state, asked for 2 s at most; None when nobody answers: the store will do then."""
    handle = client.get_workflow_handle(names.charging_session_id(session_id))
    try:
        async with asyncio.timeout(QUERY_TIMEOUT.total_seconds()):
            state: SessionState = await handle.query(
                names.Query.STATUS, result_type=SessionState, rpc_timeout=QUERY_TIMEOUT
            )
            return state
    except Exception:
        return None


async def synchronise(client: Client, wish: Synchronisation, cpo: str) -> list[Pull]:
    """What a synchronisation made of each module; joins one of the same wish. Raises ``Problem`` 503, 504 or 502."""
    try:
        async with _reaching_temporal():
            handle = await start_synchronisation(client, wish, cpo)
        async with asyncio.timeout(SYNC_PATIENCE.total_seconds()):
            return await handle.result()
    except TimeoutError as error:
        raise Problem(504, "sync_still_running", "The synchronisation goes on; ask again to join it.") from error
    except WorkflowGone as error:  # a namespace that does not exist
        raise unavailable("The workflow engine has no such namespace.") from error
    except WorkflowFailureError as error:
        raise Problem(502, "sync_failed", "The synchronisation was ended by somebody.") from error
    except RPCError as error:
        raise unavailable("The workflow engine did not answer.") from error


async def refresh_curve(client: Client, name: str) -> CurveNews:
    """Have a curve fetched, and what became of it. Raises ``Problem`` 503 or 504."""
    try:
        async with _reaching_temporal():
            handle = await start_refresh(client, name)
        async with asyncio.timeout(REFRESH_PATIENCE.total_seconds()):
            return await handle.result()
    except TimeoutError as error:
        raise Problem(504, "refresh_still_running", "The curve is being fetched; ask again.") from error
    except (WorkflowGone, WorkflowFailureError, RPCError) as error:
        raise unavailable("The workflow engine did not refresh the curve.") from error


async def is_reachable(client: Client) -> bool:
    """Whether Temporal answers within 2 s."""
    try:
        async with asyncio.timeout(QUERY_TIMEOUT.total_seconds()):
            return await client.service_client.check_health(timeout=QUERY_TIMEOUT)
    except (RPCError, RuntimeError, TimeoutError):
        return False
