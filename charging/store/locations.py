"""Locations and EVSEs of all peers.

Every object is keyed by (connection, country_code, party_id, id). Bodies are kept as received; a Location's EVSEs have
rows of their own. What is older than what is stored changes nothing.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.ocpi import location_object
from charging.ocpi.evse_id import lookup_key
from charging.ocpi.location_object import Body
from charging.ocpi.models import Connector, Evse, Location
from charging.ocpi.wire import parse_datetime
from charging.store.engine import Database
from charging.store.objects import ObjectKey, key_of, object_row, sorted_out
from charging.store.tables import evses, locations
from charging.store.upsert import upsert

REMOVED = "REMOVED"


class LocationStore:
    """Reads and writes what CPOs tell about their chargers and prices.

    Writers take bodies whose fields were checked (``charging.ocpi.models``) and answer whether the object is new.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    # ---- Locations ------------------------------------------------------------------------------------------------

    async def put_location(self, connection_id: str, body: Body) -> bool:
        """Store a whole Location; True where it is new. EVSEs that a given ``evses`` list leaves out are removed.

        A body without ``evses`` says nothing about them.
        """
        async with self._database.write() as store:
            return await self._put_location(store, connection_id, body)

    async def put_locations(self, connection_id: str, bodies: Iterable[Body]) -> list[tuple[Body, str]]:
        """Store one page of a pull in one transaction. Broken objects are returned with what is wrong, not raised."""
        good, broken = sorted_out(Location, bodies)
        async with self._database.write() as store:
            for body in good:
                await self._put_location(store, connection_id, body)
        return broken

    async def _put_location(self, store: AsyncConnection, connection_id: str, body: Body) -> bool:
        key = key_of(connection_id, body)
        stored = await object_row(store, locations, key)
        if stored is None or not location_object.is_older(body, stored.last_updated):
            await self._save_location(store, key, body)
            await self._put_evses(store, key, body.get("evses"))
        return stored is None

    async def _put_evses(self, store: AsyncConnection, key: ObjectKey, bodies: list[Body] | None) -> None:
        if bodies is None:
            return
        for body in bodies:
            await self._put_evse(store, key, body)
        given = [str(body["uid"]) for body in bodies]
        await store.execute(
            update(evses).where(key.of(evses, "location_id"), evses.c.uid.not_in(given)).values(status=REMOVED)
        )

    async def patch_location(self, key: ObjectKey, changes: Body) -> bool:
        """Change fields of a Location; its ``evses`` are put in by uid, none is removed. False: there is none."""
        async with self._database.write() as store:
            stored = await object_row(store, locations, key, lock=True)
            if stored is None:
                return False
            if not location_object.is_older(changes, stored.last_updated):
                await self._save_location(store, key, location_object.patched(stored.body, changes))
                for evse in changes.get("evses") or []:
                    await self._patch_or_put_evse(store, key, evse)
            return True

    async def get_location(self, key: ObjectKey) -> Body | None:
        """The Location as it stands, its EVSEs included."""
        async with self._database.read() as store:
            stored = await object_row(store, locations, key)
            if stored is None:
                return None
            query = select(evses).where(key.of(evses, "location_id")).order_by(evses.c.uid)
            return {**stored.body, "evses": [_evse_body(row) for row in await store.execute(query)]}

    async def _save_location(self, store: AsyncConnection, key: ObjectKey, body: Body) -> None:
        await upsert(
            store,
            locations,
            {
                **key.owner(),
                "id": key.id,
                "time_zone": body.get("time_zone"),
                "body": {name: value for name, value in body.items() if name != "evses"},
                "last_updated": parse_datetime(body["last_updated"]),
            },
        )

    # ---- EVSEs and connectors -------------------------------------------------------------------------------------

    async def put_evse(self, key: ObjectKey, body: Body) -> bool | None:
        """Store an EVSE of the Location ``key``; True where it is new, None where there is no such Location."""
        async with self._database.write() as store:
            if await object_row(store, locations, key) is None:
                return None
            is_new = await self._put_evse(store, key, body)
            await self._touch(store, key, body)
            return is_new

    async def patch_evse(self, key: ObjectKey, uid: str, changes: Body) -> bool:
        """Change fields of an EVSE, most often its ``status``. False: there is none. ``ValidationError``: unusable."""
        async with self._database.write() as store:
            stored = await self._evse_row(store, key, uid)
            if stored is None:
                return False
            await self._patch_evse(store, key, stored, changes)
            await self._touch(store, key, changes)
            return True

    async def get_evse_body(self, key: ObjectKey, uid: str) -> Body | None:
        """The EVSE object as it stands."""
        async with self._database.read() as store:
            stored = await self._evse_row(store, key, uid, lock=False)
        return None if stored is None else _evse_body(stored)

    async def put_connector(self, key: ObjectKey, uid: str, body: Body) -> bool | None:
        """Store a connector; True where it is new, None where there is no such EVSE."""
        async with self._database.write() as store:
            stored = await self._evse_row(store, key, uid)
            if stored is None:
                return None
            is_new = location_object.connector_of(stored.body, str(body["id"])) is None
            await self._save_evse(store, key, location_object.with_connector(stored.body, body))
            await self._touch(store, key, body)
            return is_new

    async def patch_connector(self, key: ObjectKey, uid: str, connector_id: str, changes: Body) -> bool:
        """Change fields of a connector. False: there is none. ``ValidationError``: the outcome is unusable."""
        async with self._database.write() as store:
            stored = await self._evse_row(store, key, uid)
            connector = stored and location_object.connector_of(stored.body, connector_id)
            if stored is None or connector is None:
                return False
            changed = location_object.patched(connector, changes)
            Connector.model_validate(changed)
            await self._save_evse(store, key, location_object.with_connector(stored.body, changed))
            await self._touch(store, key, changes)
            return True

    async def _patch_or_put_evse(self, store: AsyncConnection, key: ObjectKey, body: Body) -> None:
        stored = await self._evse_row(store, key, str(body["uid"]))
        if stored is None:
            Evse.model_validate(body)
            await self._put_evse(store, key, body)
        else:
            await self._patch_evse(store, key, stored, {"last_updated": stored.body["last_updated"], **body})

    async def _patch_evse(self, store: AsyncConnection, key: ObjectKey, stored: Row[Any], changes: Body) -> None:
        if location_object.is_older(changes, stored.last_updated):
            return
        changed = location_object.patched(stored.body, changes)
        Evse.model_validate(changed)
        await self._save_evse(store, key, changed)

    async def _put_evse(self, store: AsyncConnection, key: ObjectKey, body: Body) -> bool:
        stored = await self._evse_row(store, key, str(body["uid"]))
        if stored is None or not location_object.is_older(body, stored.last_updated):
            await self._save_evse(store, key, body)
        return stored is None

    async def _save_evse(self, store: AsyncConnection, key: ObjectKey, body: Body) -> None:
        evse_id = body.get("evse_id")
        await upsert(
            store,
            evses,
            {
                **key.owner(),
                "location_id": key.id,
                "uid": str(body["uid"]),
                "evse_id": evse_id,
                "lookup_key": lookup_key(evse_id) if evse_id else None,
                "status": body["status"],
                "body": body,
                "last_updated": parse_datetime(body["last_updated"]),
            },
        )

    async def _touch(self, store: AsyncConnection, key: ObjectKey, child: Body) -> None:
        """A Location's ``last_updated`` moves with its EVSEs' (§8.2.2)."""
        stored = await object_row(store, locations, key)
        if stored is not None and not location_object.is_older(child, stored.last_updated):
            await self._save_location(store, key, {**stored.body, "last_updated": child["last_updated"]})

    # ---- Rows -----------------------------------------------------------------------------------------------------

    async def _evse_row(
        self, store: AsyncConnection, key: ObjectKey, uid: str, *, lock: bool = True
    ) -> Row[Any] | None:
        query = select(evses).where(key.of(evses, "location_id"), evses.c.uid == uid)
        return (await store.execute(query.with_for_update() if lock else query)).first()


def _evse_body(row: Row[Any]) -> Body:
    # The column knows of a removal that no body told: a Location that was PUT without this EVSE.
    return {**row.body, "status": row.status}
