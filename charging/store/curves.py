"""Curves of prices and of CO2: uploaded, or fetched from where they are published. The last known good one is kept.

Whoever changes the points has, in the same transaction, the sessions told whose plans may rest on them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.ocpi.wire import fold
from charging.planning.publication import CurveKind, ahead
from charging.planning.request import PriceSlot
from charging.session.model import Status
from charging.store.engine import Database
from charging.store.inbox import Kind, add_wakes
from charging.store.tables import curves, sessions
from charging.store.upsert import upsert


@dataclass(frozen=True)
class StoredCurve:
    """A curve, and which chargers it is about: those of a Location, of a connection, or all.

    ``url`` None: uploaded. ``fetched_at``: when ``slots`` came; ``checked_at``: when ``url`` was last asked, and
    ``last_error`` what was wrong then.
    """

    name: str
    kind: CurveKind
    currency: str | None = None
    url: str | None = None
    connection_id: str | None = None
    location_id: str | None = None
    slots: tuple[PriceSlot, ...] = ()
    etag: str | None = None
    fetched_at: datetime | None = None
    checked_at: datetime | None = None
    last_error: str | None = None

    @property
    def horizon(self) -> datetime | None:
        """The end of the last slot."""
        return self.slots[-1].end if self.slots else None

    def concerns(self, connection_id: str, location_id: str) -> bool:
        """Whether it is about the chargers of this Location."""
        of_location = self.location_id is None or fold(self.location_id) == fold(location_id)
        return self.connection_id is None or (self.connection_id == connection_id and of_location)


class CurveStore:
    """Reads and writes curves."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[StoredCurve]:
        """All curves, by name."""
        async with self._database.read() as store:
            return [_curve(row) for row in await store.execute(select(curves).order_by(curves.c.name))]

    async def get(self, name: str) -> StoredCurve | None:
        """The curve of this name."""
        async with self._database.read() as store:
            return await _one(store, name)

    async def closest(self, connection_id: str, location_id: str) -> dict[CurveKind, StoredCurve]:
        """Of each kind the curve that a plan for this Location rests on, as far as there is one with points.

        One of the Location goes before one of its connection, and that before one of all; the first by name counts.
        """
        concerned = [curve for curve in await self.all() if curve.slots and curve.concerns(connection_id, location_id)]
        concerned.sort(key=lambda curve: (curve.location_id is None, curve.connection_id is None))
        found: dict[CurveKind, StoredCurve] = {}
        for curve in concerned:
            found.setdefault(curve.kind, curve)
        return found

    async def put(self, curve: StoredCurve, now: datetime) -> bool:
        """Store a curve in place of the one of its name; True where there was none."""
        async with self._database.write() as store:
            before = await _one(store, curve.name)
            await upsert(store, curves, _row(curve))
            if before is None or _plannable(before, now) != _plannable(curve, now):
                await _tell(store, [curve, *([before] if before else [])], now)
        return before is None

    async def renew(self, name: str, url: str, now: datetime, **changes: Any) -> bool:
        """What came, or did not come, from ``url``; a curve that is fetched from elsewhere by now stays as it is.

        True where the points that are not over have changed.
        """
        async with self._database.write() as store:
            before = await _one(store, name)
            if before is None or before.url != url:
                return False
            after = replace(before, checked_at=now, **changes)
            await upsert(store, curves, _row(after))
            has_changed = _plannable(before, now) != _plannable(after, now)
            if has_changed:
                await _tell(store, [after], now)
        return has_changed

    async def remove(self, name: str, now: datetime) -> bool:
        """Forget a curve. False: there was none."""
        async with self._database.write() as store:
            before = await _one(store, name)
            if before is not None:
                await store.execute(delete(curves).where(curves.c.name == name))
                await _tell(store, [before], now)
        return before is not None


async def _one(store: AsyncConnection, name: str) -> StoredCurve | None:
    row = (await store.execute(select(curves).where(curves.c.name == name))).one_or_none()
    return None if row is None else _curve(row)


async def _tell(store: AsyncConnection, changed: Sequence[StoredCurve], now: datetime) -> None:
    """Wake the sessions that are planned up to a departure where one of these curves holds."""
    live = sessions.c.status.in_((Status.PENDING, Status.ACTIVE))
    query = select(sessions.c.id, sessions.c.spec, sessions.c.profile).where(live, sessions.c.profile.is_not(None))
    planned = [row for row in await store.execute(query) if _has_departure(row.profile)]
    concerned = {row.id for row in planned for curve in changed if _is_at(curve, row.spec)}
    await add_wakes(store, concerned, now, Kind.PRICES)


def _has_departure(profile: Mapping[str, Any] | None) -> bool:
    return profile is not None and profile["wish"].get("departure_time") is not None


def _is_at(curve: StoredCurve, spec: Mapping[str, Any]) -> bool:
    return curve.concerns(spec["connection_id"], spec["location_id"])


def _plannable(curve: StoredCurve, now: datetime) -> tuple[object, ...]:
    """What plans rest on."""
    return curve.kind, curve.currency, curve.connection_id, curve.location_id, ahead(curve.slots, now)


def _row(curve: StoredCurve) -> dict[str, Any]:
    slots = [slot.model_dump(mode="json") for slot in curve.slots]
    return {name: getattr(curve, name) for name in curves.c.keys()} | {"slots": slots}


def _curve(row: Row[Any]) -> StoredCurve:
    slots = tuple(PriceSlot.model_validate(slot) for slot in row.slots)
    return StoredCurve(**{**row._mapping, "slots": slots})
