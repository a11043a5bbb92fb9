"""What has been used of quotas, by all processes together: one row for each, good for one window of time."""

from datetime import datetime

from sqlalchemy import case, delete
from sqlalchemy.dialects import postgresql, sqlite

from charging.store.engine import Database
from charging.store.tables import quotas


class QuotaStore:
    """Counts what processes take. Who takes how much, and when, is theirs to say (``api.limiter``)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def use(self, name: str, ends_at: datetime, amount: int) -> int:
        """Note that ``amount`` of quota ``name`` is used, and return what is used of it in the window of ``ends_at``.

        A window that ends later than the row's begins anew. One that ends earlier is that of a process whose clock is
        behind: it counts in the newer one. Raises ``StoreUnavailable``.
        """
        make = sqlite.insert if self._database.is_sqlite else postgresql.insert
        statement = make(quotas).values(name=name, ends_at=ends_at, used=amount)
        is_new = statement.excluded.ends_at > quotas.c.ends_at
        later = {
            "ends_at": case((is_new, statement.excluded.ends_at), else_=quotas.c.ends_at),
            "used": case((is_new, statement.excluded.used), else_=quotas.c.used + statement.excluded.used),
        }
        counted = statement.on_conflict_do_update(index_elements=["name"], set_=later).returning(quotas.c.used)
        async with self._database.write() as store:
            return int((await store.execute(counted)).scalar_one())

    async def forget(self, before: datetime) -> None:
        """Delete the rows of windows that ended before ``before``."""
        async with self._database.write() as store:
            await store.execute(delete(quotas).where(quotas.c.ends_at < before))
