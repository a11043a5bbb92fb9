"""Whose meter events are written: those of users who read events, so that nobody else pays for them."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.store.tables import meter_readers, sessions

# A column for selects of sessions: until when somebody reads the events of the session's user, or null.
METER_READ_UNTIL: Final = (
    select(meter_readers.c.until)
    .where(meter_readers.c.user_id == sessions.c.user_id)
    .correlate(sessions)
    .scalar_subquery()
    .label("meter_read_until")
)


async def read_meters(store: AsyncConnection, user_id: str, until: datetime) -> None:
    """Have meter events of the user's sessions written until then, or for longer where that was asked before."""
    make: Any = sqlite.insert if store.dialect.name == "sqlite" else postgresql.insert
    statement = make(meter_readers).values(user_id=user_id, until=until)
    later = meter_readers.c.until < statement.excluded.until
    changed = {"until": statement.excluded.until}
    await store.execute(statement.on_conflict_do_update(index_elements=["user_id"], set_=changed, where=later))
