"""One run: the fleet comes up, robots charge while the plan is carried out, faults stop, the accounts are judged."""

import asyncio
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from tests.chaos.accounts import Accounts, find_in_files, read_accounts
from tests.chaos.invariants import ALWAYS, IN_THE_END, Violation, violations
from tests.chaos.link import Mishap
from tests.chaos.listener import Listener, listening
from tests.chaos.plan import Fault, Plan, Setup, make_plan
from tests.chaos.processes import Fleet, fleet
from tests.chaos.robots import EVSES, USERS, Load
from tests.waiting import eventually

HEAL_S: Final = 300.0  # from the end of all faults until every invariant must hold; times the factor
CDR_S: Final = 120.0  # a bill in quarantine is given up after so long; times the factor
CHECK_EVERY_S: Final = 2.0
TELL_CPO_S: Final = 120.0
LOAD_S: Final = 4 * 3600.0  # robots go home long before


@dataclass(frozen=True)
class Result:
    """What one run came to. ``data`` is kept where something is wrong."""

    plan: Plan
    started: int
    struck: int  # requests on the wires to which something happened
    ends: dict[str, int]
    load_s: float
    heal_s: float
    violations: list[Violation]
    data: Path

    def __str__(self) -> str:
        verdict = f"{len(self.violations)} VIOLATIONS" if self.violations else "all invariants hold"
        ends = " ".join(f"{status} {count}" for status, count in sorted(self.ends.items()))
        kinds = " ".join(f"{kind} {count}" for kind, count in self.plan.counts().items())
        return (
            f"seed {self.plan.seed}: {self.started} sessions ({ends}), {len(self.plan.faults)} faults ({kinds}; "
            f"{self.struck} requests struck), load {self.load_s:.0f} s, healed in {self.heal_s:.0f} s: {verdict}"
        )


async def run(seed: int, setup: Setup, *, sessions: int, faults: int, factor: float) -> Result:
    """Carry out the plan of ``seed``. ``factor`` stretches every patience, for machines that are busy."""
    plan = make_plan(seed, setup, sessions=sessions, faults=faults, evses=EVSES)
    root = Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-"))
    (root / "plan.txt").write_text(f"{plan}\n")
    async with (
        fleet(root, setup, random.Random(f"links/{seed}"), cdr_s=CDR_S * factor) as running,
        listening(running, USERS) as listener,
    ):
        load = Load(running, seed, sessions, factor)
        began = time.monotonic()
        await _under_faults(running, plan, load)
        healing = time.monotonic()
        await _heal(running)
        accounts = await _settled(running, load, listener, HEAL_S * factor)
        wrong = violations(accounts, IN_THE_END) + await _asked_again(running, load, accounts)
        done = time.monotonic()
    wrong += violations(accounts, ALWAYS) + _secrets(running, load, listener, accounts) + _idle(accounts)
    if not wrong:
        shutil.rmtree(root)
    return Result(
        plan=plan,
        started=len(accounts.sessions),
        struck=sum(link.struck for link in running.links.values()),
        ends=_ends(accounts),
        load_s=healing - began,
        heal_s=done - healing,
        violations=wrong,
        data=root,
    )


async def _under_faults(running: Fleet, plan: Plan, load: Load) -> None:
    """Robots charge, and whatever is due goes wrong; return when both have come to their end."""
    charging = asyncio.create_task(load.run())
    async with asyncio.TaskGroup() as breaking:
        for fault in plan.faults:
            await eventually(
                lambda: load.started >= fault.after or charging.done(),  # noqa: B023 - called at once
                within_s=LOAD_S,
                every_s=0.05,
            )
            breaking.create_task(_break(running, fault))
        await charging


async def _break(running: Fleet, fault: Fault) -> None:
    match fault.kind:
        case "kill":
            running.kill(fault.target)
        case "pause":
            await _for_a_while(fault, running.pause, running.resume)
        case "full-disk":
            await _for_a_while(fault, running.fill_disk, running.empty_disk)
        case _ if fault.detail:
            await _tell_cpo(running, fault)
        case _:
            running.links[fault.target].strike(Mishap(fault.kind, fault.messages, fault.seconds))


