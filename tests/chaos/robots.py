"""The load: robots that charge one car after the other, each at its own EVSE, and repeat what was not answered."""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import httpx

from tests.chaos.processes import Fleet

Json = dict[str, Any]

EVSES: Final = tuple(f"FI-VRT-E{number}" for number in (*range(12345, 12350), *range(12351, 12358)))
USERS: Final = tuple(f"owner-{number}@people.example" for number in range(12))
_AC: Final = ("FI-VRT-E12346", "FI-VRT-E12348", "FI-VRT-E12352", "FI-VRT-E12357")
_ASK_AGAIN: Final = (429, 500, 502, 503, 504)  # a 500 is noted as odd, and asked again
_TERMINAL: Final = ("completed", "failed")
_CALL_S: Final = 15.0


@dataclass(frozen=True)
class Seen:
    """One status answer."""

    revision: int
    status: str
    energy_kwh: Decimal
    cost: Decimal


@dataclass
class Ride:
    """One session as its robot knows it: what it asked for, every answer to its start, and all that it saw."""

    number: int
    user: str
    evse_id: str
    key: str
    order: Json
    session_ids: set[str] = field(default_factory=set)
    seen: list[Seen] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)  # answers that no robot should get
    receipt: Json | None = None  # as it was answered when all was over

    @property
    def session_id(self) -> str:
        """The session's id, as soon as there is one."""
        return next(iter(self.session_ids), "")


class Load:
    """All robots: they begin ``sessions`` sessions in all. ``factor`` stretches their patience on slow machines."""

    def __init__(self, fleet: Fleet, seed: int, sessions: int, factor: float) -> None:
        self._fleet = fleet
        self._seed = seed
        self._sessions = sessions
        self._factor = factor
        self._next = 0
        self.rides: list[Ride] = []

    @property
    def started(self) -> int:
        """How many sessions have begun: the clock of the plan."""
        return len(self.rides)

    async def run(self) -> None:
        """Return when the last robot has gone home."""
        async with asyncio.TaskGroup() as group:
            for evse_id in EVSES:
                group.create_task(self._robot(evse_id))

    async def repeat(self, ride: Ride) -> None:
        """The same start once more; the ride knows the answer."""
        await _Robot(self._fleet, ride, random.Random(0), self._factor).start()

    async def collect(self, ride: Ride) -> None:
        """Its receipt, where there is one."""
        await _Robot(self._fleet, ride, random.Random(0), self._factor).collect()

    def private(self) -> set[str]:
        """What the robots' orders say of their owners."""
        return {text for ride in self.rides for text in (ride.order["robot_id"], *ride.order["metadata"].values())}

    async def _robot(self, evse_id: str) -> None:
        while self._next < self._sessions:
            number, self._next = self._next, self._next + 1
            dice = random.Random(f"ride/{self._seed}/{number}")
            await _Robot(self._fleet, _ride(number, self._seed, evse_id, dice), dice, self._factor).charge(self.rides)


def _ride(number: int, seed: int, evse_id: str, dice: random.Random) -> Ride:
    order: Json = {"evse_id": evse_id, "connector_type": "Type2" if evse_id in _AC else "CCS"}
    order |= {"robot_id": f"robot-of-{number}-{seed}", "metadata": {"door code": f"door-{number}-{seed}"}}
    if dice.random() < 0.3:
        order["battery_target_kwh"] = round(dice.uniform(1, 4), 1)
    if dice.random() < 0.1:
        order["max_cost"] = 1.0
    return Ride(number, USERS[number % len(USERS)], evse_id, f"chaos/{seed}/{number}", order)


