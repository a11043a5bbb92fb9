"""Server-Sent Events: what a robot that follows its sessions sees."""

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy import delete, select

from api.app import create_app
from charging.store import tables
from charging.store.engine import Database
from charging.store.events import add_event
from tests.api.conftest import RunningApi
from tests.api.sse import listen
from tests.serving import serve
from tests.stack import user_token
from tests.waiting import eventually


async def happen(database: Database, session_id: str, kind: str = "stop_sent", **data: Any) -> None:
    """Something happens to a session, in one transaction."""
    async with database.write() as store:
        row = select(tables.sessions.c.id).where(tables.sessions.c.id == session_id).with_for_update()
        await store.execute(row)
        await add_event(store, session_id, kind, data, datetime.now(UTC))


async def end(api: RunningApi, session_id: str) -> None:
    """The session's workflow publishes its end."""
    await api.set(session_id, status="failed", phase=None)
    await happen(api.database, session_id, "session.status", status="failed", phase=None, reason=None)


async def test_a_stream_tells_what_was_and_what_happens_and_ends_with_the_session(api: RunningApi) -> None:
    session_id = await api.started()
    await happen(api.database, session_id, "stop_sent", detail="STOP_SESSION, attempt 1")
    async with listen(api.http, f"/v1/sessions/{session_id}/events") as events:
        first = await events.next()
        assert first is not None
        assert first.event == "session.note"
        assert first.data == {
            "id": first.id,
            "type": "session.note",
            "session_id": session_id,
            "at": first.data["at"],
            "seq": 1,
            "data": {"note": "stop_sent", "detail": "STOP_SESSION, attempt 1"},
        }
        await happen(api.database, session_id, "replanned", detail="revision 2: it is late")
        await end(api, session_id)
        assert [(each.event, each.data["seq"]) for each in await events.rest()] == [
            ("plan.revised", 2),
            ("session.status", 3),
        ]


async def test_a_stream_that_is_resumed_misses_and_repeats_nothing(api: RunningApi) -> None:
    session_id = await api.started()
    path, seen = f"/v1/sessions/{session_id}/events", []
    last: str | None = None
    for _ in range(3):
        async with listen(api.http, path, last) as events:
            for _ in range(2):
                await happen(api.database, session_id)
                received = await events.next()
                assert received is not None
                seen.append(received)
        last = seen[-1].id
        await happen(api.database, session_id)  # while nobody listens
    await end(api, session_id)
    async with listen(api.http, path, last) as events:
        seen += await events.rest()
    assert [each.data["seq"] for each in seen] == list(range(1, 11))
    again = await api.http.get(path, headers={"Last-Event-ID": seen[-1].id})
    assert (again.status_code, again.content) == (204, b"")


async def test_all_sessions_of_a_user_are_one_stream_at_two_processes_and_over_a_restart(api: RunningApi) -> None:
    mine = [await api.started(evse_id=evse) for evse in ("FI-VRT-E12345", "FI-VRT-E12346")]
    others = await api.count(tables.events)
    assert others == 0
    seen = []
    async with serve(create_app(api.settings)) as other_url:
        headers = {"Authorization": f"Bearer {user_token()}"}
        async with (
            httpx.AsyncClient(base_url=other_url, headers=headers) as http,
            listen(http, "/v1/events") as there,
            listen(api.http, "/v1/events") as here,
        ):
            for session_id in mine * 2:
                await happen(api.database, session_id)
            seen = [await there.next() for _ in range(4)]
            assert [await here.next() for _ in range(4)] == seen
    last = seen[-1]
    assert last is not None
    await happen(api.database, mine[0])
    async with listen(api.http, "/v1/events", last.id) as events:
        seen.append(await events.next())
    assert sorted((each.data["session_id"], each.data["seq"]) for each in seen if each) == sorted(
        [(mine[0], 1), (mine[0], 2), (mine[0], 3), (mine[1], 1), (mine[1], 2)]
    )
    assert len({each.id for each in seen if each}) == 5