async def _for_a_while(fault: Fault, begin: Callable[[str], None], end: Callable[[str], None]) -> None:
    begin(fault.target)
    try:
        await asyncio.sleep(fault.seconds)
    finally:
        end(fault.target)


async def _tell_cpo(running: Fleet, fault: Fault) -> None:
    """As soon as it can be told: it may just be dead."""
    await eventually(lambda: _told(running, "faults", fault.detail), within_s=TELL_CPO_S, every_s=0.5)


async def _told(running: Fleet, what: str, body: object, method: str = "POST") -> bool:
    try:
        await running.tell_cpo(what, body, method)
    except httpx.TransportError:
        return False
    return True


async def _heal(running: Fleet) -> None:
    """No more faults: everything runs, every wire works, the CPO behaves."""
    for link in running.links.values():
        link.heal()
    await running.ready()
    await eventually(lambda: _told(running, "faults", None, "DELETE"), within_s=TELL_CPO_S, every_s=0.5)


async def _settled(running: Fleet, load: Load, listener: Listener, within_s: float) -> Accounts:
    """The accounts as soon as nothing is left to do; or as they are when that takes too long."""
    deadline = time.monotonic() + within_s
    while True:
        accounts = await read_accounts(running, load.rides, listener.heard)
        if not violations(accounts, IN_THE_END) or time.monotonic() > deadline:
            return accounts
        await asyncio.sleep(CHECK_EVERY_S)


async def _asked_again(running: Fleet, load: Load, before: Accounts) -> list[Violation]:
    """I9, after everything: each key once more is still the same session, and starts nothing. And each receipt."""
    for ride in load.rides:
        if ride.session_ids:
            await load.repeat(ride)
            await load.collect(ride)
    after = await read_accounts(running, load.rides, before.heard)
    if len(after.starts) == len(before.starts) and len(after.sessions) == len(before.sessions):
        return []
    return [Violation("I9", "repeats", f"{len(before.starts)} → {len(after.starts)} STARTs at the CPO")]


def _secrets(running: Fleet, load: Load, listener: Listener, accounts: Accounts) -> list[Violation]:
    """I12: who users are, what they order and what opens doors is in no log; nor in a history, but for an order in one
    that is not encrypted.
    """
    logs, histories = [*sorted((running.root / "logs").glob("*"))], [*sorted(running.root.glob("temporal.db*"))]
    if accounts.sessions and not find_in_files(histories, [*accounts.sessions]):
        return [Violation("I12", "temporal.db", "no session stands in it: there was nothing to look through")]
    secrets = {*running.secrets(), *listener.secrets, *USERS}
    private = {*load.private(), *(session["token_uid"] for session in accounts.sessions.values())}
    found = find_in_files(logs, secrets | private)
    found += find_in_files(histories, secrets | private if running.setup.encrypted else secrets)
    return [Violation("I12", place, "a secret in the clear") for place in found]


def _idle(accounts: Accounts) -> list[Violation]:
    """Where hardly any car was charged, nothing was tried."""
    completed = sum(session["status"] == "completed" for session in accounts.sessions.values())
    if 2 * completed >= len(accounts.rides):
        return []
    return [Violation("LOAD", "robots", f"{completed} of {len(accounts.rides)} rides were completed")]


def _ends(accounts: Accounts) -> dict[str, int]:
    ends: dict[str, int] = {}
    for session in accounts.sessions.values():
        reason = (session["reason"] or {}).get("code") if session["status"] == "failed" else None
        name = f"{session['status']}/{reason}" if reason else session["status"]
        ends[name] = ends.get(name, 0) + 1
    return ends


def commit() -> str:
    """The git commit of this tree, for the words of a failure."""
    asked = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return asked.stdout.strip() or "unknown"
