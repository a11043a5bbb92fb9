"""An EVSE that was found, with all that one must know to charge at it: its Location, connection and prices."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import JSON, ColumnElement, Select, and_, bindparam, literal_column, or_, select

from charging.ocpi import location_object
from charging.ocpi.evse_id import EvseConnector, read_connectors
from charging.ocpi.geo import Point, position
from charging.ocpi.location_object import Body
from charging.ocpi.wire import fold, parse_datetime
from charging.store.connections import Connection, ConnectionStore
from charging.store.engine import Database
from charging.store.quick import QuickRead
from charging.store.tables import connections, evses, locations, tariffs

REMOVED: Final = "REMOVED"


@dataclass(frozen=True)
class EvseMatch:
    """One EVSE that was found. ``status`` is OCPI's; ``tariffs`` are the Tariff objects of its connectors.

    ``body`` and ``location`` are the EVSE and its Location as received.
    """

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
    last_updated: datetime
    body: Body
    location: Body
    tariffs: dict[str, Body] = field(default_factory=dict)

    @property
    def position(self) -> Point | None:
        """Where it is, as far as its CPO tells."""
        return position(self.body, self.location)

    @property
    def takes_profiles(self) -> bool:
        """The EVSE says so, and its CPO has the module (OCPI 2.2.1 §8.4.3, §14)."""
        has_module = self.connection.endpoint("chargingprofiles", "RECEIVER") is not None
        return has_module and "CHARGING_PROFILE_CAPABLE" in self.capabilities

    @property
    def takes_preferences(self) -> bool:
        """The EVSE says so, and its CPO can be told (OCPI 2.2.1 §9.2.1.2; 2.1.1 has no charging preferences)."""
        can_be_told = self.connection.endpoint("sessions", "SENDER") is not None and self.connection.version != "2.1.1"
        return can_be_told and "CHARGING_PREFERENCES_CAPABLE" in self.capabilities

    def tariff_of(self, connector: EvseConnector, now: datetime) -> Body | None:
        """The Tariff of a remote start at ``connector``: regular or untyped, valid at ``now``.

        None: the price is unknown, which is not free.
        """
        known = [self.tariffs[fold(i)] for i in connector.tariff_ids if fold(i) in self.tariffs]
        return next((t for t in known if t.get("type") in (None, "REGULAR") and _is_valid(t, now)), None)


def _is_valid(tariff: Body, now: datetime) -> bool:
    starts, ends = tariff.get("start_date_time"), tariff.get("end_date_time")
    return (not starts or parse_datetime(starts) <= now) and (not ends or now < parse_datetime(ends))


@dataclass(frozen=True)
class FoundRow:
    """One EVSE of an active connection, in the order of ``found``."""

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
    location: Body
    roles: list[Body]
    tariffs: dict[str, Body] | None = None  # of its connectors, by id; None: not read along

    @property
    def place(self) -> tuple[str, str, str]:
        """Its Location; through whichever connection it was heard of."""
        return self.country_code, self.party_id, self.location_id

    @property
    def is_removed(self) -> bool:
        """Whether its CPO has taken it away for good."""
        return self.status == REMOVED

    @property
    def is_of_hub(self) -> bool:
        """Whether a hub told of it, and not its CPO."""
        return any(role.get("role") == "HUB" for role in self.roles)


def found(condition: ColumnElement[bool], *more: ColumnElement[Any]) -> Select[Any]:
    """The columns of ``FoundRow``, of EVSEs of active connections; ``more``: ``tariffs_along``, where wanted."""
    of_evse = ("connection_id", "country_code", "party_id", "location_id", "uid", "evse_id", "status", "body")
    columns = (evses.c[name] for name in (*of_evse, "last_updated"))
    return (
        select(*columns, locations.c.time_zone, locations.c.body.label("location"), connections.c.roles, *more)
        .join(connections, and_(connections.c.id == evses.c.connection_id, connections.c.status == "active"))
        .join(locations, _same_location())
        .where(condition)
    )


def _same_location() -> ColumnElement[bool]:
    return and_(
        locations.c.connection_id == evses.c.connection_id,
        locations.c.country_code == evses.c.country_code,
        locations.c.party_id == evses.c.party_id,
        locations.c.id == evses.c.location_id,
    )


def tariffs_along(*, is_sqlite: bool) -> ColumnElement[Any]:
    """The Tariffs of an EVSE's connectors in its own row, so that who looks for one EVSE asks the database once."""
    return literal_column(_TARIFFS_SQLITE if is_sqlite else _TARIFFS_POSTGRESQL, JSON()).label("tariffs")


