"""``ScriptedCpo``: a CPO under the test's control, over real HTTP on loopback.

::

    async with ScriptedCpo() as cpo:
        connection = await cpo.befriend(database, settings)        # or a real handshake: POST /ocpi/register
        cpo.on("START_SESSION", answer({"result": "REJECTED", "timeout": 0}))
        ...
        assert cpo.starts[0]["evse_uid"] == "3256"
        await cpo.push_session(cpo.session(status="ACTIVE"))       # to our API at cpo.emsp_url
        await cpo.send_result(cpo.starts[0]["response_url"], "ACCEPTED")

Its objects and what it has ``received`` are as OCPI 2.2.1 has them; ``ScriptedCpo(version="2.1.1")`` has 2.1.1 on the
wire, and a test may add to ``versions`` what it offers besides.

Steps that ``on`` knows: versions, version, credentials, locations, tariffs, sessions, cdrs, hubclientinfo,
START_SESSION, STOP_SESSION, RESERVE_NOW, CANCEL_RESERVATION, UNLOCK_CONNECTOR, SET_PROFILE, CLEAR_PROFILE,
ACTIVE_PROFILE, PREFERENCES, PUT_TOKEN, PATCH_TOKEN. Scripted answers are used in turn, the last one for ever.
"""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from charging.ocpi import wire
from charging.ocpi.models import Credentials, Endpoint
from charging.ocpi.versions import Kind, dialect
from charging.pulling import Module, Pull
from charging.settings import Settings
from charging.store.connections import Connection, ConnectionStore, form_of
from charging.store.engine import Database
from charging.store.locations import LocationStore
from charging.store.sync_states import SyncStateStore
from charging.store.tariffs import TariffStore
from tests.serving import serve

Body = dict[str, Any]

ROLE: Body = {
    "role": "CPO",
    "country_code": "FI",
    "party_id": "VRT",
    "business_details": {"name": "Virta"},
}
ENDPOINTS = (
    ("credentials", "SENDER"),
    ("locations", "SENDER"),
    ("tariffs", "SENDER"),
    ("sessions", "SENDER"),
    ("cdrs", "SENDER"),
    ("tokens", "RECEIVER"),
    ("commands", "RECEIVER"),
    ("chargingprofiles", "RECEIVER"),
)
ACCEPTED: Body = {"result": "ACCEPTED", "timeout": 30}


@dataclass(frozen=True)
class Recorded:
    """One request that the CPO received. ``headers`` have lower-case names; ``token`` is decoded."""

    step: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any

    @property
    def token(self) -> str | None:
        candidates = wire.token_candidates(self.headers.get("authorization"))
        return candidates[0] if candidates else None


@dataclass(frozen=True)
class Step:
    """What the CPO does with one request. ``data`` None leaves it to the default of the step."""

    data: Any = None
    status_code: int = wire.SUCCESS
    http_status: int = 200
    delay_s: float = 0
    raw: bytes | None = None
    media_type: str = "application/json"
    reset: bool = False
    drips: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_for: asyncio.Event | None = None


def answer(data: Any = None, **options: Any) -> Step:
    """An envelope with ``data``; ``status_code``, ``http_status``, ``delay_s``, ``headers``, ``wait_for`` as wanted."""
    return Step(data, **options)


def refuse(status_code: int, http_status: int = 200) -> Step:
    """An envelope without data that says no."""
    return Step(status_code=status_code, http_status=http_status)


def html(http_status: int = 200, **options: Any) -> Step:
    """What a proxy in between says; ``headers`` as wanted."""
    return Step(raw=b"<html>Bad gateway</html>", media_type="text/html", http_status=http_status, **options)


def reset() -> Step:
    """The request was read, and the connection breaks in the middle of the answer."""
    return Step(reset=True)


def drip() -> Step:
    """An answer that comes byte by byte, for half a minute."""
    return Step(drips=True)


