"""Odd messages: what a peer sent and we could not use, kept whole for people to look at."""

import logging
from datetime import UTC, datetime

from sqlalchemy import insert

from charging.store.engine import Database
from charging.store.tables import odd_messages

logger = logging.getLogger(__name__)


async def store_odd_message(
    database: Database, *, connection_id: str | None, method: str, path: str, body: bytes, problem: str
) -> None:
    """Keep ``body`` as received, with what is wrong with it in ``problem``. Bytes that no text can hold are escaped."""
    # PostgreSQL stores no NUL in text; backslashreplace keeps the bytes readable.
    text = body.decode("utf-8", "backslashreplace").replace("\x00", "\\x00")
    async with database.write() as store:
        await store.execute(
            insert(odd_messages).values(
                connection_id=connection_id,
                method=method,
                path=path[:512],
                body=text,
                problem=problem,
                received_at=datetime.now(UTC),
            )
        )
    logger.warning("odd message", extra={"connection_id": connection_id, "method": method, "problem": problem})
