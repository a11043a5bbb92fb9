"""An EVSE that nobody knows makes us ask those who may have it: once, for a moment, and nobody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from charging.ocpi.refresh import FEW, PULL_S, EvseRefresh
from charging.store.connections import Connection
from charging.store.evse_index import EvseIndex
from charging.store.tables import odd_messages
from tests.ocpi.conftest import Emsp, on_sqlite
from tests.peer import ScriptedCpo, answer, evse, html, location, now
from tests.waiting import eventually

NEW = "FI*VRT*E500"


class Asking:
    """The index and the refresh of one process."""

    def __init__(self, emsp: Emsp) -> None:
        parts = emsp.services
        self.index = EvseIndex(parts.database, parts.connections)
        self.refresh = EvseRefresh(parts.database, parts.connections, self.index, parts.peers)

    async def found(self, evse_id: str) -> str | None:
        """The uid of what is there after the refresh."""
        await self.refresh.look_for(evse_id)
        match = await self.index.find(evse_id)
        return None if match is None else match.evse_uid


@pytest.fixture
async def asking(emsp: Emsp, friend: Connection) -> AsyncIterator[Asking]:
    asking = Asking(emsp)
    yield asking
    await asking.refresh.aclose()


def news(evse_id: str = NEW, **fields: Any) -> dict[str, Any]:
    """A Location that has just come into being, with one EVSE."""
    return location(id="NEW", evses=[evse(uid="new", evse_id=evse_id)], last_updated=now(), **fields)


async def test_what_its_cpo_has_built_since_is_found(
    asking: Asking, emsp: Emsp, friend: Connection, cpo: ScriptedCpo
) -> None:
    synced = datetime.now(UTC)
    await emsp.services.connections.locations_synced(friend.id, synced)
    cpo.locations.append(news())
    assert await asking.found(NEW) == "new"
    (asked,) = cpo.received("locations")
    since = datetime.fromisoformat(asked.query["date_from"])
    assert timedelta() < synced - since < timedelta(minutes=10)


async def test_a_cpo_is_asked_once_however_many_ids_are_unknown(asking: Asking, cpo: ScriptedCpo) -> None:
    gate = asyncio.Event()
    cpo.on("locations", answer(wait_for=gate))
    asked = [asyncio.create_task(asking.refresh.look_for(f"FI*VRT*E{n}")) for n in range(1000, 1020)]
    asked.append(asyncio.create_task(asking.refresh.look_for("DE*ABC*E1")))
    await eventually(lambda: cpo.received("locations"))
    gate.set()
    assert all(await asyncio.gather(*asked))
    assert not await asking.refresh.look_for("FI*VRT*E1020")
    assert len(cpo.received("locations")) == 1


@on_sqlite
@pytest.mark.parametrize("text", ["3256", "hello", "", "FI*VRT", "FI-VRT-C12345678"])
async def test_nobody_is_asked_for_what_is_no_evse_id(asking: Asking, cpo: ScriptedCpo, text: str) -> None:
    assert not await asking.refresh.look_for(text)
    assert cpo.received("locations") == []


async def test_those_are_asked_who_have_evses_of_that_operator(asking: Asking, emsp: Emsp, cpo: ScriptedCpo) -> None:
    async with AsyncExitStack() as stack:
        others = [await stack.enter_async_context(ScriptedCpo()) for _ in range(FEW)]
        for n, other in enumerate(others):
            other.role = {**other.role, "country_code": "DE", "party_id": f"A{n}"}
            chargers = [evse(uid="a", evse_id=f"DE*AB{n}*E1")]
            other.locations = [location(country_code="DE", party_id=f"A{n}", evses=chargers)]
            await other.befriend(emsp.services.database, emsp.services.settings, name=f"other-{n}")
        await asking.refresh.look_for("de-ab3-e77")
        assert [len(other.received("locations")) for other in others] == [0, 0, 0, 1, 0]
        # Nobody has such EVSEs, and there are more CPOs than are asked on a mere chance.
        assert not await asking.refresh.look_for("SE*XYZ*E1")
        assert cpo.received("locations") == []


@on_sqlite
async def test_few_are_all_asked_where_the_operator_is_new(asking: Asking, cpo: ScriptedCpo) -> None:
    cpo.locations.append(news("SE*XYZ*E1"))
    assert await asking.found("SE*XYZ*E1") == "new"


@on_sqlite
async def test_a_cpo_that_fails_is_an_evse_that_is_not_found(asking: Asking, cpo: ScriptedCpo) -> None:
    cpo.on("locations", html(502))
    assert await asking.found(NEW) is None


@on_sqlite
async def test_a_slow_cpo_is_waited_for_a_moment_and_no_longer(asking: Asking, cpo: ScriptedCpo) -> None:
    never = asyncio.Event()
    cpo.locations.append(news())
    cpo.on("locations", answer(wait_for=never))
    async with asyncio.timeout(3 * PULL_S):
        assert await asking.found(NEW) is None
    assert len(cpo.received("locations")) == 1


@on_sqlite
async def test_what_is_not_the_peers_own_or_broken_is_kept_for_people(
    asking: Asking, emsp: Emsp, cpo: ScriptedCpo
) -> None:
    cpo.locations += [news(party_id="ABC"), {**news(), "id": None}]
    assert await asking.found(NEW) is None
    async with emsp.services.database.read() as store:
        assert len((await store.execute(select(odd_messages))).all()) == 2


@on_sqlite
async def test_who_leaves_does_not_take_the_pull_from_others(asking: Asking, cpo: ScriptedCpo) -> None:
    gate = asyncio.Event()
    cpo.locations.append(news())
    cpo.on("locations", answer(wait_for=gate))
    leaver, stayer = (asyncio.create_task(asking.found(NEW)) for _ in range(2))
    await eventually(lambda: cpo.received("locations"))
    leaver.cancel()
    gate.set()
    assert await stayer == "new"