class _Broken(Response):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})


class _Dripping(Response):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(300):
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await asyncio.sleep(0.1)


_KINDS: Mapping[str, Kind] = {"locations": "location", "tariffs": "tariff", "sessions": "session", "cdrs": "cdr"}


class ScriptedCpo:
    """One CPO (FI/VRT, Virta) with a location ``LOC1`` whose EVSEs are ``FI*VRT*E12345`` and ``FI*VRT*E12346``."""

    def __init__(self, *, token_a: str = "TOKEN-A-of-the-scripted-cpo", version: str = wire.VERSION) -> None:
        self.dialect = dialect(version)
        self.versions = [version]
        self.token_a = token_a
        self.token_c: str | None = None  # what we expect of the eMSP after the handshake
        self.emsp_token: str | None = None  # what we send to the eMSP
        self.emsp_url = ""  # base URL of the eMSP's API; learnt in the handshake
        self.role = ROLE
        self.hub_party_id: str | None = None
        self.requests: list[Recorded] = []
        self.locations: list[Body] = [location()]
        self.tariffs: list[Body] = [tariff()]
        self.sessions: list[Body] = []
        self.cdrs: list[Body] = []
        self.hubclientinfo: list[Body] = []
        self.endpoints = [(module, role) for module, role in ENDPOINTS if module in self.dialect.modules]
        self.page_size = 50
        self.url = ""
        self._script: dict[str, list[Step]] = {}
        self._stack = AsyncExitStack()
        self._http = httpx.AsyncClient(timeout=10, trust_env=False, verify=False)  # no TLS on loopback

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._http)
        self.url = await self._stack.enter_async_context(serve(self._app()))
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    # ---- What tests look at and change ----

    def become_a_hub(self, *clients: Body) -> None:
        """The hub SE/HUB with ``clients`` (``client_info``) behind it, each with a Location and an EVSE ``E-party``."""
        self.role = {**ROLE, "role": "HUB", "country_code": "SE", "party_id": "HUB"}
        self.endpoints.append(("hubclientinfo", "SENDER"))
        self.hubclientinfo = list(clients)
        self.tariffs = []
        self.locations = [
            location(id=f"LOC-{party}", party_id=party, evses=[evse(uid=f"E-{party}", evse_id=f"FI*{party}*E1")])
            for party in (client["party_id"] for client in clients)
        ]

    @property
    def versions_url(self) -> str:
        return f"{self.url}/ocpi/versions"

    def on(self, step: str, *answers: Step) -> None:
        """Script the answers to ``step``, in turn; the last one stays. No answers: the default again."""
        self._script[step] = list(answers)

    def received(self, step: str) -> list[Recorded]:
        """The requests of one kind, in order."""
        return [request for request in self.requests if request.step == step]

    @property
    def starts(self) -> list[Body]:
        """The bodies of all START_SESSION commands received."""
        return [self.dialect.read("start_session", request.body) for request in self.received("START_SESSION")]

    @property
    def stops(self) -> list[Body]:
        """The bodies of all STOP_SESSION commands received."""
        return [request.body for request in self.received("STOP_SESSION")]

    # ---- Objects ----

    def session(
        self, *, id: str = "S1", status: str = "ACTIVE", kwh: float = 0, start: int = -1, **fields: Any
    ) -> Body:
        """A Session of the START_SESSION number ``start`` (-1: the newest; its token and authorization_reference)."""
        command = self.starts[start] if self.starts else {}
        return {
            "country_code": self.role["country_code"],
            "party_id": self.role["party_id"],
            "id": id,
            "start_date_time": now(),
            "kwh": kwh,
            "cdr_token": _cdr_token(command),
            "auth_method": "COMMAND",
            "location_id": command.get("location_id", "LOC1"),
            "evse_uid": command.get("evse_uid", "3256"),
            "connector_id": command.get("connector_id", "1"),
            "currency": "EUR",
            "status": status,
            "last_updated": now(),
            **_reference(command),
            **fields,
        }

    def cdr(self, session: Body, *, id: str = "CDR1", total_cost: float = 0.5, **fields: Any) -> Body:
        """A CDR of ``session``: energy only, so that a test that prices it gives its own parts."""
        started = session["start_date_time"]
        ended = session.get("end_date_time") or _half_an_hour_after(started)
        return {
            "country_code": session["country_code"],
            "party_id": session["party_id"],
            "id": id,
            "start_date_time": started,
            "end_date_time": ended,
            "session_id": session["id"],
            "cdr_token": session["cdr_token"],
            "auth_method": "COMMAND",
            **({"authorization_reference": r} if (r := session.get("authorization_reference")) else {}),
            "cdr_location": CDR_LOCATION,
            "currency": session["currency"],
            "charging_periods": [
                {"start_date_time": started, "dimensions": [{"type": "ENERGY", "volume": session["kwh"]}]}
            ],
            "total_cost": {"excl_vat": total_cost, "incl_vat": total_cost},
            "total_energy": session["kwh"],
            "total_time": 0.5,
            "last_updated": now(),
            **fields,
        }

    # ---- The CPO calls the eMSP ----

    async def push_session(self, session: Body) -> httpx.Response:
        """PUT a Session to the eMSP."""
        return await self.call("PUT", self._session_path(session), self.dialect.write("session", session))

    async def patch_session(self, session: Body, changes: Body) -> httpx.Response:
        """PATCH a Session at the eMSP; ``last_updated`` is added unless given."""
        changes = self.dialect.write("session", {"last_updated": now(), **changes})
        return await self.call("PATCH", self._session_path(session), changes)

    def _session_path(self, session: Body) -> str:
        return wire.join_url("sessions", session["country_code"], session["party_id"], session["id"])

    async def post_cdr(self, cdr: Body) -> httpx.Response:
        """POST a CDR to the eMSP."""
        return await self.call("POST", "cdrs", self.dialect.write("cdr", cdr))

    async def send_result(self, response_url: str, result: str, **fields: Any) -> httpx.Response:
        """POST the asynchronous result of a command or charging profile."""
        body = {"result": result, **fields}
        is_command = "/commands/" in response_url
        return await self.call("POST", response_url, self.dialect.write("command_result", body) if is_command else body)

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """Any request to the eMSP: ``path`` below ``/ocpi/emsp/{version}``, or a whole URL. ``headers`` are added.

        ``body`` as bytes is sent as it is.
        """
        assert self.emsp_url or "://" in path, "there was no handshake with the eMSP, or it failed"
        url = path if "://" in path else f"{self.emsp_url}/ocpi/emsp/{self.dialect.version}/{path}"
        headers = {
            **({wire.REQUEST_ID: str(uuid.uuid4()), wire.CORRELATION_ID: str(uuid.uuid4())} if self._is_routed else {}),
            **({wire.AUTHORIZATION: wire.encode_token(self.emsp_token, self._form)} if self.emsp_token else {}),
            **options.pop("headers", {}),
        }
        content = None if body is None else body if isinstance(body, bytes) else wire.dumps(body)
        return await self._http.request(method, url, headers=headers, content=content, **options)

    @property
    def _is_routed(self) -> bool:
        return self.dialect.has_routing

    @property
    def _form(self) -> wire.TokenForm:
        return form_of(self.dialect)

    # ---- Getting to know each other ----

    async def befriend(
        self, database: Database, settings: Settings, *, name: str = "virta", power_factor: int = 1
    ) -> Connection:
        """Make this CPO an active connection of ``database`` with its locations and tariffs, without the handshake."""
        store = ConnectionStore(database, settings.secret_keys)
        _, self.emsp_token = await store.begin(name, self.versions_url, power_factor=power_factor)
        self.emsp_url = settings.public_url
        connection = await store.activate(
            name,
            Credentials.model_validate(self.dialect.read("credentials", self._credentials())),
            version=self.dialect.version,
            endpoints=[Endpoint.model_validate(e) for e in self._version()["endpoints"]],
            server_token=self.emsp_token,
        )
        await TariffStore(database).put_tariffs(connection.id, self.tariffs)
        await LocationStore(database).put_locations(connection.id, self.locations)
        await self._as_just_pulled(database, connection)
        return connection

    async def _as_just_pulled(self, database: Database, connection: Connection) -> None:
        for module in Module:
            at = datetime.now(UTC)
            pull = Pull(connection_id=connection.id, module=module, full=True, started_at=at, is_over=True)
            await SyncStateStore(database).record(pull)

    async def register_at(self, versions_url: str, token_a: str) -> httpx.Response:
        """The CPO starts the handshake, with a TOKEN_A that the eMSP's admin gave out."""
        self.emsp_token = token_a
        versions = (await self.call("GET", versions_url)).json()["data"]
        detail_url = next(v["url"] for v in versions if v["version"] == self.dialect.version)
        endpoints = (await self.call("GET", detail_url)).json()["data"]["endpoints"]
        credentials_url = next(e["url"] for e in endpoints if e["identifier"] == "credentials")
        response = await self.call("POST", credentials_url, self._credentials())
        if response.json()["status_code"] == wire.SUCCESS:
            self._learn(response.json()["data"])
        return response

    def _learn(self, credentials: Body) -> None:
        self.emsp_token = credentials["token"]
        self.emsp_url = credentials["url"].removesuffix("/ocpi/versions")

    def _credentials(self) -> Body:
        self.token_c = f"TOKEN-C-{uuid.uuid4()}"
        hub = {"hub_party_id": self.hub_party_id} if self.hub_party_id else {}
        ours = {"token": self.token_c, "url": self.versions_url, "roles": [self.role], **hub}
        return self.dialect.write("credentials", ours)

    def _version(self) -> Body:
        endpoints = [
            {"identifier": module, "role": role, "url": f"{self.url}/ocpi/{self.dialect.version}/{module}"}
            for module, role in self.endpoints
        ]
        return self.dialect.write("version_detail", {"version": self.dialect.version, "endpoints": endpoints})

    # ---- The server ----

    def _app(self) -> Starlette:
        base = "/ocpi/{version}"
        routes = [
            Route("/ocpi/versions", self._serve("versions", self._versions), methods=["GET"]),
            Route(base, self._serve("version", lambda r, b: self._version()), methods=["GET"]),
            Route(f"{base}/credentials", self._serve_credentials, methods=["POST", "PUT", "DELETE"]),
        ]
        for module in ("locations", "tariffs", "sessions", "cdrs", "hubclientinfo"):
            routes.append(Route(f"{base}/{module}", self._serve_list(module), methods=["GET"]))
        for command in ("START_SESSION", "STOP_SESSION", "RESERVE_NOW", "CANCEL_RESERVATION", "UNLOCK_CONNECTOR"):
            handler = self._serve(command, lambda r, b: self.dialect.write("command_response", ACCEPTED))
            routes.append(Route(f"{base}/commands/{command}", handler, methods=["POST"]))
        for step, method in (("SET_PROFILE", "PUT"), ("CLEAR_PROFILE", "DELETE"), ("ACTIVE_PROFILE", "GET")):
            handler = self._serve(step, lambda r, b: ACCEPTED)
            routes.append(Route(f"{base}/chargingprofiles/{{session_id:path}}", handler, methods=[method]))
        preferences = self._serve("PREFERENCES", lambda r, b: "ACCEPTED")
        routes.append(Route(f"{base}/sessions/{{id:path}}/charging_preferences", preferences, methods=["PUT"]))
        for step, method in (("PUT_TOKEN", "PUT"), ("PATCH_TOKEN", "PATCH")):
            handler = self._serve(step, lambda r, b: None)
            routes.append(Route(f"{base}/tokens/{{cc}}/{{party}}/{{uid}}", handler, methods=[method]))
        return Starlette(routes=routes)

    def _versions(self, request: Request, body: Any) -> Any:
        return [{"version": version, "url": f"{self.url}/ocpi/{version}"} for version in ("2.0", *self.versions)]

    def _serve(self, step: str, default: Callable[[Request, Any], Any]) -> Callable[..., Any]:
        async def handle(request: Request) -> Response:
            recorded = await self._record(step, request)
            known = [wire.encode_token(token, self._form) for token in (self.token_a, self.token_c) if token]
            if recorded.headers.get("authorization") not in known:
                return _envelope(Step(status_code=wire.CLIENT_ERROR, http_status=401), None)
            return await self._perform(step, lambda: default(request, recorded.body))

        return handle

    def _serve_list(self, module: str) -> Callable[..., Any]:
        async def handle(request: Request) -> Response:
            await self._record(module, request)
            objects: list[Body] = getattr(self, module)
            date_from = request.query_params.get("date_from")
            if date_from:
                since = wire.parse_datetime(date_from)
                objects = [o for o in objects if wire.parse_datetime(o["last_updated"]) >= since]
            offset = int(request.query_params.get("offset", 0))
            page = objects[offset : offset + self.page_size]
            kind = _KINDS.get(module)
            written = [self.dialect.write(kind, item) if kind else item for item in page]
            response = await self._perform(module, lambda: written)
            response.headers[wire.TOTAL_COUNT] = str(len(objects))
            response.headers[wire.LIMIT] = str(self.page_size)
            if offset + self.page_size < len(objects) and "Link" not in response.headers:
                url = request.url.include_query_params(offset=offset + self.page_size)
                response.headers["Link"] = f'<{url}>; rel="next"'
            return response

        return handle

    async def _serve_credentials(self, request: Request) -> Response:
        recorded = await self._record("credentials", request)
        if request.method == "DELETE":
            return await self._perform("credentials", lambda: None)
        if not self._script.get("credentials"):
            self._learn(recorded.body)
            # Inside the handshake the CPO calls back with the token that it was just given.
            callback = await self.call("GET", recorded.body["url"])
            if callback.status_code != 200:
                return _envelope(Step(status_code=wire.CANNOT_USE_CLIENT_API), None)
        return await self._perform("credentials", self._credentials)

    async def _record(self, step: str, request: Request) -> Recorded:
        raw = await request.body()
        recorded = Recorded(
            step,
            request.method,
            request.url.path,
            dict(request.query_params),
            dict(request.headers),
            wire.loads(raw) if raw else None,
        )
        self.requests.append(recorded)
        return recorded

    async def _perform(self, step: str, default: Callable[[], Any]) -> Response:
        script = self._script.get(step) or [Step()]
        current = script.pop(0) if len(script) > 1 else script[0]
        if current.wait_for is not None:
            await current.wait_for.wait()
        if current.delay_s:
            await asyncio.sleep(current.delay_s)
        if current.reset:
            return _Broken()
        if current.drips:
            return _Dripping()
        if current.raw is not None:
            return Response(current.raw, current.http_status, dict(current.headers), current.media_type)
        is_fine = current.data is None and current.status_code == wire.SUCCESS and current.http_status == 200
        return _envelope(current, default() if is_fine else current.data)


