"""Tariffs of all peers, as received."""

from collections.abc import Iterable

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.ocpi.location_object import is_older, patched
from charging.ocpi.models import Tariff
from charging.ocpi.wire import parse_datetime
from charging.store.engine import Database
from charging.store.objects import Body, ObjectKey, key_of, object_row, sorted_out
from charging.store.tables import tariffs
from charging.store.upsert import upsert


class TariffStore:
    """Reads and writes Tariff objects. What is older than what is stored changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put_tariff(self, connection_id: str, body: Body) -> bool:
        """Store a Tariff whose fields were checked; True where it is new."""
        async with self._database.write() as store:
            return await self._put(store, connection_id, body)

    async def put_tariffs(self, connection_id: str, bodies: Iterable[Body]) -> list[tuple[Body, str]]:
        """Store one page of a pull in one transaction. Broken objects are returned with what is wrong, not raised."""
        good, broken = sorted_out(Tariff, bodies)
        async with self._database.write() as store:
            for body in good:
                await self._put(store, connection_id, body)
        return broken

    async def _put(self, store: AsyncConnection, connection_id: str, body: Body) -> bool:
        key = key_of(connection_id, body)
        stored = await object_row(store, tariffs, key)
        if stored is None or not is_older(body, stored.last_updated):
            last_updated = parse_datetime(body["last_updated"])
            await upsert(store, tariffs, {**key.owner(), "id": key.id, "body": body, "last_updated": last_updated})
        return stored is None

    async def patch_tariff(self, key: ObjectKey, changes: Body) -> bool:
        """Change fields of a Tariff. False: there is none. ``ValidationError``: the outcome is unusable."""
        async with self._database.write() as store:
            stored = await object_row(store, tariffs, key, lock=True)
            if stored is None:
                return False
            body = patched(stored.body, changes)
            Tariff.model_validate(body)
            await self._put(store, key.connection_id, {**body, "last_updated": changes["last_updated"]})
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
