"""EVSEs within a radius, nearest first. No extension of a database is needed: bands of latitude in an ordinary index.

The search grows from a few hundred metres to the whole radius and ends as soon as it has enough, so that it reads
little in a city, where much is near, and little in the country, where there is not much.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, and_, or_

from charging.ocpi.evse_id import connector_types, read_connectors
from charging.ocpi.geo import Area, Point, area_around, position
from charging.ocpi.location_object import Body
from charging.ocpi.wire import fold
from charging.store.connections import ConnectionStore
from charging.store.engine import Database
from charging.store.evse_match import REMOVED, EvseMatch, FoundRow, Matcher, found
from charging.store.tables import evses

MAX_RADIUS_M: Final = 50_000
_FIRST_RADIUS_M: Final = 250.0
_GROWTH: Final = 2
_MOST_ROWS: Final = 2_000  # read at a time; more within the first radius is a CPO that puts all it has on one spot


@dataclass(frozen=True)
class Wish:
    """What to look for. ``connector_type`` as ``choose_connector`` takes it; power in kW.

    ``available`` True: AVAILABLE ones only; False: the others only.
    """

    connector_type: str | None = None
    available: bool | None = None
    min_power_kw: float | None = None

    def condition(self) -> ColumnElement[bool]:
        """What the store can tell; ``fits`` is the last word."""
        conditions = [evses.c.status != REMOVED]
        if self.available is not None:
            conditions.append((evses.c.status == "AVAILABLE") == self.available)
        if self.min_power_kw is not None:
            conditions.append(evses.c.max_power_w >= int(self.min_power_kw * 1000))
        if self.connector_type is not None:
            names = sorted(connector_types(self.connector_type))
            conditions.append(or_(*(evses.c.standards.contains(f",{name},", autoescape=True) for name in names)))
        return and_(*conditions)

    def fits(self, evse: Body) -> bool:
        """Whether one connector of it is all that is wished."""
        if self.connector_type is None and self.min_power_kw is None:
            return True
        types = None if self.connector_type is None else connector_types(self.connector_type)
        least_w = (self.min_power_kw or 0) * 1000
        connectors = [c for c in read_connectors(evse) if types is None or fold(c.standard) in types]
        return any(connector.max_power_w >= least_w for connector in connectors)


@dataclass(frozen=True)
class Nearby:
    """What was found, with its distance in m, nearest first; ``is_cut``: there is more within the radius."""

    evses: list[tuple[float, EvseMatch]]
    is_cut: bool


class EvsesNearby:
    """Searches the public EVSEs of all active connections."""

    def __init__(self, database: Database, connection_store: ConnectionStore) -> None:
        self._database = database
        self._matcher = Matcher(database, connection_store)

    async def search(self, centre: Point, radius_m: float, wish: Wish, limit: int) -> Nearby:
        """At most ``limit`` EVSEs within ``radius_m`` of ``centre``, by great-circle distance."""
        near: list[tuple[float, FoundRow]] = []
        for radius in _growing(radius_m):
            rows = await self._rows(area_around(centre, radius), wish)
            near = _near(rows, centre, radius, wish)
            if len(near) > limit or len(rows) >= _MOST_ROWS:
                break
        matches = await self._matcher.matches([row for _, row in near[:limit]])
        return Nearby([(centre.metres_to(m.position), m) for m in matches if m.position], len(near) > limit)

    async def _rows(self, area: Area, wish: Wish) -> list[FoundRow]:
        rows: list[FoundRow] = []
        async with self._database.read() as store:
            for west, east in area.spans:
                in_area = and_(
                    evses.c.band.in_(area.bands),
                    evses.c.longitude.between(west, east),
                    evses.c.latitude.between(area.south, area.north),
                )
                result = await store.execute(found(and_(in_area, wish.condition())).limit(_MOST_ROWS))
                rows += [FoundRow(*row) for row in result]
        return rows


def _growing(radius_m: float) -> Iterator[float]:
    radius = _FIRST_RADIUS_M
    while radius < radius_m:
        yield radius
        radius *= _GROWTH
    yield radius_m


def _near(rows: Iterable[FoundRow], centre: Point, radius_m: float, wish: Wish) -> list[tuple[float, FoundRow]]:
    """The fitting ones within the radius, by distance; one that a hub tells of, too, is its CPO's."""
    placed = [(centre.metres_to(where), row) for row in rows if (where := position(row.body, row.location))]
    placed = [(metres, row) for metres, row in placed if metres <= radius_m and wish.fits(row.body)]
    placed.sort(key=lambda one: (one[0], one[1].place, one[1].uid, one[1].is_of_hub))
    once = {(row.place, row.uid): (metres, row) for metres, row in reversed(placed)}
    return list(reversed(once.values()))
