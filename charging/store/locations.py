"""Locations and EVSEs of all peers, and the way from an EVSE id to one of them.

Every object is keyed by (connection, country_code, party_id, id). Bodies are kept as received; a Location's EVSEs have
rows of their own. What is older than what is stored changes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Row, and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.ocpi import location_object
from charging.ocpi.evse_id import MAX_LENGTH, EvseConnector, lookup_key, read_connector, without_last_segment
from charging.ocpi.location_object import Body
from charging.ocpi.models import Connector, Evse, Location
from charging.ocpi.wire import fold, parse_datetime
from charging.store.connections import Connection, ConnectionStore
from charging.store.engine import Database
from charging.store.objects import ObjectKey, key_of, object_row, sorted_out
from charging.store.tables import connections, evses, locations, tariffs
from charging.store.upsert import upsert

REMOVED = "REMOVED"


@dataclass(frozen=True)
class EvseMatch:
    """One EVSE that an EVSE id means. ``status`` is OCPI's; ``tariffs`` are the Tariff objects of its connectors."""

    connection: Connection
    country_code: str
    party_id: str
    location_id: str
    evse_uid: str
    evse_id: str | None
    status: str
    capabilities: tuple[str, ...]
    connectors: tuple[EvseConnector, ...]
    time_zone: str | None
    tariffs: dict[str, Body] = field(default_factory=dict)

    def tariff_of(self, connector: EvseConnector, now: datetime) -> Body | None:
        """The Tariff of a remote start at ``connector``: regular or untyped, valid at ``now`` (ocpi.md §13).

        None: the price is unknown, which is not free.
        """
        known = [self.tariffs[fold(i)] for i in connector.tariff_ids if fold(i) in self.tariffs]
        return next((t for t in known if t.get("type") in (None, "REGULAR") and _is_valid(t, now)), None)


def _is_valid(tariff: Body, now: datetime) -> bool:
    starts, ends = tariff.get("start_date_time"), tariff.get("end_date_time")
    return (not starts or parse_datetime(starts) <= now) and (not ends or now < parse_datetime(ends))


class LocationStore:
    """Reads and writes what CPOs tell about their chargers and prices.

    Writers take bodies whose fields were checked (``charging.ocpi.models``) and answer whether the object is new.
    """

    def __init__(self, database: Database, connection_store: ConnectionStore) -> None:
        self._database = database
        self._connections = connection_store

    # ---- Finding --------------------------------------------------------------------------------------------------

    async def find_evse(self, evse_id: str) -> EvseMatch | None:
        """The EVSE that ``evse_id`` means, in any spelling; None where nobody has it (ocpi.md §16).

        A removed EVSE is found only where no other is. Ties: the exact spelling first, then a CPO before a hub, then
        what was updated last.
        """
        if not evse_id.strip() or len(evse_id) > MAX_LENGTH:
            return None
        shorter = without_last_segment(evse_id)
        conditions = [evses.c.lookup_key == lookup_key(evse_id)]
        conditions += [evses.c.lookup_key == lookup_key(shorter)] if shorter else []
        conditions += [evses.c.uid == evse_id.strip()]
        removed: EvseMatch | None = None
        for condition in conditions:
            match = await self._best(condition, evse_id)
            if match is not None and match.status != REMOVED:
                return match
            removed = removed or match
        return removed

    async def get_evse(self, key: ObjectKey, evse_uid: str) -> EvseMatch | None:
        """The EVSE of a Location (``key``), for those without an EVSE id."""
        return await self._best(and_(key.of(evses, "location_id"), evses.c.uid == evse_uid), evse_uid)

    async def _best(self, condition: ColumnElement[bool], spelling: str) -> EvseMatch | None:
        query = (
            select(evses, locations.c.time_zone, connections.c.roles)
            .join(connections, and_(connections.c.id == evses.c.connection_id, connections.c.status == "active"))
            .outerjoin(locations, _same_location())
            .where(condition)
        )
        async with self._database.read() as store:
            rows = (await store.execute(query)).all()
            if not rows:
                return None
            row = min(rows, key=lambda row: _rank(row, spelling))
            prices = await self._tariffs_of(store, row)
        connection = await self._connections.get(row.connection_id)
        return None if connection is None else _match(row, connection, prices)

    async def _tariffs_of(self, store: AsyncConnection, row: Row[Any]) -> dict[str, Body]:
        ids = {str(i) for c in location_object.connectors(row.body) for i in c.get("tariff_ids") or []}
        if not ids:
            return {}
        query = select(tariffs.c.id, tariffs.c.body).where(
            tariffs.c.connection_id == row.connection_id,
            tariffs.c.country_code == row.country_code,
            tariffs.c.party_id == row.party_id,
            tariffs.c.id.in_({spelling for i in ids for spelling in (i, fold(i), i.lower())}),
        )
        return {fold(found.id): found.body for found in await store.execute(query)}

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


def _same_location() -> ColumnElement[bool]:
    return and_(
        locations.c.connection_id == evses.c.connection_id,
        locations.c.country_code == evses.c.country_code,
        locations.c.party_id == evses.c.party_id,
        locations.c.id == evses.c.location_id,
    )


def _rank(row: Row[Any], spelling: str) -> tuple[bool, bool, bool, float]:
    is_hub = any(role.get("role") == "HUB" for role in row.roles)
    is_exact = fold(row.evse_id or row.uid) == fold(spelling)
    return (row.status == REMOVED, not is_exact, is_hub, -row.last_updated.timestamp())


def _match(row: Row[Any], connection: Connection, prices: dict[str, Body]) -> EvseMatch:
    evse: Body = row.body
    return EvseMatch(
        connection=connection,
        country_code=row.country_code,
        party_id=row.party_id,
        location_id=row.location_id,
        evse_uid=row.uid,
        evse_id=row.evse_id,
        status=row.status,
        capabilities=tuple(str(capability) for capability in evse.get("capabilities") or []),
        connectors=tuple(_connectors(location_object.connectors(evse))),
        time_zone=row.time_zone,
        tariffs=prices,
    )


def _connectors(bodies: Sequence[Body]) -> Iterable[EvseConnector]:
    for body in bodies:
        try:
            yield read_connector(Connector.model_validate(body))
        except ValidationError:
            continue  # one unusable connector must not hide the others
