"""The whole installation as processes: two APIs, two workers, Temporal on a file, the CPO, Payments; and how to break
each. What dies is started again at once, as a supervisor does.
"""

import asyncio
import os
import random
import resource
import signal
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx

from charging.bootstrap.child import Child, ChildSpec
from charging.bootstrap.directory import DataDirectory
from charging.bootstrap.keys import DevelopmentSecrets
from charging.bootstrap.neighbours import Payments, payments_of, webhook_secret
from charging.bootstrap.ports import Ports
from charging.bootstrap.recipe import Recipe
from charging.bootstrap.tokens import issued, mint
from charging.store.migrate import upgrade
from tests.chaos.link import Link
from tests.chaos.plan import EVERYTHING, Setup
from tests.chaos.postgres import PostgresStore

SPEED: Final = 600
NETWORK: Final = "Virta (chaos)"
READY_S: Final = 90.0
TOKEN_TTL: Final = timedelta(hours=6)
# 3 kW times SPEED is half a kWh per second: sessions last until somebody or something ends them.
CAR: Final = {"capacity_kwh": 1000, "soc": 0.2, "max_dc_kw": 3, "max_ac_kw": 3}
SERVERS: Final = ("temporal", "postgres")  # first to come, last to go
_FULL_BYTES: Final = 4096  # no file may grow beyond this: the write-ahead log of the store cannot be appended to

# Deadlines that let a run come to its end in minutes, in seconds.
_PATIENCE: Final = {
    "CHARGING_POLICY__CONFIRM_S": 25,
    "CHARGING_POLICY__PLUG_IN_S": 40,
    "CHARGING_POLICY__STOP_CONFIRM_S": 15,
    "CHARGING_POLICY__CALL_HUMAN_S": 60,
    "CHARGING_POLICY__TOMBSTONE_S": 30,
    "CHARGING_POLICY__PROFILE_RESULT_S": 6,
    "CHARGING_POLICY__SETTLE_S": 2,
    "CHARGING_POLICY__REPLAN_PAUSE_S": 3,
    "CHARGING_SILENCE_S": 4,
    "CHARGING_SWEEP_S": 5,
    "CHARGING_SYNC_S": 60,
    "CHARGING_PROFILE_WAIT_S": 3,
    "CHARGING_CPO_TIMEOUT_S": 8,
    "CHARGING_NEIGHBOUR_TIMEOUT_S": 4,
    "CHARGING_SANDBOX_PUSH_TIMEOUT_S": 5,
    "CHARGING_SANDBOX_PLUG_IN_TIMEOUT_S": 45,
}


