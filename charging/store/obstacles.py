"""What may stand in the way of a start that was ordered: somebody's reservation, or a CPO that is left alone."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import and_, bindparam, select, text

from charging.store.engine import Database
from charging.store.quick import QuickRead
from charging.store.tables import HOLDS_EVSE, connections, peer_health, reservations

_HOLDER: Final = and_(
    reservations.c.connection_id == connections.c.id,
    reservations.c.location_id == bindparam("location_id"),
    reservations.c.evse_uid == bindparam("evse_uid"),
    text(f"reservations.{HOLDS_EVSE}"),  # in the words of the index, so that it is used
)
_BREAKER: Final = and_(
    peer_health.c.connection_id == connections.c.id,
    peer_health.c.process == "worker",
    peer_health.c.state == "open",
)
_OBSTACLES: Final = (
    select(
        *(reservations.c[name] for name in ("expires_at", "id", "user_id", "token")),
        peer_health.c.retry_at,
    )
    .select_from(connections.outerjoin(reservations, _HOLDER).outerjoin(peer_health, _BREAKER))
    .where(connections.c.id == bindparam("wanted"))
)


@dataclass(frozen=True)
class Holder:
    """Who holds an EVSE, and the token that a start of theirs must show."""

    reservation_id: str
    user_id: str
    token: dict[str, Any]


@dataclass(frozen=True)
class Obstacles:
    """``holder``: who has reserved the EVSE. ``left_alone_until``: when workers will call its CPO again."""

    holder: Holder | None = None
    left_alone_until: datetime | None = None


class ObstacleStore:
    """Both in one read: a robot waits for it."""

    def __init__(self, database: Database) -> None:
        self._obstacles = QuickRead(database, _OBSTACLES)

    async def of(self, connection_id: str, location_id: str, evse_uid: str, now: datetime) -> Obstacles:
        """What stands in the way at this EVSE at ``now``."""
        row = await self._obstacles.one(wanted=connection_id, location_id=location_id, evse_uid=evse_uid)
        if row is None:
            return Obstacles()
        expires_at, reservation_id, user_id, token, retry_at = row
        is_held = expires_at is not None and expires_at > now
        return Obstacles(
            holder=Holder(reservation_id, user_id, token) if is_held else None,
            left_alone_until=retry_at if retry_at is not None and retry_at > now else None,
        )
