"""One charging session, driven from both ends: the robot over REST, the CPO over OCPI."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Self

from benches.http import Answer, Connection, request
from benches.lean_cpo import Body
from benches.stack import Stack
from charging import names
from charging.ocpi import wire
from tests.peer import CDR_LOCATION
from tests.stack import user_token
from tests.waiting import eventually

PATIENCE_S = 60
_OCPI = "/ocpi/emsp/2.2.1"


@dataclass
class Charge:
    """A session at the EVSE ``number``. Its robot and its CPO share one connection, for each waits for the other."""

    stack: Stack
    number: int
    connection: Connection
    id: str
    start: Body
    session: Body

    @classmethod
    async def begin(cls, stack: Stack, number: int, **wishes: Any) -> Self:
        """POST /start, and wait for START_SESSION to arrive."""
        connection = await Connection.open(stack.api)
        answer = await connection.ask(start_request(number, **wishes))
        return await cls.ordered(stack, number, connection, answer)

    @classmethod
    async def ordered(cls, stack: Stack, number: int, connection: Connection, answer: Answer) -> Self:
        """The session whose POST /start got ``answer``; wait for START_SESSION to arrive."""
        session_id = answer.json()["session_id"]
        start = await stack.cpo.arrived("START_SESSION", str(number))
        return cls(stack, number, connection, session_id, start, _session(number, start))

    async def accept_start(self) -> None:
        """The charge point acknowledged START_SESSION."""
        await self._result(self.start)

    async def plug_in(self) -> None:
        """PUT of the Session, PENDING."""
        await self._put({"status": "PENDING"})

    async def flow(self) -> None:
        """PUT of the Session, ACTIVE."""
        await self._put({"status": "ACTIVE", "kwh": 1.5})

    async def meter(self, kwh: float) -> None:
        """PATCH of the Session: more energy."""
        changes = {"kwh": kwh, "last_updated": now()}
        self.session |= changes  # the bill asks for what the meter said
        await self._ocpi("PATCH", session_path(self.session), changes)

    async def ask_stop(self) -> None:
        """POST /stop."""
        (await self.connection.ask(self.stop_request())).json()

    async def accept_stop(self) -> None:
        """STOP_SESSION arrived, and the charge point acknowledged it."""
        await self._result(await self.stack.cpo.arrived("STOP_SESSION", self.session["id"]))

    async def end(self) -> None:
        """PUT of the Session, COMPLETED."""
        await self._put({"status": "COMPLETED", "end_date_time": now()})

    async def bill(self) -> None:
        """POST of the CDR."""
        await self._ocpi("POST", "cdrs", _cdr(self.session))

    async def completed(self) -> None:
        """Wait for the workflow's end, which is after the receipt. Hang up."""
        handle = self.stack.temporal.get_workflow_handle(names.charging_session_id(self.id))
        assert await handle.result() == "completed"
        self.connection.close()

    async def whole(self) -> None:
        """The session from the order to the receipt."""
        for step in (self.accept_start, self.plug_in, self.flow, self.ask_stop, self.accept_stop, self.end, self.bill):
            await step()
        await self.completed()

    async def until(self, **expected: Any) -> None:
        """Wait until the robot's status says so."""

        async def matches() -> bool:
            status: Body = (await self.connection.ask(self.status_request())).json()
            return expected.items() <= status.items()

        await eventually(matches, within_s=PATIENCE_S, describe=lambda: f"wanted {expected}")

    async def receipt(self) -> Body:
        """GET /receipt, with a connection of its own."""
        connection = await Connection.open(self.stack.api)
        body: Body = (await connection.ask(self.receipt_request())).json()
        connection.close()
        return body

    async def set_profile(self, kw: float) -> Body:
        """POST /charging-profile; the charge point accepts it."""
        other = await Connection.open(self.stack.api)
        answering = asyncio.create_task(other.ask(self.profile_request(kw)))
        await self.accept_profile()
        body: Body = (await answering).json()
        other.close()
        return body

    def profile_request(self, kw: float) -> bytes:
        """POST /charging-profile; it is answered once the charge point has."""
        path = f"/v1/sessions/{self.id}/charging-profile"
        return request("POST", path, authorization=bearer(self.number), body={"max_charge_rate_kw": kw})

    async def accept_profile(self) -> None:
        """A charging profile arrived, and the charge point accepted it."""
        await self._result(await self.stack.cpo.arrived("PROFILE", self.session["id"]))

    def stop_request(self) -> bytes:
        """POST /stop."""
        return request("POST", "/v1/sessions/stop", authorization=bearer(self.number), body={"session_id": self.id})

    def status_request(self) -> bytes:
        """GET /status."""
        return request("GET", f"/v1/sessions/{self.id}/status", authorization=bearer(self.number))

    def receipt_request(self) -> bytes:
        """GET /receipt."""
        return request("GET", f"/v1/sessions/{self.id}/receipt", authorization=bearer(self.number))

    def push_request(self, method: str, kwh: float) -> bytes:
        """PUT of the Session, or PATCH of its meter, with so much more energy."""
        self.session |= {"kwh": round(self.session["kwh"] + kwh, 4), "last_updated": now()}
        body = self.session if method == "PUT" else {key: self.session[key] for key in ("kwh", "last_updated")}
        path = f"{_OCPI}/{session_path(self.session)}"
        return request(method, path, authorization=cpo_authorization(self.stack), body=body)

    async def _put(self, changes: Body) -> None:
        self.session |= {**changes, "last_updated": now()}
        await self._ocpi("PUT", session_path(self.session), self.session)

    async def _result(self, command: Body) -> None:
        path = command["response_url"].partition("/ocpi/")[2]
        (await self._ask("POST", f"/ocpi/{path}", cpo_authorization(self.stack), {"result": "ACCEPTED"})).json()

    async def _ocpi(self, method: str, path: str, body: Body) -> None:
        answer = (await self._ask(method, f"{_OCPI}/{path}", cpo_authorization(self.stack), body)).json()
        assert answer["status_code"] == wire.SUCCESS, answer

    async def _ask(self, method: str, path: str, authorization: str, body: Body | None = None) -> Answer:
        return await self.connection.ask(request(method, path, authorization=authorization, body=body))