class Fleet:
    """All processes of one run on one directory, and the links between them."""

    def __init__(self, root: Path, setup: Setup, recipe: Recipe, spare: Ports, dice: random.Random) -> None:
        self.root = root
        self.http = recipe.http
        self.recipe = recipe
        self.setup = setup
        self._postgres = PostgresStore(spare.sandbox) if setup.postgres else None
        self.database_url = self._postgres.url if self._postgres else recipe.directory.database_url
        second = replace(recipe, ports=replace(recipe.ports, api=spare.api))
        self.apis = (recipe.api_url, second.api_url)
        self.to_engine = Link("to-engine", [recipe.ports.api, spare.api], dice)
        self.to_cpo = Link("to-cpo", [recipe.ports.sandbox], dice)
        self.to_payments = Link("to-payments", [recipe.ports.neighbours], dice)
        self.links = {link.name: link for link in (self.to_engine, self.to_cpo, self.to_payments)}
        self._second = second
        self._children: dict[str, Child] = {}
        self._tokens: dict[str, str] = {}

    # ---- Life -----------------------------------------------------------------------------------------------------

    async def up(self, cdr_s: float) -> None:
        """Start all; return when each does its work and the CPO is connected. ``cdr_s``: patience for a bill."""
        for link in self.links.values():
            await link.open()
        ours = self._environment(cdr_s)
        first = {
            "temporal": self.recipe.temporal(),
            **({"postgres": self._postgres.spec(self.recipe.directory.log("postgres"))} if self._postgres else {}),
        }
        specs = {
            "worker-1": self.recipe.worker(),
            "worker-2": self.recipe.worker(),
            "api-1": self.recipe.api(),
            "api-2": self._second.api(),
            "cpo": self.recipe.sandbox(),
            **({"payments": self.recipe.neighbours()} if self.setup.payments is not Payments.WALLET else {}),
        }
        await self._run(first)
        await asyncio.to_thread(upgrade, self.database_url)
        await self._run({name: self._named(name, spec, ours) for name, spec in specs.items()})
        await self._connect()
        await self.tell_cpo("car", CAR)

    async def _run(self, specs: Mapping[str, ChildSpec]) -> None:
        self._children |= {name: Child(spec, on_start=lambda: None) for name, spec in specs.items()}
        for name in specs:
            await self._children[name].start()
        await self.ready()

    async def ready(self) -> None:
        """Return when every process does its work."""
        await asyncio.gather(*(child.until_ready(READY_S) for child in self._children.values()))

    async def down(self) -> None:
        """End all."""
        for name in self._children:
            self.resume(name)
        others = [child for name, child in self._children.items() if name not in SERVERS]
        await asyncio.gather(*(child.stop() for child in others))
        await asyncio.gather(*(child.stop() for name, child in self._children.items() if name in SERVERS))
        for link in self.links.values():
            await link.close()
        if self._postgres:
            self._postgres.remove()

    # ---- Faults ---------------------------------------------------------------------------------------------------

    def kill(self, name: str) -> None:
        """SIGKILL; ``EVERYTHING`` is all that is ours, Temporal and PostgreSQL included."""
        everything = [each for each in self._children if each not in ("cpo", "payments")]
        for each in everything if name == EVERYTHING else [name]:
            self._children[each].kill()

    def pause(self, name: str) -> None:
        """The process does nothing any more, and keeps all that it holds."""
        self._send(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """It goes on."""
        self._send(name, signal.SIGCONT)

    def fill_disk(self, name: str) -> None:
        """Whatever the process wants to write fails, as on a disk that is full."""
        self._limit_files(name, _FULL_BYTES)

    def empty_disk(self, name: str) -> None:
        """There is room again."""
        self._limit_files(name, resource.RLIM_INFINITY)

    def _send(self, name: str, number: signal.Signals) -> None:
        pid = self._children[name].pid
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _limit_files(self, name: str, size: int) -> None:
        pid = self._children[name].pid
        if pid is not None:
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    # ---- Talking to them ------------------------------------------------------------------------------------------

    def token(self, user: str) -> str:
        """The user's JWT, the same whenever it is asked for."""
        if user not in self._tokens:
            self._tokens[user] = self._new_token(user)
        return self._tokens[user]

    def _new_token(self, user: str) -> str:
        if self.setup.payments is Payments.EVPASS:
            return issued(self.recipe.neighbours_url, sub=user, ttl=TOKEN_TTL)
        return mint(self.recipe.secrets.jwt_secret, sub=user, now=datetime.now(UTC), ttl=TOKEN_TTL)

    async def tell_cpo(self, what: str, body: object, method: str = "POST") -> None:
        """``/admin/{what}`` of the sandbox. Raises ``httpx.HTTPError`` where it is away or does not take it."""
        answer = await self.http.request(method, f"{self.recipe.cpo_url}/admin/{what}", json=body)
        answer.raise_for_status()

    def secrets(self) -> set[str]:
        """What must stand in no log and no history."""
        on_the_wire = {token for link in self.links.values() for token in link.secrets}
        plain = {b64decode(token).decode() for token in on_the_wire}
        signing = webhook_secret(self.recipe.secrets)
        return {*vars(self.recipe.secrets).values(), signing, *self._tokens.values(), *on_the_wire, *plain}

    async def _connect(self) -> None:
        register = {
            "cpo_name": NETWORK,
            "versions_url": f"{self.to_cpo.url}/ocpi/versions",
            "token": self.recipe.secrets.sandbox_token,
            "power_factor": SPEED,
        }
        answer = await self.http.post(
            f"{self.apis[0]}/ocpi/register",
            json=register,
            headers={"X-API-Key": self.recipe.secrets.admin_key},
            timeout=60,
        )
        assert answer.is_success, answer.text

    # ---- How they are run -----------------------------------------------------------------------------------------

    def _named(self, name: str, spec: ChildSpec, ours: Mapping[str, str]) -> ChildSpec:
        environment = {**spec.environment, **ours}
        command = (*spec.command, "--engine", self.to_engine.url) if name == "payments" else spec.command
        log = self.recipe.directory.log(name)
        return replace(spec, name=name, command=command, log=log, environment=environment)

    def _environment(self, cdr_s: float) -> dict[str, str]:
        patience = {name: str(value) for name, value in _PATIENCE.items()}
        ours = {**patience, "CHARGING_POLICY__CDR_S": str(cdr_s), "CHARGING_PUBLIC_URL": self.to_engine.url}
        ours["CHARGING_DATABASE_URL"] = self.database_url
        ours["CHARGING_ENCRYPT_PAYLOADS"] = str(self.setup.encrypted).lower()
        if self.setup.payments is not Payments.WALLET:
            ours[f"CHARGING_{self.setup.payments.upper()}_URL"] = self.to_payments.url
        return ours


@asynccontextmanager
async def fleet(root: Path, setup: Setup, dice: random.Random, *, cdr_s: float) -> AsyncIterator[Fleet]:
    """A ready installation in ``root``, gone when the block is left."""
    directory = DataDirectory(root)
    with directory.locked():
        ports = Ports.of(directory.ports_file, auto=True)
        spare = Ports.of(root / "spare-ports.json", auto=True)
        secrets = DevelopmentSecrets.of(directory.secrets_file)
        payments_of(directory, setup.payments)
        async with httpx.AsyncClient(timeout=20, trust_env=False) as http:
            recipe = Recipe(directory, ports, secrets, SPEED, http)
            running = Fleet(root, setup, recipe, spare, dice)
            try:
                await running.up(cdr_s)
                yield running
            finally:
                await running.down()
