"""Tariffs of all peers, as received."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import delete

from charging.ocpi.location_object import patched
from charging.ocpi.models import Tariff
from charging.ocpi.wire import parse_datetime
from charging.store.engine import Database
from charging.store.object_pages import (
    Values,
    Written,
    content_hash,
    key_in,
    mark_missing,
    named,
    still_there,
    stored_rows,
    write_rows,
)
from charging.store.objects import Body, ObjectKey, key_of, keys_of, object_row, sorted_out
from charging.store.tables import tariffs


class TariffStore:
    """Reads and writes Tariff objects. What is older than what is stored changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put_tariff(self, connection_id: str, body: Body) -> bool:
        """Store a Tariff whose fields were checked; True where it is new."""
        return (await self._put(connection_id, [body], [], is_full=False)).created == 1

    async def put_tariffs(self, connection_id: str, bodies: Iterable[Body], *, is_full: bool = False) -> Written:
        """Store one page of a list in one transaction. Broken objects are returned with what is wrong, not raised.

        ``is_full``: of a list of all; what it names is there, also where it says nothing new (``mark_missing``).
        """
        good, broken = sorted_out(Tariff, bodies)
        written = await self._put(connection_id, good, keys_of(connection_id, broken), is_full=is_full)
        return replace(written, broken=broken)

    async def mark_missing(self, connection_id: str, *, unseen_since: datetime) -> int:
        """A full list of the CPO that began at ``unseen_since`` is at its end: what it did not name is not in force
        any more (docs/ocpi.md, Q16); how many Tariffs that are. Their rows stay.
        """
        async with self._database.write(many=True) as store:
            return await mark_missing(store, tariffs, connection_id, unseen_since=unseen_since, now=datetime.now(UTC))

    async def _put(
        self, connection_id: str, bodies: list[Body], unusable: list[ObjectKey], *, is_full: bool
    ) -> Written:
        written, now = Written(), datetime.now(UTC)
        rows = {key_in(tariffs, row): row for body in bodies for row in [_row(connection_id, body, now)]}
        async with self._database.write(many=True) as store:
            keys = [key_of(connection_id, body) for body in bodies]
            stored = await stored_rows(store, tariffs, named(tariffs, keys))
            verdicts = await write_rows(store, tariffs, rows, stored, touch_all=is_full)
            await still_there(store, tariffs, unusable if is_full else [], now)
        for verdict in verdicts.values():
            written.count(verdict)
        return written

    async def patch_tariff(self, key: ObjectKey, changes: Body) -> bool:
        """Change fields of a Tariff. False: there is none. ``ValidationError``: the outcome is unusable."""
        stored = await self.get_tariff(key)
        if stored is None:
            return False
        body = {**patched(stored, changes), "last_updated": changes["last_updated"]}
        Tariff.model_validate(body)
        await self.put_tariff(key.connection_id, body)
        return True

    async def get_tariff(self, key: ObjectKey) -> Body | None:
        """The Tariff object as it stands."""
        async with self._database.read() as store:
            stored = await object_row(store, tariffs, key)
        return None if stored is None else dict(stored.body)

    async def delete_tariff(self, key: ObjectKey) -> bool:
        """Forget a Tariff: the only object that OCPI deletes. False: there was none. Open sessions keep their copy."""
        async with self._database.write() as store:
            deleted = await store.execute(delete(tariffs).where(key.of(tariffs)))
        return deleted.rowcount > 0


def _row(connection_id: str, body: Body, now: datetime) -> Values:
    key = key_of(connection_id, body)
    return {
        **key.owner(),
        "id": key.id,
        "body": body,
        "last_updated": parse_datetime(body["last_updated"]),
        "content_hash": content_hash(body),
        "seen_at": now,
        "missing_since": None,
    }
