"""Our tokens, as CPOs may read and check them (OCPI 2.2.1 §12.2.1)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from charging.ocpi.models import Token, to_wire
from charging.store.connections import Connection
from charging.store.starts import NewSession, StartStore
from charging.store.tables import sessions, tokens
from tests.ocpi.conftest import Emsp, on_sqlite
from tests.peer import ScriptedCpo
from tests.session import factory

T0 = datetime(2026, 1, 1, tzinfo=UTC)


async def start_session(emsp: Emsp, connection: Connection, number: int = 1) -> str:
    """Store a session at the CPO, as the API's start does; the uid of its one-time token."""
    uid = f"TOKEN{number}"
    token = Token(
        country_code="FI",
        party_id="RBT",
        uid=uid,
        type="AD_HOC_USER",
        contract_id="FI-RBT-C00000001-X",
        issuer="Robot Charging",
        valid=True,
        whitelist="NEVER",
        last_updated=T0 + timedelta(minutes=number),
    )
    spec = factory.spec(
        session_id=f"session-{number}",
        connection_id=connection.id,
        authorization_reference=f"REF{number}",
        evse_uid=f"E{number}",
        created_at=T0 + timedelta(minutes=number),
    )
    new = NewSession(
        spec=spec, user_id="u", metadata={}, target_kwh=None, tariff=None, time_zone=None, token=to_wire(token)
    )
    await StartStore(emsp.services.database).begin(new, None, "")
    return uid


class TestAuthorize:
    async def test_a_token_of_a_session_is_allowed(self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo) -> None:
        uid = await start_session(emsp, friend)
        place = {"location_id": "LOC1", "evse_uids": ["E1", "E2"]}
        for body in (None, place, {"location_id": "loc1"}):
            response = await cpo.call("POST", f"tokens/{uid}/authorize?type=AD_HOC_USER", body)
            assert response.status_code == 200
            info = response.json()["data"]
            assert info["allowed"] == "ALLOWED"
            assert info["authorization_reference"] == "REF1"
            assert info["token"]["uid"] == uid
        assert "location" not in (await cpo.call("POST", f"tokens/{uid}/authorize?type=AD_HOC_USER")).json()["data"]

    async def test_case_does_not_matter(self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo) -> None:
        uid = await start_session(emsp, friend)
        response = await cpo.call("POST", f"tokens/{uid.lower()}/authorize?type=AD_HOC_USER")
        assert response.json()["data"]["allowed"] == "ALLOWED"

    @on_sqlite
    @pytest.mark.parametrize("place", [{"location_id": "LOC9"}, {"location_id": "LOC1", "evse_uids": ["E9"]}])
    async def test_a_one_time_token_is_good_at_its_evse_only(
        self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo, place: dict[str, Any]
    ) -> None:
        uid = await start_session(emsp, friend)
        response = await cpo.call("POST", f"tokens/{uid}/authorize?type=AD_HOC_USER", place)
        info = response.json()["data"]
        assert (response.status_code, info["allowed"]) == (200, "NOT_ALLOWED")
        assert "authorization_reference" not in info

    async def test_a_token_that_is_no_longer_valid_is_expired(
        self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo
    ) -> None:
        uid = await start_session(emsp, friend)
        async with emsp.services.database.write() as store:
            await store.execute(update(tokens).values(valid=False))
        response = await cpo.call("POST", f"tokens/{uid}/authorize?type=AD_HOC_USER")
        assert (response.status_code, response.json()["data"]["allowed"]) == (200, "EXPIRED")

    @pytest.mark.parametrize(
        "over", [{"status": "failed"}, {"status": "completed"}, {"closed_at": datetime(2026, 3, 2, tzinfo=UTC)}]
    )
    async def test_a_one_time_token_is_good_while_somebody_waits_for_its_session(
        self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo, over: dict[str, Any]
    ) -> None:
        uid = await start_session(emsp, friend)
        async with emsp.services.database.write() as store:
            await store.execute(update(sessions).values(over))
        response = await cpo.call("POST", f"tokens/{uid}/authorize?type=AD_HOC_USER")
        assert (response.status_code, response.json()["data"]["allowed"]) == (200, "EXPIRED")

    @on_sqlite
    async def test_a_cpo_of_211_asks_for_it_as_other(self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo) -> None:
        uid = await start_session(emsp, friend)
        response = await cpo.call("POST", f"tokens/{uid}/authorize?type=OTHER")
        assert response.json()["data"]["allowed"] == "ALLOWED"

    @on_sqlite
    @pytest.mark.parametrize(
        "path", ["NOBODY/authorize?type=AD_HOC_USER", "TOKEN1/authorize", "TOKEN1/authorize?type=X"]
    )
    async def test_an_unknown_token_is_404_and_2004(
        self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo, path: str
    ) -> None:
        await start_session(emsp, friend)
        response = await cpo.call("POST", f"tokens/{path}")
        assert (response.status_code, response.json()["status_code"]) == (404, 2004)
        assert "data" not in response.json()

    @on_sqlite
    async def test_the_token_of_another_cpos_session_is_unknown(
        self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo
    ) -> None:
        async with ScriptedCpo() as other:
            stranger = await other.befriend(emsp.services.database, emsp.services.settings, name="other")
            uid = await start_session(emsp, stranger)
            response = await cpo.call("POST", f"tokens/{uid}/authorize?type=AD_HOC_USER")
            assert (response.status_code, response.json()["status_code"]) == (404, 2004)

    @on_sqlite
    @pytest.mark.parametrize(("raw", "http_status"), [(b"{", 400), (b"[]", 200), (b'{"evse_uids": []}', 200)])
    async def test_a_place_that_is_none_is_2001(
        self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo, raw: bytes, http_status: int
    ) -> None:
        uid = await start_session(emsp, friend)
        response = await cpo.call("POST", f"tokens/{uid}/authorize?type=AD_HOC_USER", raw)
        assert (response.status_code, response.json()["status_code"]) == (http_status, 2001)


