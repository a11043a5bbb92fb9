"""What Robot Jobs is told by our API: at least once, in order within a session, for as long as it takes."""

from datetime import UTC, datetime

from pydantic import SecretStr
from sqlalchemy import select, update

from charging.settings import DEVELOPMENT_SECRET
from charging.store.events import add_event
from charging.store.tables import job_reports, sessions
from tests.neighbours.conftest import Town
from tests.payments.factory import add_session
from tests.waiting import eventually

EVENTS = "/v1/charging-events"


async def job(town: Town, name: str | None) -> None:
    """A session of a job becomes active, then completed, with a note after each."""
    session_id = await add_session(town.database)
    async with town.database.write() as store:
        await store.execute(update(sessions).where(sessions.c.id == session_id).values(job_id=name))
        for status in ("active", "completed"):
            await add_event(store, session_id, "session.status", {"status": status}, datetime.now(UTC))
            await add_event(store, session_id, "started", {"detail": "a note"}, datetime.now(UTC))


async def reports(town: Town) -> list[tuple[str, int]]:
    """Their states and attempts, in order."""
    async with town.database.read() as store:
        query = select(job_reports.c.state, job_reports.c.attempts).order_by(job_reports.c.place)
        return [(state, attempts) for state, attempts in await store.execute(query)]


async def all_told(town: Town, *attempts: int) -> None:
    async def told() -> bool:
        return await reports(town) == [("delivered", n) for n in attempts]

    await eventually(told)
    found = (await town.neighbours.get("/admin/jobs", params={"job_id": "J/1"})).json()
    assert [event["data"]["status"] for event in found] == ["active", "completed"]


async def test_changes_of_a_job_are_told_once_and_in_order_whatever_is_lost(town: Town) -> None:
    await town.mishaps("error_after", "error_before", on=EVENTS)
    await job(town, None)
    await job(town, "J/1")
    await all_told(town, 3, 1)


async def test_a_wrong_key_loses_no_report(town: Town) -> None:
    town.app.state.settings.api_key = SecretStr("another")
    await job(town, "J/1")

    async def refused() -> bool:
        return await reports(town) == [("waiting", 1), ("waiting", 0)]

    await eventually(refused)
    town.app.state.settings.api_key = SecretStr(DEVELOPMENT_SECRET)
    await all_told(town, 2, 1)


async def test_a_report_that_is_refused_is_kept_and_the_next_one_follows(town: Town) -> None:
    await town.mishaps("refused", on=EVENTS)
    await job(town, "J/1")

    async def followed() -> bool:
        return await reports(town) == [("refused", 1), ("delivered", 1)]

    await eventually(followed)
