"""An eMSP for the sandbox to talk to: it registers, commands, and writes down all that reaches it, over real HTTP."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI, Request, Response

from charging.ocpi import wire
from charging.sandbox.app import create_app
from charging.sandbox.settings import SandboxSettings
from tests.serving import serve
from tests.waiting import eventually

Body = dict[str, Any]

TOKEN_A = "token-a"
TOKEN_B = "token-b"
MODULES = ("sessions", "cdrs", "locations", "invoicereconciliation")


@dataclass(frozen=True)
class Received:
    """A message from the CPO. ``kind``: sessions, cdrs, locations or result."""

    kind: str
    method: str
    path: str
    headers: dict[str, str]
    body: Any


class Emsp:
    """The eMSP FI/RBT. ``received`` is in the order of arrival; ``answers`` (kind → status) make it refuse.

    It speaks ``version``, with messages written by hand: the converters are the sandbox's.
    """

    def __init__(self, cpo_url: str, http: httpx.AsyncClient, version: str = "2.2.1") -> None:
        self.cpo_url = cpo_url
        self.version = version
        self.url = ""
        self.token = TOKEN_A
        self.http = http
        self.received: list[Received] = []
        self.handshakes: list[Received] = []
        self.answers: dict[str, int] = {}
        self.authorizations: dict[str, Body] = {}  # AuthorizationInfo by uid; of others we have never heard
        self.versions: Any = None  # replaces our versions, to spoil the handshake
        self.app = FastAPI()
        self.app.add_api_route("/versions", self._versions, methods=["GET"])
        self.app.add_api_route("/ocpi/{version}", self._details, methods=["GET"])
        self.app.add_api_route("/{kind}/{rest:path}", self._receive, methods=["PUT", "PATCH", "POST"])
        self.app.add_api_route("/{kind}", self._receive, methods=["POST"])

    # ---- What the CPO calls ----

    async def _versions(self, request: Request) -> Any:
        self._note_handshake(request)
        offered = [{"version": "2.0", "url": "http://nowhere/"}]
        offered += [{"version": number, "url": f"{self.url}/ocpi/{number}"} for number in ("2.1.1", "2.2.1", "2.3.0")]
        return _envelope(offered if self.versions is None else self.versions)

    async def _details(self, request: Request, version: str) -> Any:
        self._note_handshake(request)
        role = {} if version == "2.1.1" else {"role": "RECEIVER"}
        endpoints = [{"identifier": m, **role, "url": f"{self.url}/{m}"} for m in MODULES]
        endpoints.append({"identifier": "tokens", **(role and {"role": "SENDER"}), "url": f"{self.url}/tokens"})
        return _envelope({"version": version, "endpoints": endpoints})

    def _note_handshake(self, request: Request) -> None:
        self.handshakes.append(Received("handshake", request.method, request.url.path, dict(request.headers), None))

    async def _receive(self, request: Request, kind: str) -> Response:
        body = wire.loads(await request.body())
        self.received.append(Received(kind, request.method, request.url.path, dict(request.headers), body))
        if kind == "tokens" and kind not in self.answers:
            return self._authorization(request.path_params["rest"].partition("/")[0])
        return Response(wire.dumps(_envelope()), self.answers.get(kind, 200), media_type="application/json")

    def _authorization(self, uid: str) -> Response:
        info = self.authorizations.get(uid)
        unknown = wire.envelope(now=datetime.now(UTC), status_code=wire.UNKNOWN_TOKEN)
        return Response(wire.dumps(_envelope(info) if info else unknown), 200 if info else 404)

    # ---- What it calls ----

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A call of the CPO's OCPI API, ``path`` below our version of it."""
        url = f"{self.cpo_url}/ocpi/cpo/{self.version}{path}"
        return await self.http.request(method, url, headers={"Authorization": self.authorization}, **options)

    @property
    def authorization(self) -> str:
        return f"Token {self.token}" if self.version == "2.1.1" else wire.encode_token(self.token)

    def credentials(self, **role: Any) -> Body:
        party = {"business_details": {"name": "Robots"}, "party_id": "RBT", "country_code": "FI"} | role
        roles = party if self.version == "2.1.1" else {"roles": [{"role": "EMSP"} | party]}
        return {"token": TOKEN_B, "url": f"{self.url}/versions", **roles}

    async def register(self) -> None:
        answer = await self.call("POST", "/credentials", json=self.credentials())
        self.token = answer.json()["data"]["token"]

    def start_body(self, evse_uid: str = "3256", reference: str = "REF", **fields: Any) -> Body:
        if self.version == "2.1.1":
            return self._start_body_211(evse_uid, reference) | fields
        token = {
            "country_code": "FI",
            "party_id": "RBT",
            "uid": "UID1",
            "type": "AD_HOC_USER",
            "contract_id": "FI-RBT-C1",
            "issuer": "Robots",
            "valid": True,
            "whitelist": "NEVER",
            "last_updated": "2026-01-01T00:00:00Z",
        }
        return {
            "response_url": f"{self.url}/result/START_SESSION/{reference}",
            "token": token,
            "location_id": "LOC1",
            "evse_uid": evse_uid,
            "connector_id": "1",
            "authorization_reference": reference,
            **fields,
        }

    def _start_body_211(self, evse_uid: str, reference: str) -> Body:
        token = {
            "uid": "UID1",
            "type": "OTHER",
            "auth_id": "FI-RBT-C1",
            "issuer": "Robots",
            "valid": True,
            "whitelist": "NEVER",
            "last_updated": "2026-01-01T00:00:00Z",
        }
        url = f"{self.url}/result/START_SESSION/{reference}"
        return {"response_url": url, "token": token, "location_id": "LOC1", "evse_uid": evse_uid}

    async def start(self, evse_uid: str = "3256", reference: str = "REF", **fields: Any) -> Any:
        """START_SESSION; the synchronous result."""
        body = self.start_body(evse_uid, reference, **fields)
        return (await self.call("POST", "/commands/START_SESSION", json=body)).json()["data"]["result"]

    async def stop(self, session_id: str) -> Any:
        body = {"response_url": f"{self.url}/result/STOP_SESSION/1", "session_id": session_id}
        return (await self.call("POST", "/commands/STOP_SESSION", json=body)).json()["data"]["result"]

    async def limit(self, session_id: str, watts: int) -> Any:
        profile = {"charging_rate_unit": "W", "charging_profile_period": [{"start_period": 0, "limit": watts}]}
        profile["start_date_time"] = wire.format_datetime(datetime.now(UTC))
        body = {"charging_profile": profile, "response_url": f"{self.url}/result/SET_PROFILE/1"}
        return (await self.call("PUT", f"/chargingprofiles/{session_id}", json=body)).json()["data"]["result"]

    async def unlimit(self, session_id: str) -> Any:
        query = {"response_url": f"{self.url}/result/CLEAR_PROFILE/1"}
        return (await self.call("DELETE", f"/chargingprofiles/{session_id}", params=query)).json()["data"]["result"]

    async def show_limit(self, session_id: str) -> Any:
        query = {"response_url": f"{self.url}/result/ACTIVE_PROFILE/1", "duration": 3600}
        return (await self.call("GET", f"/chargingprofiles/{session_id}", params=query)).json()["data"]["result"]

    async def fault(self, when: str, kind: str, **parameters: Any) -> None:
        answer = await self.http.post(f"{self.cpo_url}/admin/faults", json={"when": when, "kind": kind, **parameters})
        assert answer.status_code == 200, answer.text

    async def admin(self, what: str, **body: Any) -> Any:
        answer = await self.http.post(f"{self.cpo_url}/admin/{what}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def quirks(self, *quirks: str) -> None:
        await self.admin("quirks", quirks=quirks)

    async def records(self) -> Any:
        return (await self.http.get(f"{self.cpo_url}/admin/records")).json()

    async def pulled(self, module: str) -> Any:
        return (await self.call("GET", f"/{module}", params={"date_from": "2026-01-01T00:00:00Z"})).json()["data"]

    # ---- What it has seen ----

    def of(self, kind: str) -> list[Received]:
        return [message for message in self.received if message.kind == kind]

    async def swipe(self, uid: str = "CARD1", evse: str = "3256", **fields: Any) -> Any:
        """A card is held to a charger; what the CPO makes of it."""
        return await self.admin("swipe", uid=uid, evse=evse, **fields)

    def sessions(self, status: str | None = None) -> list[Received]:
        return [m for m in self.of("sessions") if status is None or m.body.get("status") == status]

    @property
    def results(self) -> list[str]:
        return [message.body["result"] for message in self.of("result")]

    def order(self) -> list[str]:
        """What came, in order, in one word each: the status, PATCH, CDR, or result's value."""
        return [_word(message) for message in self.received if message.kind in ("sessions", "cdrs", "result")]

    async def seen(self, status: str, number: int = 1, within_s: float = 10) -> Received:
        """The session push number ``number`` with this status, awaited."""
        await eventually(lambda: len(self.sessions(status)) >= number, within_s=within_s, describe=self._describe)
        return self.sessions(status)[number - 1]

    async def until(self, kind: str, number: int = 1) -> Received:
        """The message number ``number`` of a kind, awaited."""
        await eventually(lambda: len(self.of(kind)) >= number, describe=self._describe)
        return self.of(kind)[number - 1]

    async def updates(self, number: int = 1) -> list[Received]:
        """``number`` PATCHes, awaited."""

        def patches() -> list[Received]:
            return [m for m in self.of("sessions") if m.method == "PATCH"]

        await eventually(lambda: len(patches()) >= number, describe=self._describe)
        return patches()

    async def charging(self, evse_uid: str = "3256", reference: str = "REF") -> str:
        """Start, and wait until it charges. The session's id."""
        assert await self.start(evse_uid, reference) == "ACCEPTED"
        await eventually(lambda: self._active(reference), describe=self._describe)
        session_id: str = self._active(reference)[0].body["id"]
        return session_id

    def _active(self, reference: str) -> list[Received]:
        return [m for m in self.sessions("ACTIVE") if m.body.get("authorization_reference") == reference]

    async def silence(self, seconds: float = 0.4) -> None:
        """Let time pass in which something is *not* to happen: several times what the sandbox would need."""
        await asyncio.sleep(seconds)

    def _describe(self) -> str:
        return f"seen: {self.order()}"


def _word(message: Received) -> str:
    if message.kind == "sessions":
        return str(message.body.get("status", "PATCH"))
    return "CDR" if message.kind == "cdrs" else f"result {message.body['result']}"


def _envelope(data: Any = None) -> Body:
    return wire.envelope(data, now=datetime.now(UTC))


def quick(**changes: Any) -> SandboxSettings:
    """Settings under which a session takes a second."""
    pace = {
        "result_delay_s": 0.05,
        "start_delay_s": 0.1,
        "stop_delay_s": 0.05,
        "push_interval_s": 0.1,
        "cdr_delay_s": 0.05,
        "linger_s": 0.2,
        "speed": 60,
    }
    return SandboxSettings(token=TOKEN_A, **(pace | changes))


def plain_http() -> httpx.AsyncClient:
    """A client for loopback. Reading the certificates of the world for each test would cost more than the test."""
    return httpx.AsyncClient(trust_env=False, timeout=10, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


@asynccontextmanager
async def sandbox(data: Path, version: str = "2.2.1", **changes: Any) -> AsyncIterator[Emsp]:
    """A running sandbox and an eMSP that is registered with it, and that is there until the sandbox has ended."""
    async with plain_http() as http:
        emsp = Emsp("", http, version)
        async with serve(emsp.app) as emsp.url, serve(create_app(quick(**changes), data)) as emsp.cpo_url:
            await emsp.register()
            yield emsp
