"""Live events within a process: who hears what, and that nobody is waited for."""

import asyncio
from datetime import UTC, datetime

from sqlalchemy import select

from charging.feed import QUEUE, Feed
from charging.store.engine import Database
from charging.store.events import add_event
from charging.store.outbox import Outbox
from charging.store.tables import events
from charging.store.webhooks import owe
from tests.payments.factory import add_session


async def happen(database: Database, session_id: str, times: int) -> None:
    async with database.write() as store:
        for _ in range(times):
            await add_event(store, session_id, "something", {}, datetime.now(UTC))


async def test_a_listener_that_lags_is_cut_and_the_others_hear_all(database: Database) -> None:
    session_id = await add_session(database)
    outbox = Outbox(database)
    feed = Feed(outbox, 20)
    async with feed.listen("ada") as lazy, feed.listen("ada", session_id) as busy:
        heard = []
        for _ in range(2):
            await happen(database, session_id, QUEUE)
            await outbox.number(datetime.now(UTC), owe)
            await feed.hand_out()
            heard += [busy.queue.get_nowait().placed.event.seq for _ in range(busy.queue.qsize())]
        assert heard == list(range(1, 2 * QUEUE + 1))
        assert (lazy.cut, busy.cut) == (True, False)


async def test_places_rise_without_a_gap_whoever_gives_them(database: Database) -> None:
    """Two processes number at once, while a third writes."""
    mine = [await add_session(database) for _ in range(2)]
    processes = [Outbox(database), Outbox(database)]
    for _ in range(5):
        await asyncio.gather(*(happen(database, session_id, 20) for session_id in mine))
        await asyncio.gather(*(outbox.number(datetime.now(UTC), owe) for outbox in processes))
    await processes[0].number(datetime.now(UTC), owe)
    async with database.read() as store:
        rows = (await store.execute(select(events.c.session_id, events.c.seq).order_by(events.c.position))).all()
        places = list((await store.scalars(select(events.c.position).order_by(events.c.position))).all())
    assert places == list(range(1, 201))
    for session_id in mine:
        assert [row.seq for row in rows if row.session_id == session_id] == list(range(1, 101))


async def test_one_event_reaches_a_thousand_listeners_at_once(database: Database) -> None:
    session_id = await add_session(database)
    outbox = Outbox(database)
    feed = Feed(outbox, 1000)
    async with asyncio.timeout(20), feed.listen("ada") as first:
        others = [feed.listen("ada") for _ in range(999)]
        listeners = [first] + [await other.__aenter__() for other in others]
        await happen(database, session_id, 1)
        await outbox.number(datetime.now(UTC), owe)
        await feed.hand_out()
        texts = {id(listener.queue.get_nowait().text) for listener in listeners}
        assert len(texts) == 1  # its JSON is made once for all
        for other in others:
            await other.__aexit__(None, None, None)
