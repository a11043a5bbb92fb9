"""What the CPO, the payment side and our own store say of a run, read when it is over."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import select

from charging.money import to_minor
from charging.store import tables
from charging.store.engine import Database
from tests.chaos.processes import Fleet
from tests.chaos.robots import Ride

Json = dict[str, Any]


@dataclass(frozen=True)
class Accounts:
    """The three accounts side by side, and what users were told by robots' answers and webhooks (``heard``).

    ``paid`` and ``held`` in minor units, by session; ``open_work``: the workflows that still run.
    """

    rides: Sequence[Ride]
    heard: Sequence[Json]
    starts: Sequence[Json]
    cpo_sessions: Sequence[Json]
    cpo_cdrs: Sequence[Json]
    paid: Mapping[str, int]
    held: Mapping[str, int]
    unbalanced: Sequence[str]
    sessions: Mapping[str, Json]
    cdrs: Sequence[Json]
    receipts: Mapping[str, Json]
    claims: Sequence[str]
    inbox: Sequence[Json]
    events: Mapping[str, Sequence[Json]]
    open_work: Sequence[str]

    def session_of(self, ocpi: Json) -> Json | None:
        """Our session that a Session or CDR of the CPO belongs to."""
        return self._by_reference().get(ocpi.get("authorization_reference") or ocpi["cdr_token"]["uid"])

    def _by_reference(self) -> dict[str, Json]:
        names = ("authorization_reference", "token_uid")
        return {session[name]: session for session in self.sessions.values() for name in names}


async def read_accounts(fleet: Fleet, rides: Sequence[Ride], heard: Sequence[Json]) -> Accounts:
    """All three, as they stand now."""
    records = json.loads((await _get(fleet, f"{fleet.recipe.cpo_url}/admin/records")), parse_float=Decimal)
    open_work = await _open_workflows(fleet)
    database = Database(fleet.database_url)
    try:
        rows = {
            name: await _rows(database, name)
            for name in ("sessions", "cdrs", "receipts", "evse_claims", "inbox", "events", "ledger")
        }
    finally:
        await database.close()
    ledger = _Ledger(rows["ledger"])
    return Accounts(
        rides=rides,
        heard=[*heard],
        starts=records["starts"],
        cpo_sessions=records["sessions"],
        cpo_cdrs=records["cdrs"],
        paid=await _payments(fleet) if fleet.setup.payments else ledger.of("paid"),
        held={} if fleet.setup.payments else ledger.of("held"),
        unbalanced=ledger.unbalanced(),
        # A start that was answered 503 has no effect: its row is absent for everybody, and must be for the CPO.
        sessions={row["id"]: row for row in rows["sessions"] if row["admission"] != "abandoned"},
        cdrs=rows["cdrs"],
        receipts={row["session_id"]: row["body"] for row in sorted(rows["receipts"], key=lambda each: each["version"])},
        claims=[row["session_id"] for row in rows["evse_claims"]],
        inbox=[row for row in rows["inbox"] if row["state"] != "delivered"],
        events=_grouped(sorted(rows["events"], key=lambda each: each["seq"])),
        open_work=open_work,
    )


def find_in_files(root: Path, secrets: Sequence[str]) -> list[str]:
    """Each secret that stands in a log or in Temporal's histories: where, and its first characters."""
    found = []
    for path in [*sorted((root / "logs").glob("*")), *sorted(root.glob("temporal.db*"))]:
        content = path.read_bytes()
        found += [f"{path.name}: {secret[:12]}…" for secret in secrets if secret.encode() in content]
    return found


class _Ledger:
    """The embedded wallet's books."""

    def __init__(self, legs: Sequence[Json]) -> None:
        self._legs = legs

    def of(self, account: str) -> dict[str, int]:
        """What each session has on its account ``held`` or ``paid``."""
        balances: dict[str, int] = defaultdict(int)
        for leg in self._legs:
            if leg["account"] == f"session/{leg['session_id']}/{account}":
                balances[leg["session_id"]] += leg["amount_minor"]
        return balances

    def unbalanced(self) -> list[str]:
        """The transfers whose legs do not add up to 0."""
        sums: dict[str, int] = defaultdict(int)
        for leg in self._legs:
            sums[leg["transfer_key"]] += leg["amount_minor"]
        return [key for key, amount in sums.items() if amount]


async def _payments(fleet: Fleet) -> dict[str, int]:
    """What each booking has paid, by the books of Payments."""
    books = json.loads(await _get(fleet, f"{fleet.recipe.neighbours_url}/admin/payments"), parse_float=Decimal)
    paid: dict[str, int] = defaultdict(int)
    for movement in books["movements"]:
        if movement["status"] == "succeeded":
            sign = 1 if movement["object"] == "payment_intent" else -1
            amount = to_minor(Decimal(movement["amount"]), movement["currency"])
            paid[movement["booking_id"]] += sign * amount
    return paid


async def _open_workflows(fleet: Fleet) -> list[str]:
    """Workflow ids of sessions, settlements and late Sessions that Temporal still runs."""
    types = " OR ".join(f'WorkflowType="{name}Workflow"' for name in ("ChargingSession", "Settlement", "LateSession"))
    query = {"query": f'ExecutionStatus="Running" AND ({types})', "pageSize": "1000"}
    url = f"{fleet.recipe.temporal_ui_url}/api/v1/namespaces/default/workflows"
    answer = json.loads(await _get(fleet, url, query))
    return [each["execution"]["workflowId"] for each in answer.get("executions", [])]


async def _get(fleet: Fleet, url: str, params: Json | None = None) -> bytes:
    answer = await fleet.http.get(url, params=params, timeout=60)
    answer.raise_for_status()
    return answer.content


async def _rows(database: Database, table: str) -> list[Json]:
    async with database.read() as connection:
        result = await connection.execute(select(tables.metadata.tables[table]))
        return [dict(row) for row in result.mappings()]


def _grouped(rows: Sequence[Json]) -> dict[str, list[Json]]:
    groups: dict[str, list[Json]] = defaultdict(list)
    for row in rows:
        groups[row["session_id"]].append(row)
    return groups