class TestList:
    @pytest.fixture
    async def five(self, emsp: Emsp, friend: Connection) -> list[str]:
        return [await start_session(emsp, friend, n) for n in range(1, 6)]

    async def test_is_paged_oldest_first_and_links_keep_the_filters(self, five: list[str], cpo: ScriptedCpo) -> None:
        url: str | None = "tokens?limit=2&date_from=2026-01-01T00:02:00Z"
        seen: list[list[str]] = []
        while url is not None:
            response = await cpo.call("GET", url)
            assert response.headers["x-total-count"] == "4"
            assert response.headers["x-limit"] == "100"
            seen.append([token["uid"] for token in response.json()["data"]])
            url = response.links.get("next", {}).get("url")
            assert url is None or url.startswith(f"{cpo.emsp_url}/ocpi/emsp/2.2.1/tokens?")
        assert seen == [five[1:3], five[3:5]]

    async def test_date_from_is_included_and_date_to_is_not(self, five: list[str], cpo: ScriptedCpo) -> None:
        response = await cpo.call("GET", "tokens?date_from=2026-01-01T00:02:00Z&date_to=2026-01-01T00:04:00%2B00:00")
        assert [token["uid"] for token in response.json()["data"]] == five[1:3]

    @on_sqlite
    async def test_a_cpo_sees_tokens_of_its_own_sessions_only(
        self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo
    ) -> None:
        await start_session(emsp, friend)
        async with ScriptedCpo() as other:
            await other.befriend(emsp.services.database, emsp.services.settings, name="other")
            assert (await other.call("GET", "tokens")).json()["data"] == []

    @on_sqlite
    @pytest.mark.parametrize("query", ["offset=-1", "limit=0", "limit=x", "date_from=yesterday", "offset=99999999999"])
    async def test_a_wrong_parameter_is_2001(self, friend: Connection, cpo: ScriptedCpo, query: str) -> None:
        response = await cpo.call("GET", f"tokens?{query}")
        assert (response.status_code, response.json()["status_code"]) == (200, 2001)

    @on_sqlite
    async def test_beyond_the_end_is_empty(self, five: list[str], cpo: ScriptedCpo) -> None:
        response = await cpo.call("GET", "tokens?offset=50")
        assert response.json()["data"] == []
        assert "link" not in response.headers
