"""Middleware that spoils answers: the faults of transport (see ``faults``), before or after the call took effect.

Plain ASGI, outermost, so that it can hold back bytes, add some, or reset the connection.
"""

import asyncio
import re
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from charging.ocpi import wire
from charging.sandbox import clock
from charging.sandbox.cpo import Cpo
from charging.sandbox.faults import TRANSPORT_KINDS, Fault
from charging.sandbox.records import Start

_MODULE = re.compile(r"/ocpi/cpo/[^/]+/([^/]+)/?(.*)")
PREFERENCES = "/charging_preferences"
_PROFILES = {"PUT": "SET_PROFILE", "DELETE": "CLEAR_PROFILE", "GET": "ACTIVE_PROFILE"}


class SpoilAnswers:
    """Lets calls pass, but for those that a fault is waiting for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or not scope["path"].startswith("/ocpi/"):
            await self._app(scope, receive, send)
            return
        cpo: Cpo = scope["app"].state.cpo
        if not any(fault.kind in TRANSPORT_KINDS for fault in cpo.faults.list()):
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        call = name_of(scope["method"], scope["path"])
        fault = cpo.faults.take(TRANSPORT_KINDS, call, "ANY", evse_uid=_evse_uid(cpo, call, scope["path"], body))
        again = _Replay(body, receive)
        if fault is None:
            await self._app(scope, again, send)
            return
        held = _Held()
        if fault.is_executed:
            await self._app(scope, again, held)
        elif call == "START_SESSION":
            _record_unexecuted(cpo, body, fault)
        await _answer(fault, held, receive, send)


def name_of(method: str, path: str) -> str:
    """What a call is called among the faults."""
    match = _MODULE.fullmatch(path)
    if match is None:
        return "VERSIONS"
    module, rest = match.groups()
    if module == "commands":
        return rest
    if module == "sessions" and rest.endswith(PREFERENCES):
        return "PREFERENCES"
    return _PROFILES.get(method, "") if module == "chargingprofiles" else module.upper()


def _evse_uid(cpo: Cpo, call: str, path: str, body: bytes) -> str | None:
    """Which EVSE a call is about, if it is about one."""
    if call in ("START_SESSION", "RESERVE_NOW", "UNLOCK_CONNECTOR"):
        return _field(body, "evse_uid")
    if call == "CANCEL_RESERVATION":
        reservation_id = _field(body, "reservation_id")
        return next((one.evse_uid for one in cpo.reservations.values() if one.id == reservation_id), None)
    named = unquote(path.removesuffix(PREFERENCES).rpartition("/")[2])
    session_id = _field(body, "session_id") if call == "STOP_SESSION" else named
    session = cpo.sessions.get(session_id or "")
    return session.evse_uid if session else None


def _field(body: bytes, name: str) -> str | None:
    try:
        value = wire.loads(body)[name]
    except (ValueError, TypeError, KeyError):
        return None
    return value if isinstance(value, str) else None


def _record_unexecuted(cpo: Cpo, body: bytes, fault: Fault) -> None:
    """A START that came to nothing has reached us all the same."""
    start = Start(
        id=fault.id,
        received_at=clock.now(),
        response=f"fault: {fault.kind}",
        authorization_reference=_field(body, "authorization_reference"),
        evse_uid=_field(body, "evse_uid"),
        connector_id=_field(body, "connector_id"),
        response_url=_field(body, "response_url"),
    )
    cpo.record_start(start.model_copy(update={"id": f"{fault.id}-{len(cpo.starts)}"}), [], [])


# ---- Bytes --------------------------------------------------------------------------------------------------------


class _Replay:
    """A body that was read once, for the application to read again."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


class _Held:
    """An answer that is held back."""

    def __init__(self) -> None:
        self.start: Message = {"type": "http.response.start", "status": 200, "headers": []}
        self.body = b""

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self.body += message.get("body", b"")


async def _read(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return body


async def _answer(fault: Fault, held: _Held, receive: Receive, send: Send) -> None:
    match fault.kind:
        case "reset":
            await _reset(receive)
        case "slow":
            await asyncio.sleep(fault.seconds)
            await _send(send, held.start, held.body)
        case "drip":
            await _drip(send, held, fault.seconds)
        case "flood":
            await _flood(send, held, fault.bytes)
        case _:
            status, headers, body = _instead(fault)
            start = {"type": "http.response.start", "status": status, "headers": headers}
            await _send(send, start, body)


def _instead(fault: Fault) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of the answer that is given in place of the true one."""
    if fault.kind == "html":
        return 200, [(b"content-type", b"text/html")], b"<!doctype html><title>Welcome</title><h1>It works!</h1>"
    if fault.kind == "redirect":
        return 302, [(b"location", (fault.url or "http://169.254.169.254/").encode())], b""
    envelope = wire.envelope(now=clock.now(), status_code=fault.status_code, message="fault")
    if fault.kind == "ocpi":
        return 200, [(b"content-type", b"application/json")], wire.dumps(envelope)
    headers = [(b"content-type", b"text/plain")]
    if fault.retry_after is not None:
        headers.append((b"retry-after", str(fault.retry_after).encode()))
    return fault.status, headers, b"fault"


async def _send(send: Send, start: Message, body: bytes) -> None:
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _drip(send: Send, held: _Held, seconds: float) -> None:
    await send(held.start)
    for byte in held.body:
        await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
        await asyncio.sleep(seconds / max(1, len(held.body)))
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _flood(send: Send, held: _Held, size: int) -> None:
    headers = [(name, value) for name, value in held.start["headers"] if name.lower() != b"content-length"]
    await send({**held.start, "headers": headers})
    await send({"type": "http.response.body", "body": held.body, "more_body": True})
    for _ in range(0, size, 65536):
        await send({"type": "http.response.body", "body": b" " * 65536, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _reset(receive: Receive) -> None:
    """Cut the connection. ASGI has no word for that, so this asks uvicorn, whose ``receive`` knows the transport."""
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionResetError("this server cannot reset a connection")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
