"""Odd messages: what a peer sent and we could not use, kept whole for people to look at.

Of each peer the newest ones only, so that none can fill the disk.
"""

import logging
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Select, delete, func, insert, or_, select

from charging.store.engine import Database
from charging.store.tables import odd_messages

logger = logging.getLogger(__name__)

MAX_MESSAGES: Final = 1_000
MAX_CHARACTERS: Final = 50_000_000


async def store_odd_message(
    database: Database,
    *,
    connection_id: str | None,
    method: str,
    path: str,
    body: bytes,
    problem: str,
    once: bool = False,
) -> None:
    """Keep ``body`` as received, with what is wrong with it in ``problem``. Bytes that no text can hold are escaped.

    ``once``: not again while the same is kept, as of an object that stands in a list each time it is read.
    """
    # PostgreSQL stores no NUL in text; backslashreplace keeps the bytes readable.
    text = body.decode("utf-8", "backslashreplace").replace("\x00", "\\x00")
    path = path.replace("\x00", "\\x00")[:512]
    async with database.write() as store:
        if once and await store.scalar(_same(connection_id, method, path, text)) is not None:
            return
        await store.execute(
            insert(odd_messages).values(
                connection_id=connection_id,
                method=method,
                path=path,
                body=text,
                problem=problem,
                received_at=datetime.now(UTC),
                size=len(text),
            )
        )
        await store.execute(delete(odd_messages).where(odd_messages.c.id.in_(_surplus(connection_id))))
    logger.warning("odd message", extra={"connection_id": connection_id, "method": method, "problem": problem})


def _same(connection_id: str | None, method: str, path: str, text: str) -> Select[Any]:
    c = odd_messages.c
    alike = (c.connection_id == connection_id, c.method == method, c.path == path, c.size == len(text))
    return select(c.id).where(*alike, c.body == text).limit(1)


def _surplus(connection_id: str | None) -> Select[Any]:
    """The ids of a peer's messages that are too many, counted from the newest."""
    number = func.row_number().over(order_by=odd_messages.c.id.desc())
    total = func.sum(odd_messages.c.size).over(order_by=odd_messages.c.id.desc())
    counted = select(odd_messages.c.id, number.label("number"), total.label("total")).where(
        odd_messages.c.connection_id == connection_id
    )
    rows = counted.subquery()
    return select(rows.c.id).where(or_(rows.c.number > MAX_MESSAGES, rows.c.total > MAX_CHARACTERS))
