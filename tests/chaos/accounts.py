"""What the CPO, the payment side and our own store say of a run, read when it is over."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import select

from charging.store import tables
from charging.store.engine import Database
from tests.chaos.money import read_money, unbalanced
from tests.chaos.processes import Fleet
from tests.chaos.robots import Ride

Json = dict[str, Any]


@dataclass(frozen=True)
class Accounts:
    """The three accounts side by side, and what users were told by robots' answers and webhooks (``heard``).

    ``paid``, ``held`` and ``captured`` (all that was ever charged) in minor units, by session; ``keys``: the
    Idempotency-Keys that are kept; ``open_work``: the workflows that still run.
    """

    rides: Sequence[Ride]
    heard: Sequence[Json]
    starts: Sequence[Json]
    cpo_sessions: Sequence[Json]
    cpo_cdrs: Sequence[Json]
    paid: Mapping[str, int]
    held: Mapping[str, int]
    captured: Mapping[str, int]
    unbalanced: Sequence[str]
    sessions: Mapping[str, Json]
    keys: Collection[str]
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
            for name in (
                "sessions",
                "idempotency_keys",
                "cdrs",
                "receipts",
                "evse_claims",
                "inbox",
                "events",
                "ledger",
            )
        }
    finally:
        await database.close()
    money = await read_money(fleet, rows["ledger"])
    return Accounts(
        rides=rides,
        heard=[*heard],
        starts=records["starts"],
        cpo_sessions=records["sessions"],
        cpo_cdrs=records["cdrs"],
        paid=money.paid,
        held=money.held,
        captured=money.captured,
        unbalanced=unbalanced(rows["ledger"]),
        # A start that was answered 503 has no effect: its row is absent for everybody, and must be for the CPO.
        sessions={row["id"]: row for row in rows["sessions"] if row["admission"] != "abandoned"},
        keys={row["key"] for row in rows["idempotency_keys"]},
        cdrs=rows["cdrs"],
        receipts={row["session_id"]: row["body"] for row in sorted(rows["receipts"], key=lambda each: each["version"])},
        claims=[row["session_id"] for row in rows["evse_claims"]],
        inbox=[row for row in rows["inbox"] if row["state"] != "delivered"],
        events=_grouped(sorted(rows["events"], key=lambda each: each["seq"])),
        open_work=open_work,
    )


def find_in_files(paths: Iterable[Path], secrets: Collection[str]) -> list[str]:
    """Each secret that stands in one of these files: where, and its first characters."""
    found = []
    for path in paths:
        content = path.read_bytes()
        found += [f"{path.name}: {secret[:12]}…" for secret in sorted(secrets) if secret.encode() in content]
    return found


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
