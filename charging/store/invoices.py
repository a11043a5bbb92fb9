"""Invoice reconciliation records of all peers: which CDRs an invoice is about (OCPI 2.3.0 invoicereconciliation)."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.ocpi.wire import fold, parse_datetime
from charging.store.engine import Database
from charging.store.objects import Body, ObjectKey, key_of, object_row
from charging.store.tables import cdrs, connections, invoices
from charging.store.upsert import upsert


@dataclass(frozen=True)
class BilledCdr:
    """A CDR that an invoice names. ``is_known``: we have it; ``session_id``: the session of ours that it bills."""

    cdr_id: str
    is_known: bool
    session_id: str | None


@dataclass(frozen=True)
class ListedInvoice:
    """One record with what we know of its CDRs. ``connection``: the peer's name."""

    connection: str
    body: Body
    cdrs: list[BilledCdr]


class InvoiceStore:
    """Reads and writes records. What is older than what is stored changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, connection_id: str, body: Body) -> bool:
        """Store a record whose fields were checked; True where it is new."""
        key, last_updated = key_of(connection_id, body), parse_datetime(body["last_updated"])
        async with self._database.write() as store:
            stored = await object_row(store, invoices, key, lock=True)
            if stored is None or stored.last_updated <= last_updated:
                row = {**key.owner(), "id": key.id, "body": body, "last_updated": last_updated}
                await upsert(store, invoices, row)
        return stored is None

    async def get(self, key: ObjectKey) -> Body | None:
        """The record as it stands."""
        async with self._database.read() as store:
            stored = await object_row(store, invoices, key)
        return None if stored is None else dict(stored.body)

    async def delete(self, key: ObjectKey) -> bool:
        """Forget a record. False: there was none."""
        async with self._database.write() as store:
            return (await store.execute(delete(invoices).where(key.of(invoices)))).rowcount > 0

    async def newest(self, limit: int) -> list[ListedInvoice]:
        """The newest records of all peers."""
        query = select(invoices, connections.c.name).join(connections, connections.c.id == invoices.c.connection_id)
        async with self._database.read() as store:
            rows = (await store.execute(query.order_by(invoices.c.last_updated.desc()).limit(limit))).all()
            return [
                ListedInvoice(
                    row.name, row.body, await _billed(store, key_of(row.connection_id, row.body), row.body["cdrs"])
                )
                for row in rows
            ]


async def _billed(store: AsyncConnection, owner: ObjectKey, ids: Sequence[str]) -> list[BilledCdr]:
    of_owner = and_(*(cdrs.c[name] == value for name, value in owner.owner().items()))
    query = select(cdrs.c.folded_id, cdrs.c.session_id).where(of_owner, cdrs.c.folded_id.in_({fold(i) for i in ids}))
    known = {row.folded_id: row.session_id for row in await store.execute(query)}
    return [BilledCdr(cdr_id, fold(cdr_id) in known, known.get(fold(cdr_id))) for cdr_id in ids]
