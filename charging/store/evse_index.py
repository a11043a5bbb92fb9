"""From an EVSE id, in any spelling, to the EVSE, its CPO and its prices (ocpi.md §16)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Select, and_, bindparam, or_, select

from charging.ocpi import location_object
from charging.ocpi.evse_id import MAX_LENGTH, EvseConnector, lookup_key, read_connector, without_last_segment
from charging.ocpi.location_object import Body
from charging.ocpi.models import Connector
from charging.ocpi.wire import fold, parse_datetime
from charging.store.connections import Connection, ConnectionStore
from charging.store.engine import Database
from charging.store.objects import ObjectKey
from charging.store.quick import QuickRead
from charging.store.tables import connections, evses, locations, tariffs

REMOVED: Final = "REMOVED"


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


class EvseIndex:
    """Finds EVSEs among those of all active connections."""

    def __init__(self, database: Database, connection_store: ConnectionStore) -> None:
        self._connections = connection_store
        self._by_key = QuickRead(database, _found(evses.c.lookup_key == bindparam("wanted")))
        self._by_uid = QuickRead(database, _found(evses.c.uid == bindparam("wanted")))
        self._by_place = QuickRead(database, _found(and_(evses.c.uid == bindparam("wanted"), _same("location_id"))))
        self._tariffs = QuickRead(database, _TARIFFS)

    async def find(self, evse_id: str) -> EvseMatch | None:
        """The EVSE that ``evse_id`` means; None where nobody has it.

        A removed EVSE is found only where no other is. Ties: the exact spelling first, then a CPO before a hub, then
        what was updated last.
        """
        if not evse_id.strip() or len(evse_id) > MAX_LENGTH:
            return None
        shorter = without_last_segment(evse_id)
        attempts = [(self._by_key, lookup_key(evse_id))]
        attempts += [(self._by_key, lookup_key(shorter))] if shorter else []
        attempts += [(self._by_uid, evse_id.strip())]
        removed: EvseMatch | None = None
        for read, wanted in attempts:
            match = await self._best([_Row(*row) for row in await read.all(wanted=wanted)], evse_id)
            if match is not None and match.status != REMOVED:
                return match
            removed = removed or match
        return removed

    async def at(self, key: ObjectKey, evse_uid: str) -> EvseMatch | None:
        """The EVSE of a Location (``key``), for those without an EVSE id."""
        rows = await self._by_place.all(**key.owner(), location_id=key.id, wanted=evse_uid)
        return await self._best([_Row(*row) for row in rows], evse_uid)

    async def _best(self, rows: Sequence["_Row"], spelling: str) -> EvseMatch | None:
        if not rows:
            return None
        row = min(rows, key=lambda row: _rank(row, spelling))
        connection = await self._connections.recent(row.connection_id)
        return None if connection is None else _match(row, connection, await self._tariffs_of(row))

    async def _tariffs_of(self, row: "_Row") -> dict[str, Body]:
        ids = {str(i) for c in location_object.connectors(row.body) for i in c.get("tariff_ids") or []}
        return {fold(i): body for i in ids if (body := await self._tariff(row, i)) is not None}

    async def _tariff(self, row: "_Row", tariff_id: str) -> Body | None:
        # A CiString: some CPOs write it in one case here and in another there.
        owner = {"connection_id": row.connection_id, "country_code": row.country_code, "party_id": row.party_id}
        found = await self._tariffs.one(**owner, exact=tariff_id, upper=fold(tariff_id), lower=tariff_id.lower())
        return None if found is None else found[0]


@dataclass(frozen=True)
class _Row:
    """One EVSE of an active connection, in the order of ``_found``."""

    connection_id: str
    country_code: str
    party_id: str
    location_id: str
    uid: str
    evse_id: str | None
    status: str
    body: Body
    last_updated: datetime
    time_zone: str | None
    roles: list[Body]


def _found(condition: ColumnElement[bool]) -> Select[Any]:
    of_evse = ("connection_id", "country_code", "party_id", "location_id", "uid", "evse_id", "status", "body")
    columns = (evses.c[name] for name in (*of_evse, "last_updated"))
    return (
        select(*columns, locations.c.time_zone, connections.c.roles)
        .join(connections, and_(connections.c.id == evses.c.connection_id, connections.c.status == "active"))
        .outerjoin(locations, _same_location())
        .where(condition)
    )


def _same(*more: str) -> ColumnElement[bool]:
    """The owner's columns, and ``more``, against parameters of their names."""
    return and_(*(evses.c[name] == bindparam(name) for name in ("connection_id", "country_code", "party_id", *more)))


_TARIFFS: Final = (
    select(tariffs.c.body)
    .where(*(tariffs.c[name] == bindparam(name) for name in ("connection_id", "country_code", "party_id")))
    .where(or_(*(tariffs.c.id == bindparam(spelling) for spelling in ("exact", "upper", "lower"))))
    .where(tariffs.c.missing_since.is_(None))
)


def _same_location() -> ColumnElement[bool]:
    return and_(
        locations.c.connection_id == evses.c.connection_id,
        locations.c.country_code == evses.c.country_code,
        locations.c.party_id == evses.c.party_id,
        locations.c.id == evses.c.location_id,
    )


def _rank(row: _Row, spelling: str) -> tuple[bool, bool, bool, float]:
    is_hub = any(role.get("role") == "HUB" for role in row.roles)
    is_exact = fold(row.evse_id or row.uid) == fold(spelling)
    return (row.status == REMOVED, not is_exact, is_hub, -row.last_updated.timestamp())


def _match(row: _Row, connection: Connection, prices: dict[str, Body]) -> EvseMatch:
    evse = row.body
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
