"""The points of a session at which something is killed: how to get a session there, hold it, and go on afterwards.

A session is brought to its point in four strides, so that many are at theirs when one kill hits them all:

1. ``prepare``  as far as a session stays by itself;
2. ``approach`` to where a fault of the sandbox holds it for some seconds (``HELD_S``);
3. ``arrive``   to where it is only while the worker is frozen;
4. ``ask``      to where it is only while Temporal is frozen too.

``proceed`` is what the robot, or the driver, does next, once everything runs again.
"""

import asyncio
from typing import Any, ClassVar
from uuid import uuid4

from sqlalchemy import select

from charging.store import tables
from tests.embedded import Embedded, Json
from tests.kill.promises import assert_completed_and_paid, assert_same_session
from tests.waiting import eventually

HELD_S = 10
TOO_LATE = "the fault let go before the kill"


class Point:
    """A session on its way to a point. Subclasses say where."""

    name: ClassVar[str]
    order: ClassVar[Json] = {}

    def __init__(self, stack: Embedded, evse_id: str) -> None:
        self.stack = stack
        self.evse_id = evse_id
        self.key = str(uuid4())
        self.session_id = ""

    async def prepare(self) -> None:
        """First stride."""

    async def approach(self) -> None:
        """Second stride."""

    async def arrive(self) -> None:
        """Third stride, with the worker frozen."""

    async def ask(self) -> None:
        """Last stride, with worker and Temporal frozen."""

    async def proceed(self) -> None:
        """After the restart: charge for a while, then stop."""
        await self.charging()
        await self.stop()

    async def assert_all_is_well(self) -> None:
        """The session has come to the one right end."""
        await assert_completed_and_paid(self.stack, self.session_id)
        await assert_same_session(self.stack, self.session_id, self.evse_id, self.key, self.order)

    # ---- Words for the strides ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """The robot's start, answered."""
        self.session_id = await self.stack.start(self.evse_id, key=self.key, **self.order)

    async def stop(self) -> None:
        """The robot's stop, answered."""
        await self.stack.stop(self.session_id)

    async def charging(self) -> None:
        """Energy flows."""
        await self.stack.until(self.session_id, status="active", energy_kwh=lambda kwh: kwh > 0)

    async def fault(self, when: str, kind: str, **more: Any) -> None:
        """Something that the sandbox will do wrong at this EVSE."""
        await self.stack.sandbox("faults", {"when": when, "kind": kind, "evse": self.evse_id, **more})

    async def recorded(self, kind: str, **fields: Any) -> Json:
        """The sandbox's record of ``kind`` with these ``fields``, as soon as there is one."""

        async def found() -> Any:
            records = (await self.stack.records())[kind]
            return [r for r in records if all(r[name] == value for name, value in fields.items())]

        (record,) = await eventually(found, every_s=0.1)
        return dict(record)

    async def column(self, name: str) -> Any:
        """A column of the session's row."""
        query = select(tables.sessions.c[name]).where(tables.sessions.c.id == self.session_id)
        ((value,),) = await self.stack.rows(query)
        return value

    async def command(self, name: str) -> tuple[str, Any]:
        """State and synchronous answer of the session's one command of this name."""
        command = tables.commands.c
        query = select(command.state, command.response)
        (row,) = await self.stack.rows(query.where(command.session_id == self.session_id, command.command == name))
        return row.state, row.response

    async def cdr_states(self) -> list[str]:
        """The states of the CDRs that are stored for the session."""
        query = select(tables.cdrs.c.state).where(tables.cdrs.c.session_id == self.session_id)
        return [state for (state,) in await self.stack.rows(query)]


class StartUnanswered(Point):
    """The API has stored the session, but neither started its workflow nor answered: the robot repeats its request."""

    name = "start-unanswered"

    async def ask(self) -> None:
        self._starting = asyncio.create_task(self.start())
        key = tables.idempotency_keys.c.key
        assert await eventually(lambda: self.stack.rows(select(key).where(key == self.key)))

    async def proceed(self) -> None:
        await self._starting
        await super().proceed()


class StartAnswered(Point):
    """POST start is answered; no worker has seen the session."""

    name = "start-answered"

    async def arrive(self) -> None:
        await self.start()


class StartInFlight(Point):
    """The CPO has START on record; its answer is still on the way."""

    name = "start-in-flight"

    async def approach(self) -> None:
        await self.fault("START_SESSION", "slow", seconds=HELD_S)
        await self.start()
        await self.recorded("starts", authorization_reference=await self.column("authorization_reference"))

    async def arrive(self) -> None:
        assert await self.command("START_SESSION") == ("sending", None), TOO_LATE


class AwaitingPlug(Point):
    """The charge point has said yes and waits for a car."""

    name = "awaiting-plug"

    async def prepare(self) -> None:
        await self.fault("START_SESSION", "unplugged")
        await self.start()
        await self.stack.until(self.session_id, phase="awaiting_plug")

    async def proceed(self) -> None:
        await self.stack.sandbox("plug", {"evse": self.evse_id})
        await super().proceed()


class Charging(Point):
    """Energy flows, and nobody has asked for the end."""

    name = "charging"

    async def prepare(self) -> None:
        await self.start()
        await self.charging()


class TargetAhead(Charging):
    """The meter runs towards the target at which the session stops itself; it may pass it during the outage."""

    name = "target-ahead"
    order: ClassVar[Json] = {"battery_target_kwh": 6.0}  # 12 s

    async def proceed(self) -> None:
        """Nobody has to do anything."""


class StopAnswered(Charging):
    """POST stop is answered; no worker has seen it."""

    name = "stop-answered"

    async def arrive(self) -> None:
        await self.stop()

    async def proceed(self) -> None:
        """The stop was asked for."""


class StopInFlight(Charging):
    """The CPO has STOP on record; its answer, and the Session's end, are still on the way."""

    name = "stop-in-flight"

    async def approach(self) -> None:
        await self.fault("STOP_SESSION", "slow", seconds=HELD_S)
        await self.fault("SESSION_COMPLETED", "late", seconds=HELD_S)
        await self.stop()
        await self.recorded("stops", session_id=await self.column("ocpi_session_id"))

    async def arrive(self) -> None:
        _state, answer = await self.command("STOP_SESSION")
        assert (answer, await self.column("cpo_status")) == (None, "ACTIVE"), TOO_LATE

    async def proceed(self) -> None:
        """The stop was asked for."""


class AwaitingCdr(Charging):
    """The CPO's Session is COMPLETED; its CDR is still to come."""

    name = "awaiting-cdr"

    async def approach(self) -> None:
        await self.fault("CDR", "late", seconds=HELD_S)
        await self.stop()
        await self.stack.until(self.session_id, status="stopping", phase="awaiting_cdr")

    async def arrive(self) -> None:
        assert not await self.cdr_states(), TOO_LATE

    async def proceed(self) -> None:
        """The CDR comes, or is asked for."""


class Settling(Charging):
    """The CDR is stored and acknowledged; nobody has settled it."""

    name = "settling"

    async def arrive(self) -> None:
        await self.stack.sandbox("end", {"session_id": await self.column("ocpi_session_id")})
        assert await eventually(self.cdr_states, every_s=0.1) == ["received"]

    async def proceed(self) -> None:
        """Nobody has to do anything."""


POINTS: tuple[type[Point], ...] = (
    StartUnanswered,
    StartAnswered,
    StartInFlight,
    AwaitingPlug,
    Charging,
    TargetAhead,
    StopAnswered,
    StopInFlight,
    AwaitingCdr,
    Settling,
)
