"""Requests for a charging profile: the API writes one and waits on its row, the workflow answers into it."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import bindparam, delete, insert, select

from charging.session.profile import ProfileWish
from charging.store.engine import Database
from charging.store.quick import QuickRead
from charging.store.tables import profile_requests


@dataclass(frozen=True)
class RequestState:
    """``open``, or what ``ProfileAnswer.state`` says; ``result`` is the CPO's ChargingProfileResultType."""

    state: str
    result: str | None


_STATE = select(profile_requests.c.state, profile_requests.c.result).where(profile_requests.c.id == bindparam("of"))


class ProfileRequestStore:
    """Rows of ``profile_requests``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._state = QuickRead(database, _STATE)  # every robot that waits reads it twenty times a second

    async def open(self, session_id: str, wish: ProfileWish | None) -> str:
        """Store a request (``wish`` None: clear the profile) and return its id."""
        request_id = str(uuid.uuid4())
        async with self._database.write() as connection:
            await connection.execute(
                insert(profile_requests).values(
                    id=request_id,
                    session_id=session_id,
                    wish=None if wish is None else wish.model_dump(mode="json"),
                    state="open",
                    created_at=datetime.now(UTC),
                )
            )
        return request_id

    async def read(self, request_id: str) -> RequestState:
        """What has become of a request."""
        ((state, result),) = await self._state.all(of=request_id)
        return RequestState(state, result)

    async def withdraw(self, request_id: str) -> None:
        """Forget a request that never reached the workflow."""
        async with self._database.write() as connection:
            await connection.execute(delete(profile_requests).where(profile_requests.c.id == request_id))
