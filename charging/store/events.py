"""Events of a session that the receiver writes beside the workflow's: for people, ordered by ``seq``."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.store.tables import events


async def add_event(
    connection: AsyncConnection, session_id: str, event_type: str, data: dict[str, Any], at: datetime
) -> None:
    """Append one event. The caller holds the session's row, so that no other writer takes the same number."""
    last = await connection.scalar(select(func.max(events.c.seq)).where(events.c.session_id == session_id))
    await connection.execute(
        insert(events).values(
            session_id=session_id, seq=(last or 0) + 1, id=str(uuid.uuid4()), type=event_type, data=data, at=at
        )
    )
