"""The little eMSP that a check is: it takes whatever the CPO pushes, remembers it, and says yes."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from charging.errors import UnusableMessage
from charging.ocpi import session_object, wire
from charging.ocpi.findings import Finding, Pushed, of_push
from charging.ocpi.our_urls import module_url, version_url, versions_url
from charging.ocpi.versions import Body, Dialect, dialect
from charging.ocpi.wire import Party

_MODULES = (
    ("credentials", "SENDER"),
    ("locations", "RECEIVER"),
    ("tariffs", "RECEIVER"),
    ("sessions", "RECEIVER"),
    ("cdrs", "RECEIVER"),
    ("tokens", "SENDER"),
    ("commands", "SENDER"),
    ("chargingprofiles", "SENDER"),
)


@dataclass
class Emsp:
    """What has arrived, as OCPI 2.2.1 has it. ``token``: what the CPO must send. ``roles``: the CPO's, once known.

    ``spoken``: the one version that it offers.
    """

    party: Party
    url: str = ""
    spoken: Dialect = field(default_factory=lambda: dialect(None))
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    roles: list[Party] = field(default_factory=list)
    sessions: dict[str, Body] = field(default_factory=dict)
    cdrs: list[Body] = field(default_factory=list)
    results: dict[str, Body] = field(default_factory=dict)  # by the end of response_url
    findings: list[Finding] = field(default_factory=list)
    versions_read: int = 0
    strangers: int = 0
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def versions_url(self) -> str:
        """Our versions endpoint."""
        return versions_url(self.url)

    def endpoint(self, module: str, *more: str) -> str:
        """The URL of a module, or of something in it."""
        return module_url(self.url, self.spoken.version, module, *more)

    async def until(self, condition: Callable[[], Any], patience_s: float) -> Any:
        """The first true value of ``condition``; None where none comes in time."""
        async with self.arrived:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.arrived.wait_for(condition), patience_s)
        return condition() or None

    def session_of(self, reference: str, uid: str) -> Body | None:
        """The Session that our START_SESSION has made."""
        wanted = (wire.fold(reference), wire.fold(uid))
        for body in self.sessions.values():
            known = session_object.references(body)
            if known[0] == wanted[0] or known[1] == wanted[1]:
                return body
        return None

    # ---- The server ----

    def app(self) -> Starlette:
        """The routes that CPOs call."""
        methods = ["GET", "PUT", "PATCH", "POST", "DELETE"]
        return Starlette(routes=[Route("/{path:path}", self._serve, methods=methods)])

    async def _serve(self, request: Request) -> Response:
        header, body = request.headers.get("authorization"), await request.body()
        if self.token not in wire.token_candidates(header):
            self.strangers += 1
            return _reply(status_code=wire.CLIENT_ERROR, http_status=401)
        segments = request.url.path.strip("/").split("/")[1:]
        if segments[:1] == ["emsp"] and len(segments) > 2:
            answer = self._take(request, segments[2], segments[3:], body)
        else:
            answer = self._config(segments)
        async with self.arrived:
            self.arrived.notify_all()
        return answer

    def _config(self, segments: list[str]) -> Response:
        version = self.spoken.version
        if segments == ["versions"]:
            self.versions_read += 1
            return _reply([{"version": version, "url": version_url(self.url, version)}])
        if segments == [version]:
            endpoints = [{"identifier": m, "role": role, "url": self.endpoint(m)} for m, role in _MODULES]
            return _reply(self.spoken.write("version_detail", {"version": version, "endpoints": endpoints}))
        return _reply(status_code=wire.INVALID_PARAMETERS, http_status=404)

    def _take(self, request: Request, module: str, path: list[str], raw: bytes) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        credentials = headers.pop("authorization", "").partition(" ")[2].strip()
        push = Pushed(
            version=self.spoken.version,
            module=module,
            method=request.method,
            path=path,
            headers=headers,
            body=raw,
            roles=self.roles,
            written="raw" if credentials == self.token else "base64",
        )
        self.findings += of_push(push)
        try:
            body = wire.loads(raw) if raw else {}
        except wire.MalformedJson:
            return _reply(status_code=wire.INVALID_PARAMETERS, http_status=400)
        return self._keep(push, path, body if isinstance(body, dict) else {})

    def _keep(self, push: Pushed, path: list[str], body: Body) -> Response:
        if push.module == "sessions" and len(path) == 3 and push.method in ("PUT", "PATCH"):
            return self._keep_session(push.method, Party(path[0], path[1]), path[2], body)
        if push.module == "cdrs" and push.method == "POST":
            self.keep_cdr(body)
            return _reply(http_status=201, headers={"Location": self.endpoint("cdrs", str(body.get("id")))})
        if push.module in ("commands", "chargingprofiles") and push.method == "POST" and path:
            self.results.setdefault(path[-1], body)
        return _reply()

    def keep_cdr(self, body: Body) -> None:
        """A CDR as it came, pushed or pulled."""
        self.cdrs.append(self.spoken.read("cdr", body, self.roles[0] if self.roles else None))

    def _keep_session(self, method: str, owner: Party, session_id: str, body: Body) -> Response:
        stored, body = self.sessions.get(session_id), self.spoken.read("session", body, owner)
        if not self.spoken.has_roles:
            body.setdefault("last_updated", wire.format_datetime(datetime.now(UTC)))  # a PATCH of 2.1.1 need not say it
        try:
            if method == "PATCH" and stored is None:
                return _reply(status_code=wire.INVALID_PARAMETERS, http_status=404)
            after = session_object.patch(stored, body, datetime.now(UTC)) if method == "PATCH" and stored else None
            after = session_object.put(stored, body, datetime.now(UTC)) if method == "PUT" else after
        except UnusableMessage as error:
            return _reply(status_code=wire.INVALID_PARAMETERS, message=str(error))
        if after is not None:
            self.sessions[session_id] = after
        return _reply(http_status=200 if stored else 201)


class _Quiet(uvicorn.Server):
    """Leaves the signals to the command."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing."""
        yield


@asynccontextmanager
async def serving(emsp: Emsp, host: str, port: int, public_url: str | None) -> AsyncIterator[Emsp]:
    """``emsp``, reachable: at ``public_url``, where it is given, else where it listens. Port 0 takes a free one."""
    config = uvicorn.Config(emsp.app(), host=host, port=port, log_config=None, access_log=False, ws="none")
    server = _Quiet(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        if task.done():
            await task
            raise OSError(f"cannot listen at {host}:{port}")
        await asyncio.sleep(0.01)
    listening = server.servers[0].sockets[0].getsockname()[1]
    emsp.url = (public_url or f"http://{host}:{listening}").rstrip("/")
    try:
        yield emsp
    finally:
        server.should_exit = True
        await task


def _reply(
    data: Any = None,
    *,
    status_code: int = wire.SUCCESS,
    http_status: int = 200,
    message: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    body = wire.envelope(data, now=datetime.now(UTC), status_code=status_code, message=message)
    return Response(wire.dumps(body), http_status, headers, "application/json")
