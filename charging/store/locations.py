"""Locations and EVSEs of all peers.

Every object is keyed by (connection, country_code, party_id, id). Bodies are kept as received; a Location's EVSEs have
rows of their own. What is older than what is stored changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.ocpi import location_object
from charging.ocpi.location_object import Body
from charging.ocpi.models import Connector, Evse, Location
from charging.ocpi.wire import parse_datetime
from charging.store.engine import Database
from charging.store.evse_columns import place_columns, search_columns
from charging.store.object_pages import (
    Key,
    Values,
    Verdict,
    Written,
    content_hash,
    key_in,
    mark_missing,
    named,
    set_columns,
    still_there,
    stored_rows,
    write_rows,
)
from charging.store.objects import ObjectKey, key_of, keys_of, object_row, sorted_out
from charging.store.tables import evses, locations
from charging.store.upsert import upsert

REMOVED = "REMOVED"


class LocationStore:
    """Reads and writes what CPOs tell about their chargers.

    Writers take bodies whose fields were checked (``charging.ocpi.models``) and answer whether the object is new.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    # ---- Locations ------------------------------------------------------------------------------------------------

    async def put_location(self, connection_id: str, body: Body) -> bool:
        """Store a whole Location; True where it is new. EVSEs that a given ``evses`` list leaves out are removed.

        A body without ``evses`` says nothing about them.
        """
        return (await self._put(connection_id, [body], [], is_full=False)).created == 1

    async def put_locations(self, connection_id: str, bodies: Iterable[Body], *, is_full: bool = False) -> Written:
        """Store one page of a list in one transaction. Broken objects are returned with what is wrong, not raised.

        ``is_full``: of a list of all; what it names is there, also where it says nothing new (``mark_missing``).
        """
        good, broken = sorted_out(Location, bodies)
        written = await self._put(connection_id, good, keys_of(connection_id, broken), is_full=is_full)
        return replace(written, broken=broken)

    async def mark_missing(self, connection_id: str, *, unseen_since: datetime) -> int:
        """A full list of the CPO that began at ``unseen_since`` is at its end: remove the EVSEs of Locations that it
        did not name (docs/ocpi.md, Q16); how many Locations that are. Their rows stay.
        """
        async with self._database.write(many=True) as store:
            now = datetime.now(UTC)
            missing = await mark_missing(store, locations, connection_id, unseen_since=unseen_since, now=now)
            gone = exists().where(_same_location(), locations.c.missing_since.is_not(None))
            theirs = evses.c.connection_id == connection_id
            await store.execute(update(evses).where(theirs, evses.c.status != REMOVED, gone).values(status=REMOVED))
        return missing

    async def _put(
        self, connection_id: str, bodies: list[Body], unusable: list[ObjectKey], *, is_full: bool
    ) -> Written:
        written, now = Written(), datetime.now(UTC)
        told = {
            key_in(locations, row): (row, body) for body in bodies for row in [_location_row(connection_id, body, now)]
        }
        async with self._database.write(many=True) as store:
            keys = [key_of(connection_id, body) for _, body in told.values()]
            stored = await stored_rows(store, locations, named(locations, keys))
            rows = {key: row for key, (row, _) in told.items()}
            verdicts = await write_rows(store, locations, rows, stored, touch_all=is_full)
            newer = {key: body for key, (_, body) in told.items() if verdicts[key] is not Verdict.OLDER}
            changed = await _put_evses(store, connection_id, newer)
            for key, body in newer.items():
                if verdicts[key] is Verdict.CHANGED:
                    await _place_evses(store, key_of(connection_id, body), body)
            await still_there(store, locations, unusable if is_full else [], now)
        for key, verdict in verdicts.items():
            written.count(Verdict.CHANGED if verdict is Verdict.SAME and key in changed else verdict)
        return written

    async def patch_location(self, key: ObjectKey, changes: Body) -> bool:
        """Change fields of a Location; its ``evses`` are put in by uid, none is removed. False: there is none.

        ``ValidationError``: the outcome is unusable.
        """
        async with self._database.write() as store:
            stored = await object_row(store, locations, key, lock=True)
            if stored is None:
                return False
            if not location_object.is_older(changes, stored.last_updated):
                location = location_object.patched(stored.body, changes)
                Location.model_validate({**location, "evses": []})  # an EVSE is checked when it is merged
                await self._save_location(store, key, location)
                for evse in changes.get("evses") or []:
                    await self._patch_or_put_evse(store, key, evse, location)
                await _place_evses(store, key, location)
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
        await upsert(store, locations, _location_row(key.connection_id, body, datetime.now(UTC)))

    # ---- EVSEs and connectors -------------------------------------------------------------------------------------

    async def put_evse(self, key: ObjectKey, body: Body) -> bool | None:
        """Store an EVSE of the Location ``key``; True where it is new, None where there is no such Location."""
        async with self._database.write() as store:
            place = await self._place(store, key)
            if place is None:
                return None
            is_new = await self._put_evse(store, key, body, place.body)
            await self._touch(store, key, place, body)
            return is_new

    async def patch_evse(self, key: ObjectKey, uid: str, changes: Body) -> bool:
        """Change fields of an EVSE, most often its ``status``. False: there is none. ``ValidationError``: unusable."""
        async with self._database.write() as store:
            place, stored = await self._place(store, key), await self._evse_row(store, key, uid)
            if place is None or stored is None:
                return False
            await self._patch_evse(store, key, stored, changes, place.body)
            await self._touch(store, key, place, changes)
            return True

    async def get_evse_body(self, key: ObjectKey, uid: str) -> Body | None:
        """The EVSE object as it stands."""
        async with self._database.read() as store:
            stored = await self._evse_row(store, key, uid, lock=False)
        return None if stored is None else _evse_body(stored)

    async def put_connector(self, key: ObjectKey, uid: str, body: Body) -> bool | None:
        """Store a connector; True where it is new, None where there is no such EVSE."""
        async with self._database.write() as store:
            place, stored = await self._place(store, key), await self._evse_row(store, key, uid)
            if place is None or stored is None:
                return None
            is_new = location_object.connector_of(stored.body, str(body["id"])) is None
            await self._save_evse(store, key, location_object.with_connector(stored.body, body), place.body)
            await self._touch(store, key, place, body)
            return is_new

    async def patch_connector(self, key: ObjectKey, uid: str, connector_id: str, changes: Body) -> bool:
        """Change fields of a connector. False: there is none. ``ValidationError``: the outcome is unusable."""
        async with self._database.write() as store:
            place, stored = await self._place(store, key), await self._evse_row(store, key, uid)
            connector = stored and location_object.connector_of(stored.body, connector_id)
            if place is None or stored is None or connector is None:
                return False
            changed = location_object.patched(connector, changes)
            Connector.model_validate(changed)
            await self._save_evse(store, key, location_object.with_connector(stored.body, changed), place.body)
            await self._touch(store, key, place, changes)
            return True

    async def _patch_or_put_evse(self, store: AsyncConnection, key: ObjectKey, body: Body, location: Body) -> None:
        stored = await self._evse_row(store, key, str(body["uid"]))
        if stored is None:
            Evse.model_validate(body)
            await self._put_evse(store, key, body, location)
        else:
            changes = {"last_updated": stored.body["last_updated"], **body}
            await self._patch_evse(store, key, stored, changes, location)

    async def _patch_evse(
        self, store: AsyncConnection, key: ObjectKey, stored: Row[Any], changes: Body, location: Body
    ) -> None:
        changed = location_object.patched(stored.body, changes)
        Evse.model_validate(changed)
        if not location_object.is_older(changed, stored.last_updated):
            await self._save_evse(store, key, changed, location)

    async def _put_evse(self, store: AsyncConnection, key: ObjectKey, body: Body, location: Body) -> bool:
        stored = await self._evse_row(store, key, str(body["uid"]))
        if stored is None or not location_object.is_older(body, stored.last_updated):
            await self._save_evse(store, key, body, location)
        return stored is None

    async def _save_evse(self, store: AsyncConnection, key: ObjectKey, body: Body, location: Body) -> None:
        await upsert(store, evses, _evse_row(key, body, location))

    async def _place(self, store: AsyncConnection, key: ObjectKey) -> Row[Any] | None:
        """The Location of an EVSE, locked: everybody locks it before its EVSEs, or two would wait for each other."""
        return await object_row(store, locations, key, lock=True)

    async def _touch(self, store: AsyncConnection, key: ObjectKey, place: Row[Any], child: Body) -> None:
        """A Location's ``last_updated`` moves with its EVSEs' (§8.2.2)."""
        if not location_object.is_older(child, place.last_updated):
            await self._save_location(store, key, {**place.body, "last_updated": child["last_updated"]})

    # ---- Rows -----------------------------------------------------------------------------------------------------

    async def _evse_row(
        self, store: AsyncConnection, key: ObjectKey, uid: str, *, lock: bool = True
    ) -> Row[Any] | None:
        query = select(evses).where(key.of(evses, "location_id"), evses.c.uid == uid)
        return (await store.execute(query.with_for_update() if lock else query)).first()