def start_request(number: int, **wishes: Any) -> bytes:
    """POST /start at the EVSE ``number``."""
    body = {"evse_id": f"FI-VRT-E{number:05}", "connector_type": "CCS", **wishes}
    path, key = "/v1/sessions/start", f"bench-{number}"
    return request("POST", path, authorization=bearer(number), body=body, idempotency_key=key)


@cache
def bearer(number: int) -> str:
    """A user of its own for every session: no wallet is a bottleneck."""
    return f"Bearer {user_token(f'user-{number}')}"


def cpo_authorization(stack: Stack) -> str:
    """What the CPO calls us with."""
    return wire.encode_token(stack.cpo.token)


def session_path(session: Body) -> str:
    """Where the CPO pushes its Session, below the module's URL."""
    return f"sessions/{session['country_code']}/{session['party_id']}/{session['id']}"


def now() -> str:
    """This moment as an OCPI DateTime."""
    return wire.format_datetime(datetime.now(UTC))


def _session(number: int, start: Body) -> Body:
    token = {key: start["token"][key] for key in ("country_code", "party_id", "uid", "type", "contract_id")}
    return {
        "country_code": "FI",
        "party_id": "VRT",
        "id": f"S{number}",
        "start_date_time": wire.format_datetime(datetime.now(UTC) - timedelta(minutes=30)),
        "kwh": 0,
        "cdr_token": token,
        "auth_method": "COMMAND",
        "authorization_reference": start["authorization_reference"],
        "location_id": start["location_id"],
        "evse_uid": start["evse_uid"],
        "connector_id": "1",
        "currency": "EUR",
        "charging_periods": [],
        "status": "PENDING",
        "last_updated": now(),
    }


def _cdr(session: Body) -> Body:
    period = {
        "start_date_time": session["start_date_time"],
        "dimensions": [{"type": "ENERGY", "volume": session["kwh"]}],
    }
    copied = ("country_code", "party_id", "start_date_time", "end_date_time", "cdr_token", "auth_method", "currency")
    return {
        **{key: session[key] for key in (*copied, "authorization_reference")},
        "id": f"CDR-{session['id']}",
        "session_id": session["id"],
        "cdr_location": CDR_LOCATION,
        "charging_periods": [period],
        "total_cost": {"excl_vat": 0.38, "incl_vat": 0.47},
        "total_energy": session["kwh"],
        "total_time": 0.5,
        "last_updated": now(),
    }