async def test_a_reader_that_is_cut_off_before_its_first_event_misses_none(api: RunningApi) -> None:
    begun = []
    for _ in range(2):  # without any event of the user's, then with one
        async with api.http.stream("GET", "/v1/events") as answer:
            begun.append(await anext(line async for line in answer.aiter_lines() if line.startswith("id: ")))
        session_id = await api.started(evse_id=f"FI-VRT-E1234{4 + len(begun)}")
        await happen(api.database, session_id)
        async with listen(api.http, "/v1/events", begun[-1].removeprefix("id: ")) as events:
            received = await events.next()
            assert received is not None
            assert (received.data["session_id"], received.data["seq"]) == (session_id, 1)
    assert begun[0] == "id: none"


async def test_a_reader_whose_event_is_not_kept_is_told_so_and_gets_all_that_is(lite: RunningApi) -> None:
    session_id = (await lite.start(sub="late")).json()["session_id"]
    for _ in range(3):
        await happen(lite.database, session_id)
    async with lite.database.write() as store:
        first = (tables.events.c.session_id == session_id) & (tables.events.c.seq == 1)
        await store.execute(delete(tables.events).where(first))
    late = {"Authorization": f"Bearer {user_token('late')}"}
    for path in ("/v1/events", f"/v1/sessions/{session_id}/events"):
        async with listen(lite.http, path, str(uuid.uuid4()), **late) as events:
            told = [await events.next() for _ in range(3)]
        assert [(each.id != "", each.event, each.data.get("seq")) for each in told if each] == [
            (False, "stream.reset", None),
            (True, "session.note", 2),
            (True, "session.note", 3),
        ]


async def test_a_user_hears_nothing_of_another_users_sessions(lite: RunningApi) -> None:
    mine = await lite.started()
    theirs = {"Authorization": f"Bearer {user_token('user-2')}"}
    absent = await lite.http.get(f"/v1/sessions/{uuid.uuid4()}/events")
    foreign = await lite.http.get(f"/v1/sessions/{mine}/events", headers=theirs)
    assert (foreign.status_code, foreign.json()) == (404, absent.json())
    await happen(lite.database, mine)
    (row,) = await rows(lite)
    refused = await lite.http.get("/v1/events", headers={**theirs, "Last-Event-ID": row})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "event_unknown")
    blind = {"Authorization": f"Bearer {user_token(scope='sessions:write')}"}
    assert (await lite.http.get("/v1/events", headers=blind)).status_code == 403
    async with listen(lite.http, "/v1/events", **theirs) as events:
        other = (await lite.start(sub="user-2", evse_id="FI-VRT-E12346")).json()["session_id"]
        await happen(lite.database, mine)
        await happen(lite.database, other)
        received = await events.next()
    assert received is not None
    assert received.data["session_id"] == other


async def rows(api: RunningApi) -> list[str]:
    async with api.database.read() as store:
        return list((await store.scalars(select(tables.events.c.id))).all())


async def test_streams_per_user_are_bounded_and_a_closed_one_makes_room(lite: RunningApi) -> None:
    sub = {"Authorization": f"Bearer {user_token('crowd')}"}
    async with httpx.AsyncClient(base_url=lite.url, timeout=10) as http:
        open_ones = [listen(http, "/v1/events", **sub) for _ in range(lite.settings.max_event_streams)]
        async with asyncio.TaskGroup() as group:
            for one in open_ones:
                group.create_task(one.__aenter__())
        refused = await http.get("/v1/events", headers=sub)
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
        assert int(refused.headers["retry-after"]) > 0
        for one in open_ones:
            await one.__aexit__(None, None, None)

        async def has_room() -> bool:
            async with http.stream("GET", "/v1/events", headers=sub) as again:
                return again.status_code == 200

        await eventually(has_room)


async def test_a_stream_ends_when_its_token_does(lite: RunningApi) -> None:
    soon = {"Authorization": f"Bearer {user_token(exp=datetime.now(UTC).timestamp() + 1)}"}
    async with listen(lite.http, "/v1/events", **soon) as events:
        assert await events.rest() == []
