"""Peers are strangers: what one may know, what it may touch, and how much of our disk it may fill."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select

from charging.store.connections import Connection, ConnectionStore
from charging.store.odd import MAX_CHARACTERS, MAX_MESSAGES, store_odd_message
from charging.store.tables import connections, odd_messages
from tests.ocpi.conftest import Emsp, on_sqlite
from tests.peer import ScriptedCpo, client_info, location, tariff


async def test_no_token_is_readable_in_the_database(emsp: Emsp, cpo: ScriptedCpo) -> None:
    assert (await emsp.register(cpo)).status_code == 201
    async with emsp.services.database.read() as store:
        (row,) = (await store.execute(select(connections))).all()
    stored = str(tuple(row))
    for token in (cpo.token_a, cpo.token_c, cpo.emsp_token):
        assert token is not None
        assert token not in stored
    assert str(cpo.token_c) not in repr(await emsp.connection())


@on_sqlite
async def test_a_token_encrypted_with_another_key_is_no_token(emsp: Emsp, cpo: ScriptedCpo) -> None:
    await emsp.register(cpo)
    (connection,) = await ConnectionStore(emsp.services.database, SecretStr("another key")).list()
    assert connection.client_token is None


async def test_a_token_that_no_database_can_look_for_is_a_wrong_token(emsp: Emsp, friend: Connection) -> None:
    nul = {"Authorization": f"Token {base64.b64encode(bytes(8)).decode()}"}
    answer = await emsp.http.get(f"{emsp.url}/ocpi/emsp/2.2.1/cdrs/1", headers=nul)
    assert (answer.status_code, answer.json()["status_code"]) == (401, 2000)


@on_sqlite
@pytest.mark.parametrize("key", ["", "wrong", "development-only-secret-of-charging-session"])
async def test_only_the_admin_connects_cpos(emsp: Emsp, cpo: ScriptedCpo, key: str) -> None:
    for method, path in (("POST", "register"), ("POST", "invite"), ("GET", "connections"), ("DELETE", "connections/x")):
        assert (await emsp.admin(method, path, {}, key=key)).status_code == 401
    assert cpo.requests == []


OWN = {"country_code": "DE", "party_id": "OTH"}


@on_sqlite
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "locations/DE/OTH/LOC1", location(**OWN)),
        ("PATCH", "locations/DE/OTH/LOC1", {"name": "mine", "last_updated": "2026-01-01T00:00:00Z"}),
        ("GET", "locations/DE/OTH/LOC1", None),
        ("PUT", "tariffs/DE/OTH/T1", tariff(**OWN)),
        ("DELETE", "tariffs/DE/OTH/T1", None),
        ("PUT", "sessions/DE/OTH/S1", OWN),
        ("PATCH", "sessions/DE/OTH/S1", OWN),
        ("GET", "sessions/DE/OTH/S1", None),
        ("GET", "hubclientinfo/DE/OTH", None),
        ("POST", "commands/START_SESSION/guess", {"result": "ACCEPTED"}),
        ("POST", "chargingprofiles/SET_PROFILE/guess", {"result": "ACCEPTED"}),
        ("PUT", "chargingprofiles/S1", {}),
        ("GET", "cdrs/guess", None),
    ],
)
async def test_the_objects_of_others_are_not_there_for_a_peer(
    friend: Connection, cpo: ScriptedCpo, method: str, path: str, body: Any
) -> None:
    assert (await cpo.call(method, path, body)).status_code == 404


@on_sqlite
async def test_a_hub_touches_no_object_of_a_cpo_with_a_connection_of_its_own(
    emsp: Emsp, friend: Connection, cpo: ScriptedCpo
) -> None:
    """It may list the same party: what it says of that one is kept beside what the CPO itself says."""
    async with ScriptedCpo() as hub:
        hub.become_a_hub(client_info("VRT"))
        await hub.befriend(emsp.services.database, emsp.services.settings, name="hub")
        await hub.call("PUT", "hubclientinfo/FI/VRT", client_info("VRT"))
        assert (await hub.call("PUT", "tariffs/FI/VRT/T1", tariff(currency="SEK"))).status_code == 201
    assert (await cpo.call("GET", "tariffs/FI/VRT/T1")).json()["data"]["currency"] == "EUR"


class TestOddMessages:
    async def test_the_newest_of_each_peer_are_kept(self, emsp: Emsp, friend: Connection) -> None:
        await self.send(emsp, None, b"another peer's")
        for body in (b"1", b"2", b"3"):
            await self.send(emsp, friend.id, body)
        async with emsp.services.database.write() as store:  # as if many more had come before these
            await store.execute(odd_messages.update().where(odd_messages.c.body == "2").values(size=MAX_CHARACTERS))
        await self.send(emsp, friend.id, b"4")
        async with emsp.services.database.read() as store:
            bodies = set(await store.scalars(select(odd_messages.c.body)))
        assert bodies == {"another peer's", "3", "4"}

    @on_sqlite
    async def test_are_not_more_than_so_many(self, emsp: Emsp, friend: Connection) -> None:
        row = {"connection_id": friend.id, "method": "PUT", "path": "", "body": "", "problem": ""}
        dated = {**row, "received_at": datetime.now(UTC)}
        async with emsp.services.database.write() as store:
            await store.execute(odd_messages.insert(), [dated] * MAX_MESSAGES)
        await self.send(emsp, friend.id, b"one more")
        async with emsp.services.database.read() as store:
            assert await store.scalar(select(func.count()).select_from(odd_messages)) == MAX_MESSAGES

    async def send(self, emsp: Emsp, connection_id: str | None, body: bytes) -> None:
        await store_odd_message(
            emsp.services.database, connection_id=connection_id, method="PUT", path="x", body=body, problem="odd"
        )