def _evse_body(row: Row[Any]) -> Body:
    # The column knows of a removal that no body told: a Location that was PUT without this EVSE.
    return {**row.body, "status": row.status}


def _location_row(connection_id: str, body: Body, now: datetime) -> Values:
    key = key_of(connection_id, body)
    own = {name: value for name, value in body.items() if name != "evses"}
    return {
        **key.owner(),
        "id": key.id,
        "time_zone": None if body.get("time_zone") is None else str(body["time_zone"]),
        "body": own,
        "last_updated": parse_datetime(body["last_updated"]),
        "content_hash": content_hash(own),
        "seen_at": now,
        "missing_since": None,
    }


def _evse_row(key: ObjectKey, body: Body, location: Body) -> Values:
    return {
        **key.owner(),
        "location_id": key.id,
        "uid": str(body["uid"]),
        "status": str(body["status"]),
        "body": body,
        "last_updated": parse_datetime(body["last_updated"]),
        "content_hash": content_hash(body),
        **search_columns(body),
        **place_columns(body, location),
    }


async def _put_evses(store: AsyncConnection, connection_id: str, told: Mapping[Key, Body]) -> set[Key]:
    """The EVSEs of whole Locations, by the Locations' keys; those of which an EVSE is new, different or removed."""
    listed = {place: body for place, body in told.items() if body.get("evses") is not None}
    if not listed:
        return set()
    keys = {place: key_of(connection_id, body) for place, body in listed.items()}
    rows: dict[Key, Values] = {}
    for place, body in listed.items():
        rows |= {key_in(evses, row): row for evse in body["evses"] for row in [_evse_row(keys[place], evse, body)]}
    found = await stored_rows(store, evses, named(evses, keys.values(), "location_id"))
    stored = {key: row for key, row in found.items() if key[:-1] in listed}
    verdicts = await write_rows(store, evses, rows, stored)
    left_out = [key for key, row in stored.items() if key not in rows and row.status != REMOVED]
    await set_columns(store, evses, [{**stored[key]._mapping, "status": REMOVED} for key in left_out], ["status"])
    written = [key for key, verdict in verdicts.items() if verdict in (Verdict.NEW, Verdict.CHANGED)]
    return {key[:-1] for key in [*written, *left_out]}


async def _place_evses(store: AsyncConnection, key: ObjectKey, location: Body) -> None:
    """The Location has changed: where it has moved, or may be shown or not any more, its EVSEs follow in the search."""
    for row in (await store.execute(select(evses).where(key.of(evses, "location_id")))).all():
        place = place_columns(row.body, location)
        if any(row._mapping[name] != value for name, value in place.items()):
            await store.execute(update(evses).where(key.of(evses, "location_id"), evses.c.uid == row.uid).values(place))


def _same_location() -> ColumnElement[bool]:
    owner = (evses.c[name] == locations.c[name] for name in ("connection_id", "country_code", "party_id"))
    return and_(*owner, evses.c.location_id == locations.c.id)