def _envelope(step: Step, data: Any) -> Response:
    body = wire.envelope(data, now=datetime.now(UTC), status_code=step.status_code)
    return Response(wire.dumps(body), step.http_status, dict(step.headers), "application/json")


def now() -> str:
    """This moment as OCPI DateTime, to the millisecond."""
    return wire.format_datetime(datetime.now(UTC))


def _half_an_hour_after(started: str) -> str:
    """Long enough for what a test's car takes in no time."""
    return wire.format_datetime(wire.parse_datetime(started) + timedelta(minutes=30))


def _cdr_token(command: Body) -> Body:
    token = command.get("token", {})
    return {
        "country_code": token.get("country_code", "FI"),
        "party_id": token.get("party_id", "RBT"),
        "uid": token.get("uid", "NOBODYS0TOKEN"),
        "type": token.get("type", "AD_HOC_USER"),
        "contract_id": token.get("contract_id", "FI-RBT-C00000001-X"),
    }


def _reference(command: Body) -> Body:
    reference = command.get("authorization_reference")
    return {"authorization_reference": reference} if reference else {}


CDR_LOCATION: Body = {
    "id": "LOC1",
    "address": "Testikatu 1",
    "city": "Helsinki",
    "country": "FIN",
    "coordinates": {"latitude": "60.169857", "longitude": "24.938379"},
    "evse_uid": "3256",
    "evse_id": "FI*VRT*E12345",
    "connector_id": "1",
    "connector_standard": "IEC_62196_T2_COMBO",
    "connector_format": "CABLE",
    "connector_power_type": "DC",
}


