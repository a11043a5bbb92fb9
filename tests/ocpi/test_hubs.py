"""A hub: many CPOs behind one connection (OCPI 2.2.1 §4.2, §15)."""

from typing import Any

import pytest
from sqlalchemy import select

from charging.errors import PeerNotReached
from charging.ocpi.wire import Party
from charging.store.evse_index import EvseIndex
from charging.store.tables import client_infos, odd_messages
from tests.ocpi.conftest import Emsp, on_sqlite
from tests.ocpi.test_client import start
from tests.peer import ScriptedCpo, client_info, tariff

HUB = {"OCPI-from-country-code": "SE", "OCPI-from-party-id": "HUB"}


@pytest.fixture
def hub(cpo: ScriptedCpo) -> ScriptedCpo:
    """The hub SE/HUB with FI/AAA, and FI/BBB, which is away."""
    cpo.become_a_hub(client_info("AAA"), client_info("BBB", "OFFLINE"), client_info("EMS", role="EMSP"))
    return cpo


async def odd(emsp: Emsp) -> list[str]:
    async with emsp.services.database.read() as store:
        return [row.problem for row in await store.execute(select(odd_messages))]


def routed_to(headers: dict[str, str]) -> tuple[Any, Any]:
    return headers.get("ocpi-to-country-code"), headers.get("ocpi-to-party-id")


class TestRegistration:
    async def test_the_parties_are_read_before_their_objects(self, emsp: Emsp, hub: ScriptedCpo) -> None:
        assert (await emsp.register(hub)).status_code == 201
        assert [r.step for r in hub.requests[3:]] == ["hubclientinfo", "tariffs", "locations"]
        index = EvseIndex(emsp.services.database, emsp.services.connections)
        for party in ("AAA", "BBB"):
            match = await index.find(f"FI-{party}-E1")
            assert match is not None
            assert match.party_id == party
        assert await index.find("FI-EMS-E1") is None
        assert await odd(emsp) == ["not of the peer's roles"]  # an eMSP has no Locations

    async def test_lists_are_asked_of_the_hub_and_its_parties_without_routing(
        self, emsp: Emsp, hub: ScriptedCpo
    ) -> None:
        await emsp.register(hub)
        assert routed_to(hub.received("locations")[0].headers) == ("SE", "HUB")
        assert not any(name.startswith("ocpi-") for name in hub.received("hubclientinfo")[0].headers)


@on_sqlite
class TestCalls:
    async def test_name_the_cpo_behind_the_hub(self, emsp: Emsp, hub: ScriptedCpo) -> None:
        await emsp.register(hub)
        client = emsp.services.peers.of(await emsp.connection(), Party("FI", "AAA"))
        await client.start_session(start())
        assert routed_to(hub.received("START_SESSION")[0].headers) == ("FI", "AAA")

    async def test_leave_it_to_the_hub_to_find_a_cpo_that_we_do_not_know(self, emsp: Emsp, hub: ScriptedCpo) -> None:
        await emsp.register(hub)
        await emsp.services.peers.of(await emsp.connection()).start_session(start())
        headers = hub.received("START_SESSION")[0].headers
        assert routed_to(headers) == (None, None)
        assert (headers["ocpi-from-country-code"], headers["ocpi-from-party-id"]) == ("FI", "RBT")

    async def test_are_not_made_to_a_cpo_that_is_away(self, emsp: Emsp, hub: ScriptedCpo) -> None:
        await emsp.register(hub)
        client = emsp.services.peers.of(await emsp.connection(), Party("fi", "bbb"))
        with pytest.raises(PeerNotReached, match="not connected"):
            await client.start_session(start())
        assert hub.starts == []


class TestPushes:
    async def test_a_broadcast_keeps_its_owner_in_the_path(self, emsp: Emsp, hub: ScriptedCpo) -> None:
        await emsp.register(hub)
        headers = {**HUB, "OCPI-to-country-code": "FI", "OCPI-to-party-id": "RBT"}
        answer = await hub.call("PUT", "tariffs/FI/AAA/T1", tariff(party_id="AAA"), headers=headers)
        assert answer.status_code == 201, answer.text
        assert routed_to(dict(answer.headers)) == ("SE", "HUB")
        assert (answer.headers["OCPI-from-party-id"]) == "RBT"

    async def test_a_party_that_the_hub_has_not_named_owns_nothing(self, emsp: Emsp, hub: ScriptedCpo) -> None:
        await emsp.register(hub)
        for party in ("CCC", "EMS"):
            answer = await hub.call("PUT", f"tariffs/FI/{party}/T1", tariff(party_id=party))
            assert answer.status_code == 404

    async def test_a_party_that_the_hub_names_later_owns_its_objects_at_once(
        self, emsp: Emsp, hub: ScriptedCpo
    ) -> None:
        await emsp.register(hub)
        assert (await hub.call("PUT", "hubclientinfo/FI/CCC", client_info("CCC"))).json()["status_code"] == 1000
        assert (await hub.call("PUT", "tariffs/FI/CCC/T1", tariff(party_id="CCC"))).status_code == 201
        stored = (await hub.call("GET", "hubclientinfo/fi/ccc")).json()["data"]
        assert (stored["party_id"], stored["role"], stored["status"]) == ("CCC", "CPO", "CONNECTED")

    async def test_since_2_3_0_a_hub_says_so_in_its_credentials(self, emsp: Emsp) -> None:
        async with ScriptedCpo(version="2.3.0") as cpo:
            cpo.hub_party_id = "SEHUB"
            await emsp.register(cpo)
            assert (await emsp.connection()).hub == Party("SE", "HUB")
            assert routed_to(cpo.received("locations")[0].headers) == ("SE", "HUB")

    async def test_what_is_older_changes_nothing(self, emsp: Emsp, hub: ScriptedCpo) -> None:
        await emsp.register(hub)
        old = client_info("BBB", "CONNECTED", last_updated="2020-01-01T00:00:00Z")
        assert (await hub.call("PUT", "hubclientinfo/FI/BBB", old)).json()["status_code"] == 1000
        assert (await emsp.connection()).is_away("FI", "BBB")


@on_sqlite
class TestStrangers:
    async def test_a_cpo_that_is_no_hub_has_no_clients(self, emsp: Emsp, cpo: ScriptedCpo) -> None:
        await emsp.register(cpo)
        answer = await cpo.call("PUT", "hubclientinfo/FI/AAA", client_info("AAA"))
        assert answer.json()["status_code"] == 2001
        assert await odd(emsp) == ["only a hub has clients"]
        assert (await cpo.call("PUT", "tariffs/FI/AAA/T1", tariff(party_id="AAA"))).status_code == 404

    async def test_url_and_body_must_name_one_party(self, emsp: Emsp, hub: ScriptedCpo) -> None:
        await emsp.register(hub)
        answer = await hub.call("PUT", "hubclientinfo/FI/DDD", client_info("CCC"))
        assert answer.json()["status_code"] == 2001
        async with emsp.services.database.read() as store:
            parties = set(await store.scalars(select(client_infos.c.party_id)))
        assert parties == {"AAA", "BBB", "EMS"}

    async def test_a_party_that_nobody_named_is_not_found(self, emsp: Emsp, hub: ScriptedCpo) -> None:
        await emsp.register(hub)
        assert (await hub.call("GET", "hubclientinfo/FI/CCC")).status_code == 404