# Whatever a CPO writes where its connectors should stand: what is no id finds no Tariff, and nothing fails.
_ARE_OF_EVSE: Final = """
    tariffs.connection_id = evses.connection_id AND tariffs.country_code = evses.country_code
    AND tariffs.party_id = evses.party_id AND tariffs.missing_since IS NULL
"""
# OFFSET 0 and ANY of an array: the planner cannot know how few ids there are, and would read all of a CPO's Tariffs.
_TARIFFS_POSTGRESQL: Final = f"""(
    SELECT coalesce(jsonb_object_agg(of_id.id, of_id.body), '{{}}')
    FROM (
        SELECT id #>> '{{}}' AS id
        FROM jsonb_path_query(evses.body, 'lax $.connectors[*].tariff_ids[*]') AS id
        LIMIT 100
    ) AS wanted CROSS JOIN LATERAL (
        SELECT tariffs.id, tariffs.body FROM tariffs
        WHERE {_ARE_OF_EVSE} AND tariffs.id = ANY (ARRAY[wanted.id, upper(wanted.id), lower(wanted.id)])
        OFFSET 0
    ) AS of_id
)"""  # noqa: S608 - constants
_TARIFFS_SQLITE: Final = f"""(
    SELECT json_group_object(tariffs.id, json(tariffs.body))
    FROM (
        SELECT CAST(ids.value AS TEXT) AS id
        FROM json_each(evses.body, '$.connectors') AS plugs,
            json_each(CASE plugs.type WHEN 'object' THEN plugs.value ELSE '{{}}' END, '$.tariff_ids') AS ids
        LIMIT 100
    ) AS wanted CROSS JOIN tariffs
    WHERE {_ARE_OF_EVSE} AND tariffs.id IN (wanted.id, upper(wanted.id), lower(wanted.id))
)"""  # noqa: S608 - constants


class Matcher:
    """Makes an ``EvseMatch`` of a row."""

    def __init__(self, database: Database, connection_store: ConnectionStore) -> None:
        self._connections = connection_store
        self._tariffs = QuickRead(database, _TARIFFS)

    async def match(self, row: FoundRow) -> EvseMatch | None:
        """The EVSE of ``row``; None where its connection has just gone."""
        matches = await self.matches([row])
        return matches[0] if matches else None

    async def matches(self, rows: Sequence[FoundRow]) -> list[EvseMatch]:
        """The EVSEs of ``rows``, in their order; each Tariff is read once."""
        known: dict[tuple[str, str, str, str], Body | None] = {}
        result = []
        for row in rows:
            connection = await self._connections.recent(row.connection_id)
            if connection is not None:
                prices = row.tariffs if row.tariffs is not None else await self._tariffs_of(row, known)
                result.append(_match(row, connection, {fold(id): body for id, body in prices.items()}))
        return result

    async def _tariffs_of(self, row: FoundRow, known: dict[tuple[str, str, str, str], Body | None]) -> dict[str, Body]:
        owner = (row.connection_id, row.country_code, row.party_id)
        ids = {str(i) for c in location_object.connectors(row.body) for i in c.get("tariff_ids") or []}
        for id in ids:
            if (*owner, fold(id)) not in known:
                known[(*owner, fold(id))] = await self._tariff(*owner, id)
        return {fold(id): body for id in ids if (body := known[(*owner, fold(id))]) is not None}

    async def _tariff(self, connection_id: str, country_code: str, party_id: str, tariff_id: str) -> Body | None:
        # A CiString: some CPOs write it in one case here and in another there.
        spellings = {"exact": tariff_id, "upper": fold(tariff_id), "lower": tariff_id.lower()}
        row = await self._tariffs.one(
            connection_id=connection_id, country_code=country_code, party_id=party_id, **spellings
        )
        return None if row is None else row[0]


_TARIFFS: Final = (
    select(tariffs.c.body)
    .where(*(tariffs.c[name] == bindparam(name) for name in ("connection_id", "country_code", "party_id")))
    .where(or_(*(tariffs.c.id == bindparam(spelling) for spelling in ("exact", "upper", "lower"))))
    .where(tariffs.c.missing_since.is_(None))
)


def _match(row: FoundRow, connection: Connection, prices: dict[str, Body]) -> EvseMatch:
    return EvseMatch(
        connection=connection,
        country_code=row.country_code,
        party_id=row.party_id,
        location_id=row.location_id,
        evse_uid=row.uid,
        evse_id=row.evse_id,
        status=row.status,
        capabilities=tuple(str(capability) for capability in row.body.get("capabilities") or []),
        connectors=tuple(read_connectors(row.body)),
        time_zone=row.time_zone,
        last_updated=row.last_updated,
        body=row.body,
        location=row.location,
        tariffs=prices,
    )
