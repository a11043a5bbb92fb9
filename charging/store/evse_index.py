"""From what stands on a charger, in any spelling, to the EVSE, its CPO and its prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import and_, bindparam, or_, select, union_all

from charging.ocpi.evse_id import MAX_LENGTH, lookup_key, operator_prefix, segments, without_last_segment
from charging.ocpi.wire import fold
from charging.store.connections import ConnectionStore
from charging.store.engine import Database
from charging.store.evse_match import REMOVED, EvseMatch, FoundRow, Matcher, found, tariffs_along
from charging.store.quick import QuickRead
from charging.store.tables import evses

_MOST_TWINS: Final = 50  # rows of one key; more are no EVSE ids but a CPO's placeholder
_NEIGHBOURS: Final = 20


@dataclass(frozen=True)
class Place:
    """The Location that an EVSE without an EVSE id is known by."""

    country_code: str
    party_id: str
    location_id: str


class EvseIndex:
    """Finds EVSEs among those of all active connections. Every answer is a few reads of an index."""

    def __init__(self, database: Database, connection_store: ConnectionStore) -> None:
        self._matcher = Matcher(database, connection_store)
        tariffs = tariffs_along(is_sqlite=database.is_sqlite)
        named = (found(condition, tariffs).limit(_MOST_TWINS) for condition in (_BY_KEY, _BY_UID))
        self._by_name = QuickRead(database, union_all(*(select(one.subquery()) for one in named)))
        self._by_place = QuickRead(database, found(_BY_PLACE, tariffs))
        self._above = QuickRead(database, _neighbours(evses.c.lookup_key >= bindparam("key"), evses.c.lookup_key))
        self._below = QuickRead(database, _neighbours(evses.c.lookup_key < bindparam("key"), evses.c.lookup_key.desc()))

    async def find(self, evse_id: str, place: Place | None = None) -> EvseMatch | None:
        """The EVSE that ``evse_id`` means; None where nobody has it.

        With ``place``, ``evse_id`` may also be the uid or the physical reference of an EVSE there.

        A removed EVSE is found only where no other is. Ties: the exact spelling first, then the same segments, the
        whole id before one without its last segment, then a CPO before a hub, then what was updated last.
        """
        if not evse_id.strip() or len(evse_id) > MAX_LENGTH or "\x00" in evse_id:  # which no store takes
            return None
        row = await self._row(evse_id) if place is None else await self._row_at(place, evse_id)
        return None if row is None else await self._matcher.match(row)

    async def _row(self, evse_id: str) -> FoundRow | None:
        uid, shorter = evse_id.strip(), without_last_segment(evse_id) or evse_id
        keys = {"key": lookup_key(evse_id), "shorter": lookup_key(shorter)}
        rows = await _rows(self._by_name, **keys, exact=uid, upper=uid.upper(), lower=uid.lower())
        best = _best(
            [row for row in rows if row.evse_id and lookup_key(row.evse_id) in keys.values()], evse_id, shorter
        )
        if best is None or best.is_removed:
            return _only([row for row in rows if row.uid in (uid, uid.upper(), uid.lower())]) or best
        return best

    async def _row_at(self, place: Place, reference: str) -> FoundRow | None:
        owner = {"country_code": fold(place.country_code), "party_id": fold(place.party_id)}
        rows = await _rows(self._by_place, **owner, location_id=place.location_id.strip())
        with_key = [row for row in rows if row.evse_id and lookup_key(row.evse_id) == lookup_key(reference)]
        with_uid = [row for row in rows if fold(row.uid) == fold(reference)]
        with_reference = [row for row in rows if _physical_reference(row) == fold(reference)]
        # The CPO's own key comes first: here the caller speaks of the CPO's objects.
        named = [_best(rows, reference) for rows in (with_uid, with_key, with_reference)]
        return min((row for row in named if row), key=lambda row: row.is_removed, default=None)

    async def connections_like(self, evse_id: str) -> set[str]:
        """The connections that have EVSEs of the same operator: the neighbours of ``evse_id`` in the index.

        Only a hint, and empty where ``evse_id`` is no EVSE id.
        """
        prefix = operator_prefix(evse_id)
        if prefix is None:
            return set()
        rows = [row for read in (self._above, self._below) for row in await read.all(key=lookup_key(evse_id))]
        return {connection_id for connection_id, key in rows if key.startswith(prefix)}


_BY_KEY: Final = or_(evses.c.lookup_key == bindparam("key"), evses.c.lookup_key == bindparam("shorter"))
_BY_UID: Final = and_(
    or_(*(evses.c.uid == bindparam(spelling) for spelling in ("exact", "upper", "lower"))), evses.c.status != REMOVED
)
_BY_PLACE: Final = and_(*(evses.c[name] == bindparam(name) for name in ("country_code", "party_id", "location_id")))


def _neighbours(side: Any, order: Any) -> Any:
    return select(evses.c.connection_id, evses.c.lookup_key).where(side).order_by(order).limit(_NEIGHBOURS)


async def _rows(read: QuickRead, **wanted: str) -> list[FoundRow]:
    return [FoundRow(*row) for row in await read.all(**wanted)]


def _best(rows: Sequence[FoundRow], whole: str, shorter: str = "") -> FoundRow | None:
    return min(rows, key=lambda row: _rank(row, whole, shorter), default=None)


def _rank(row: FoundRow, whole: str, shorter: str) -> tuple[bool, bool, bool, bool, bool, float]:
    name = row.evse_id or row.uid
    is_exact = fold(name) == fold(whole)
    is_alike = segments(name) in (segments(whole), segments(shorter))
    is_shorter = lookup_key(name) != lookup_key(whole)
    return (row.is_removed, not is_exact, not is_alike, is_shorter, row.is_of_hub, -row.last_updated.timestamp())


def _only(rows: Sequence[FoundRow]) -> FoundRow | None:
    """The EVSE of a uid, where there is one. Uids are unique to a CPO alone: of two chargers "1", we take neither."""
    return _best(rows, rows[0].uid) if len({row.place for row in rows}) == 1 else None


def _physical_reference(row: FoundRow) -> str:
    return fold(str(row.body.get("physical_reference") or ""))