def client_info(party_id: str, status: str = "CONNECTED", **fields: Any) -> Body:
    """The ClientInfo of the CPO FI/``party_id`` behind a hub."""
    given = {"party_id": party_id, "country_code": "FI", "role": "CPO", "status": status, "last_updated": now()}
    return {**given, **fields}


def connector(**fields: Any) -> Body:
    """A CCS connector, 150 kW DC."""
    return {
        "id": "1",
        "standard": "IEC_62196_T2_COMBO",
        "format": "CABLE",
        "power_type": "DC",
        "max_voltage": 920,
        "max_amperage": 200,
        "max_electric_power": 150000,
        "tariff_ids": ["T1"],
        "last_updated": "2026-01-01T00:00:00Z",
        **fields,
    }


def evse(**fields: Any) -> Body:
    """The EVSE ``FI*VRT*E12345``, uid 3256, able to take profiles."""
    return {
        "uid": "3256",
        "evse_id": "FI*VRT*E12345",
        "status": "AVAILABLE",
        "capabilities": ["REMOTE_START_STOP_CAPABLE", "CHARGING_PROFILE_CAPABLE"],
        "connectors": [connector()],
        "last_updated": "2026-01-01T00:00:00Z",
        **fields,
    }


def type2_evse() -> Body:
    """The EVSE ``FI*VRT*E12346``, uid 3257: Type2, 22 kW AC, three phases."""
    plug = connector(
        standard="IEC_62196_T2", power_type="AC_3_PHASE", max_voltage=230, max_amperage=32, max_electric_power=22000
    )
    return evse(uid="3257", evse_id="FI*VRT*E12346", connectors=[plug])


def location(**fields: Any) -> Body:
    """The Location ``LOC1`` with both EVSEs."""
    return {
        "country_code": "FI",
        "party_id": "VRT",
        "id": "LOC1",
        "publish": True,
        "name": "Test site",
        "address": "Testikatu 1",
        "city": "Helsinki",
        "country": "FIN",
        "coordinates": {"latitude": "60.169857", "longitude": "24.938379"},
        "evses": [evse(), type2_evse()],
        "time_zone": "Europe/Helsinki",
        "last_updated": "2026-01-01T00:00:00Z",
        **fields,
    }


def tariff(**fields: Any) -> Body:
    """The Tariff ``T1``: 0.25 EUR/kWh and 24 % VAT, whole watt-hours."""
    component = {"type": "ENERGY", "price": 0.25, "vat": 24, "step_size": 1}
    return {
        "country_code": "FI",
        "party_id": "VRT",
        "id": "T1",
        "currency": "EUR",
        "elements": [{"price_components": [component]}],
        "last_updated": "2026-01-01T00:00:00Z",
        **fields,
    }