class _Robot:
    """One robot and its ride."""

    def __init__(self, fleet: Fleet, ride: Ride, dice: random.Random, factor: float) -> None:
        self._fleet = fleet
        self._ride = ride
        self._dice = dice
        self._factor = factor
        self._headers = {"Authorization": f"Bearer {fleet.token(ride.user)}"}

    async def charge(self, rides: list[Ride]) -> None:
        """From the start to the receipt, or until patience ends: the engine sees the session through by itself."""
        await self.start()
        rides.append(self._ride)
        if not self._ride.session_ids:
            return
        charging = await self._until(lambda seen: seen.status != "pending", self._dice.choice((1, 30, 60)))
        if charging and self._dice.random() < 0.5:
            await self._wish()
        await self._until(lambda seen: seen.status in _TERMINAL, self._dice.uniform(0.5, 6))
        await self._call("POST", "/v1/sessions/stop", {"session_id": self._ride.session_id})
        if await self._until(lambda seen: seen.status in _TERMINAL, 60):
            await self._call("GET", f"/v1/sessions/{self._ride.session_id}/receipt")

    async def start(self) -> None:
        """Until it is answered with a session; sometimes by two requests at once, as an impatient robot does."""
        headers = {"Idempotency-Key": self._ride.key}
        for _ in range(int(60 * self._factor)):
            copies = 2 if self._dice.random() < 0.15 else 1
            asked = [self._once("POST", "/v1/sessions/start", self._ride.order, headers) for _ in range(copies)]
            answers = [answer for answer in await asyncio.gather(*asked) if answer is not None]
            for answer in answers:
                if answer.status_code == 201:
                    self._ride.session_ids.add(answer.json()["session_id"])
                elif answer.status_code not in (*_ASK_AGAIN, 409):
                    self._ride.odd.append(f"start: {answer.status_code} {answer.text}")
            if any(answer.status_code == 201 for answer in answers):
                return
            await asyncio.sleep(1)

    async def collect(self) -> None:
        """The receipt as it stands; none where the API says that there is none (yet)."""
        for _ in range(int(30 * self._factor)):
            answer = await self._once("GET", f"/v1/sessions/{self._ride.session_id}/receipt")
            if answer is not None and answer.status_code not in _ASK_AGAIN:
                if answer.status_code == 200:
                    self._ride.receipt = json.loads(answer.content, parse_float=Decimal)
                return
            await asyncio.sleep(0.7)

    async def _wish(self) -> None:
        """A charging profile, a departure, or neither any more."""
        path = f"/v1/sessions/{self._ride.session_id}/charging-profile"
        departure = datetime.now(UTC) + timedelta(seconds=self._dice.uniform(60, 600))
        wishes: list[tuple[str, Json | None]] = [
            ("POST", {"max_charge_rate_kw": 2}),
            ("POST", {"departure_time": departure.isoformat()}),
            ("POST", {"periods": [{"start_period": 0, "limit": 2000}, {"start_period": 3, "limit": 1000}]}),
            ("DELETE", None),
        ]
        for method, body in self._dice.sample(wishes, self._dice.randint(1, 2)):
            await self._call(method, path, body, tries=3)

    async def _until(self, condition: Callable[[Seen], bool], within_s: float) -> bool:
        """Look at the status until ``condition`` holds of it; whether that came in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s * self._factor
        while loop.time() < deadline:
            if (seen := await self._look()) is not None and condition(seen):
                return True
            await asyncio.sleep(self._dice.uniform(0.2, 0.8))
        return False

    async def _look(self) -> Seen | None:
        answer = await self._once("GET", f"/v1/sessions/{self._ride.session_id}/status")
        if answer is None or answer.status_code in _ASK_AGAIN:
            return None
        if answer.status_code != 200:
            self._ride.odd.append(f"status: {answer.status_code} {answer.text}")
            return None
        body = json.loads(answer.content, parse_float=Decimal)
        seen = Seen(body["revision"], body["status"], Decimal(body["energy_kwh"]), Decimal(body["cost"]))
        self._ride.seen.append(seen)
        return seen

    async def _call(self, method: str, path: str, body: Json | None = None, tries: int = 30) -> None:
        """Until it is answered by anything but "later"."""
        for _ in range(int(tries * self._factor)):
            answer = await self._once(method, path, body)
            if answer is not None and answer.status_code not in _ASK_AGAIN:
                if answer.status_code in (400, 401, 403, 404, 422):
                    self._ride.odd.append(f"{method} {path}: {answer.status_code} {answer.text}")
                return
            await asyncio.sleep(0.7)

    async def _once(
        self, method: str, path: str, body: Json | None = None, headers: Json | None = None
    ) -> httpx.Response | None:
        """One request to one of the APIs; None where there is no answer."""
        try:
            answer = await self._fleet.http.request(
                method,
                self._dice.choice(self._fleet.apis) + path,
                json=body,
                headers={**self._headers, **(headers or {})},
                timeout=_CALL_S,
            )
        except httpx.TransportError:
            return None
        if answer.status_code == 500:
            self._ride.odd.append(f"{method} {path}: 500 {answer.text}")
        return answer
