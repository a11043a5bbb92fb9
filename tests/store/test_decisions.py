"""What a workflow publishes, when the workflow task that did so is lost and run again with other messages beside it."""

from typing import Any

import pytest
from sqlalchemy import select

from charging.session import profile_rules, rules
from charging.session.answers import ProfileSent, StopAnswer
from charging.session.details import publication
from charging.session.messages import ClearProfileRequest, CommandResultMessage, StopRequest
from charging.session.model import CpoStatus, SessionState
from charging.session.notes import note_status
from charging.store.decisions import DecisionStore
from charging.store.engine import Database
from charging.store.profile_requests import ProfileRequestStore
from charging.store.tables import events, sessions
from tests.payments.factory import add_session
from tests.session.factory import active, at, meter


class Published:
    """A store, and the only session that it has."""

    def __init__(self, database: Database, session_id: str) -> None:
        self._database = database
        self._decisions = DecisionStore(database)
        self._session_id = session_id
        self._length = 0

    def begun(self) -> SessionState:
        """The session as it charges, with nothing told of it yet."""
        return active(session_id=self._session_id)

    async def tell(self, state: SessionState, seconds: float) -> None:
        """Publish as the workflow does, each time at a greater length of its history."""
        note_status(state, at(seconds))
        self._length += 5
        await self._decisions.publish(publication(state, length=self._length, n=1))
        state.unpublished = []

    async def row(self) -> Any:
        async with self._database.read() as store:
            return (await store.execute(select(sessions).where(sessions.c.id == self._session_id))).one()

    async def events(self) -> list[Any]:
        """Their types; of a status, an arrow and the status."""
        query = select(events.c.type, events.c.data).where(events.c.session_id == self._session_id)
        async with self._database.read() as store:
            rows = (await store.execute(query.order_by(events.c.seq))).all()
        return [f"→ {row.data['status']}" if "status" in row.data else row.type for row in rows]


@pytest.fixture
async def published(database: Database) -> Published:
    return Published(database, await add_session(database))


async def test_an_end_that_was_told_stands_though_it_is_decided_again_from_a_stop(published: Published) -> None:
    first = published.begun()
    await published.tell(first, 10)
    again = first.model_copy(deep=True)
    rules.session_updated(first, meter(first, CpoStatus.INVALID), at(20))
    await published.tell(first, 20)
    told = (await published.row()).reason

    rules.stop_requested(again, StopRequest(by="user"), at(21))
    await published.tell(again, 21)
    row = await published.row()
    assert (row.status, row.reason, row.stop_sent_at) == ("failed", told, None)
    assert "→ stopping" not in await published.events()

    rules.stop_sent(again, at(22))
    rules.session_updated(again, meter(again, CpoStatus.INVALID), at(23))
    await published.tell(again, 23)
    row = await published.row()
    assert (row.status, row.reason, row.stop_sent_at) == ("failed", told, at(22)), "the rest is as it was decided last"
    assert (await published.events()).count("→ failed") == 1


async def test_whatever_a_cpo_says_can_be_stored_however_long(published: Published, database: Database) -> None:
    state, words = published.begun(), "x" * 2_000
    request_id = await ProfileRequestStore(database).open(state.spec.session_id, None)
    profile_rules.profile_requested(state, ClearProfileRequest(message_id=request_id), at(1))
    profile_rules.profile_sent(state, "c1", None, at(1))
    profile_rules.profile_answered(state, ProfileSent(command_id="c1", result=words), at(2))
    for command in ("START_SESSION", "STOP_SESSION", "SET_PROFILE", "ACTIVE_PROFILE"):
        said = CommandResultMessage(command=command, command_id="c1", result=words, detail=words)
        rules.command_resulted(state, said, at(3))
    rules.stop_answered(state, StopAnswer(refused=True, detail=words), at(4))
    await published.tell(state, 5)
    answered = await ProfileRequestStore(database).read(request_id)
    assert (answered.state, answered.result) == ("rejected", "x" * 100)


async def test_a_status_goes_forward_only_whatever_is_published_last(published: Published) -> None:
    charging = published.begun()
    stopping = charging.model_copy(deep=True)
    rules.stop_requested(stopping, StopRequest(by="user"), at(10))
    await published.tell(stopping, 10)
    await published.tell(charging, 11)
    assert (await published.row()).status == "stopping"
    assert [event for event in await published.events() if event.startswith("→")] == ["→ active", "→ stopping"]


async def test_a_repeat_is_known_and_something_else_under_the_same_number_is_told(published: Published) -> None:
    first = published.begun()
    again, otherwise = (first.model_copy(deep=True) for _ in range(2))
    await published.tell(first, 10)
    once = await published.events()
    await published.tell(again, 11)
    assert await published.events() == once
    otherwise.unpublished = [entry.model_copy(update={"detail": "else"}) for entry in otherwise.unpublished[:1]]
    await published.tell(otherwise, 12)
    assert len(await published.events()) == len(once) + 1
