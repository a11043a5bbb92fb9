"""Locations, EVSEs and Connectors that a CPO tells of, and how an EVSE id finds them (OCPI 2.2.1 §8)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from charging.store.connections import Connection
from charging.store.evse_index import EvseIndex, Place
from charging.store.evse_match import EvseMatch
from charging.store.locations import LocationStore
from charging.store.objects import ObjectKey
from charging.store.tables import odd_messages
from charging.store.tariffs import TariffStore
from tests.ocpi.conftest import Emsp, on_sqlite
from tests.peer import ScriptedCpo, connector, evse, location, tariff

LATER = "2026-02-01T00:00:00Z"
EARLIER = "2025-01-01T00:00:00Z"


@pytest.fixture
def finder(emsp: Emsp, friend: Connection) -> EvseIndex:
    return EvseIndex(emsp.services.database, emsp.services.connections)


async def found(finder: EvseIndex, evse_id: str = "FI*VRT*E12345") -> EvseMatch:
    match = await finder.find(evse_id)
    assert match is not None
    return match


class TestPut:
    async def test_a_new_location_is_created_and_found(self, finder: EvseIndex, cpo: ScriptedCpo) -> None:
        body = location(id="LOC2", evses=[evse(uid="u2", evse_id="FI*VRT*E99")], vendor_field={"a": 1.25})
        response = await cpo.call("PUT", "locations/FI/VRT/LOC2", body)
        assert (response.status_code, response.json()["status_code"]) == (201, 1000)
        assert "data" not in response.json()
        assert (await cpo.call("GET", "locations/FI/VRT/LOC2")).json()["data"] == body
        assert (await found(finder, "FI*VRT*E99")).evse_uid == "u2"

    async def test_ids_longer_than_ocpi_allows_are_kept_whole(self, finder: EvseIndex, cpo: ScriptedCpo) -> None:
        place, uid, price = "L" * 60, "u" * 100, "T" * 40
        plug = connector(id="c" * 50, tariff_ids=[price])
        body = location(id=place, evses=[evse(uid=uid, evse_id="FI*VRT*E99", connectors=[plug])])
        assert (await cpo.call("PUT", f"tariffs/FI/VRT/{price}", tariff(id=price))).status_code == 201
        assert (await cpo.call("PUT", f"locations/FI/VRT/{place}", body)).status_code == 201
        match = await found(finder, "FI*VRT*E99")
        assert (match.location_id, match.evse_uid, match.connectors[0].id) == (place, uid, "c" * 50)
        assert list(match.tariffs) == [price]

    async def test_an_evse_that_the_list_leaves_out_is_removed(self, finder: EvseIndex, cpo: ScriptedCpo) -> None:
        body = location(evses=[evse()], last_updated=LATER)
        assert (await cpo.call("PUT", "locations/FI/VRT/LOC1", body)).status_code == 200
        assert (await found(finder, "FI*VRT*E12346")).status == "REMOVED"
        assert (await cpo.call("GET", "locations/FI/VRT/LOC1/3257")).json()["data"]["status"] == "REMOVED"

    async def test_a_location_without_a_list_keeps_its_evses(self, finder: EvseIndex, cpo: ScriptedCpo) -> None:
        body = location(last_updated=LATER, name="New name")
        del body["evses"]
        await cpo.call("PUT", "locations/FI/VRT/LOC1", body)
        assert (await found(finder)).status == "AVAILABLE"
        assert (await cpo.call("GET", "locations/FI/VRT/LOC1")).json()["data"]["name"] == "New name"

    async def test_what_is_older_than_what_is_stored_changes_nothing(self, finder: EvseIndex, cpo: ScriptedCpo) -> None:
        old = location(last_updated=EARLIER, name="Old", evses=[])
        response = await cpo.call("PUT", "locations/FI/VRT/LOC1", old)
        assert (response.status_code, response.json()["status_code"]) == (200, 1000)
        assert (await cpo.call("GET", "locations/FI/VRT/LOC1")).json()["data"]["name"] == "Test site"
        assert (await found(finder)).status == "AVAILABLE"

    async def test_an_evse_and_a_connector_can_be_put_alone(self, finder: EvseIndex, cpo: ScriptedCpo) -> None:
        base = "locations/FI/VRT/LOC1/9"
        new = evse(uid="9", evse_id="FI*VRT*E9", last_updated=LATER)
        assert (await cpo.call("PUT", base, new)).status_code == 201
        plug = connector(id="2", standard="CHADEMO", last_updated="2026-03-01T00:00:00Z")
        assert (await cpo.call("PUT", f"{base}/2", plug)).status_code == 201
        assert (await cpo.call("PUT", f"{base}/2", plug)).status_code == 200
        match = await found(finder, "FIVRTE9")
        assert [c.standard for c in match.connectors] == ["IEC_62196_T2_COMBO", "CHADEMO"]
        assert (await cpo.call("GET", f"{base}/2")).json()["data"]["standard"] == "CHADEMO"
        # The parents' last_updated moves with the child's (§8.2.2).
        assert (await cpo.call("GET", base)).json()["data"]["last_updated"] == "2026-03-01T00:00:00Z"
        whole = (await cpo.call("GET", "locations/FI/VRT/LOC1")).json()["data"]
        assert whole["last_updated"] == "2026-03-01T00:00:00Z"

    @on_sqlite
    async def test_a_part_of_an_unknown_whole_is_404(self, friend: Connection, cpo: ScriptedCpo) -> None:
        for path, body in (("NOPE/3256", evse()), ("LOC1/nope/1", connector())):
            response = await cpo.call("PUT", f"locations/FI/VRT/{path}", body)
            assert (response.status_code, response.json()["status_code"]) == (404, 2003)

    @on_sqlite
    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("LOC1", location(id="OTHER")),
            ("LOC1", location(party_id="XXX")),
            ("LOC1", location(country_code="DE")),
            ("LOC1", location(last_updated=None)),
            ("LOC1", location(evses=[{"uid": "1"}])),
            ("LOC1", []),
            ("LOC1", "text"),
            ("LOC1/3256", evse(uid="other")),
            ("LOC1/3256", evse(status=None)),
            ("LOC1/3256", evse(uid="x" * 101)),
            ("LOC1/3256/1", connector(id="2")),
            ("LOC1/3256/1", connector(max_voltage="lots")),
        ],
    )
    async def test_an_object_that_cannot_be_used_is_2001(
        self, friend: Connection, cpo: ScriptedCpo, path: str, body: Any
    ) -> None:
        response = await cpo.call("PUT", f"locations/FI/VRT/{path}", body)
        assert (response.status_code, response.json()["status_code"]) == (200, 2001)

    async def test_an_odd_body_is_kept_whole(self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo) -> None:
        for raw, http_status in ((b'{"id": "\x00"', 400), (b'{"id": "secret-odd"}', 200)):
            response = await cpo.call("PUT", "locations/FI/VRT/LOC1", raw)
            assert (response.status_code, response.json()["status_code"]) == (http_status, 2001)
            assert "secret-odd" not in response.text
        async with emsp.services.database.read() as store:
            rows = (await store.execute(select(odd_messages).order_by(odd_messages.c.id))).all()
        assert [row.body for row in rows] == ['{"id": "\\x00"', '{"id": "secret-odd"}']
        assert {(row.method, row.path) for row in rows} == {("PUT", "/ocpi/emsp/2.2.1/locations/FI/VRT/LOC1")}
        assert {row.connection_id for row in rows} == {friend.id}

    @on_sqlite
    async def test_another_partys_location_cannot_be_touched(self, friend: Connection, cpo: ScriptedCpo) -> None:
        for method in ("GET", "PUT", "PATCH"):
            body = None if method == "GET" else location(party_id="ABC", last_updated=LATER)
            response = await cpo.call(method, "locations/FI/ABC/LOC1", body)
            assert response.status_code == 404

    @on_sqlite
    async def test_parties_are_compared_without_regard_to_case(
        self, friend: Connection, cpo: ScriptedCpo, finder: EvseIndex
    ) -> None:
        body = location(country_code="fi", party_id="vrt", last_updated=LATER, name="lower")
        assert (await cpo.call("PUT", "locations/fi/Vrt/LOC1", body)).status_code == 200
        assert (await cpo.call("GET", "locations/FI/VRT/LOC1")).json()["data"]["name"] == "lower"


class TestPatch:
    async def test_the_status_of_an_evse_is_what_is_patched_most(self, finder: EvseIndex, cpo: ScriptedCpo) -> None:
        changes = {"status": "CHARGING", "last_updated": LATER}
        response = await cpo.call("PATCH", "locations/FI/VRT/LOC1/3256", changes)
        assert (response.status_code, response.json()["status_code"]) == (200, 1000)
        match = await found(finder)
        assert match.status == "CHARGING"
        assert match.connectors[0].id == "1"
        whole = (await cpo.call("GET", "locations/FI/VRT/LOC1")).json()["data"]
        assert whole["last_updated"] == LATER

    async def test_an_older_patch_changes_nothing(self, finder: EvseIndex, cpo: ScriptedCpo) -> None:
        changes = {"status": "CHARGING", "last_updated": EARLIER}
        assert (await cpo.call("PATCH", "locations/FI/VRT/LOC1/3256", changes)).status_code == 200
        assert (await found(finder)).status == "AVAILABLE"

    async def test_a_location_and_a_connector_can_be_patched(self, finder: EvseIndex, cpo: ScriptedCpo) -> None:
        await cpo.call("PATCH", "locations/FI/VRT/LOC1", {"name": "New", "last_updated": LATER, "time_zone": "UTC"})
        changes = {"max_electric_power": 50_000, "last_updated": LATER, "tariff_ids": ["T2"]}
        await cpo.call("PATCH", "locations/FI/VRT/LOC1/3256/1", changes)
        match = await found(finder)
        assert match.time_zone == "UTC"
        assert (match.connectors[0].max_power_w, match.connectors[0].tariff_ids) == (50_000, ("T2",))

    async def test_evses_in_a_patch_are_put_in_by_uid(self, finder: EvseIndex, cpo: ScriptedCpo) -> None:
        some = [{"uid": "3256", "status": "BLOCKED"}, evse(uid="77", evse_id="FI*VRT*E77")]
        response = await cpo.call("PATCH", "locations/FI/VRT/LOC1", {"evses": some, "last_updated": LATER})
        assert response.json()["status_code"] == 1000
        assert (await found(finder)).status == "BLOCKED"
        assert (await found(finder, "FI*VRT*E12346")).status == "AVAILABLE"
        assert (await found(finder, "FI*VRT*E77")).evse_uid == "77"

    @on_sqlite
    async def test_null_clears_what_may_be_absent_and_nothing_else(self, finder: EvseIndex, cpo: ScriptedCpo) -> None:
        changes = {"name": None, "id": "STOLEN", "party_id": None, "last_updated": LATER}
        await cpo.call("PATCH", "locations/FI/VRT/LOC1", changes)
        body = (await cpo.call("GET", "locations/FI/VRT/LOC1")).json()["data"]
        assert "name" not in body
        assert (body["id"], body["party_id"]) == ("LOC1", "VRT")
        await cpo.call("PATCH", "locations/FI/VRT/LOC1/3256", {"status": None, "last_updated": LATER})
        assert (await found(finder)).status == "AVAILABLE"

    @on_sqlite
    @pytest.mark.parametrize("path", ["LOC1", "LOC1/3256", "LOC1/3256/1"])
    async def test_without_last_updated_it_is_2001(self, friend: Connection, cpo: ScriptedCpo, path: str) -> None:
        response = await cpo.call("PATCH", f"locations/FI/VRT/{path}", {"status": "CHARGING", "name": "x"})
        assert (response.status_code, response.json()["status_code"]) == (200, 2001)

    async def test_one_that_would_break_the_object_changes_nothing(self, finder: EvseIndex, cpo: ScriptedCpo) -> None:
        for path, changes in (
            ("LOC1/3256", {"connectors": [{"id": "1"}]}),
            ("LOC1/3256/1", {"max_voltage": "lots"}),
            ("LOC1", {"name": "half done", "evses": [{"uid": "new"}]}),
            ("LOC1", {"name": "half done", "time_zone": {"value": "UTC"}}),
        ):
            response = await cpo.call("PATCH", f"locations/FI/VRT/{path}", {**changes, "last_updated": LATER})
            assert (response.status_code, response.json()["status_code"]) == (200, 2001)
        body = (await cpo.call("GET", "locations/FI/VRT/LOC1")).json()["data"]
        assert body == location()

    @on_sqlite
    @pytest.mark.parametrize("path", ["NOPE", "LOC1/NOPE", "LOC1/3256/NOPE"])
    async def test_of_an_unknown_object_is_404(self, friend: Connection, cpo: ScriptedCpo, path: str) -> None:
        response = await cpo.call("PATCH", f"locations/FI/VRT/{path}", {"status": "X", "last_updated": LATER})
        assert (response.status_code, response.json()["status_code"]) == (404, 2003)
        assert (await cpo.call("GET", f"locations/FI/VRT/{path}")).status_code == 404


class TestFindingAnEvse:
    @pytest.mark.parametrize("spelling", ["FI*VRT*E12345", "FI-VRT-E12345", "fivrte12345", "FI*VRT*E12345*1", "3256"])
    async def test_in_any_spelling(self, finder: EvseIndex, spelling: str) -> None:
        match = await found(finder, spelling)
        assert (match.connection.network, match.country_code, match.party_id) == ("Virta", "FI", "VRT")
        assert (match.location_id, match.evse_uid, match.evse_id) == ("LOC1", "3256", "FI*VRT*E12345")
        assert match.status == "AVAILABLE"
        assert "CHARGING_PROFILE_CAPABLE" in match.capabilities
        assert match.time_zone == "Europe/Helsinki"
        assert [(c.plug, c.max_power_w) for c in match.connectors] == [("CCS", 150_000)]
        price = match.tariff_of(match.connectors[0], datetime(2026, 5, 1, tzinfo=UTC))
        assert price is not None
        assert price["id"] == "T1"

    @on_sqlite
    @pytest.mark.parametrize("spelling", ["FI*VRT*E0", "", "  ", "*", "x" * 5000, "LOC1"])
    async def test_that_nobody_has(self, finder: EvseIndex, spelling: str) -> None:
        assert await finder.find(spelling) is None

    async def test_a_removed_one_yields_to_one_that_is_there(self, finder: EvseIndex, cpo: ScriptedCpo) -> None:
        gone = {"status": "REMOVED", "last_updated": LATER}
        await cpo.call("PATCH", "locations/FI/VRT/LOC1/3256", gone)
        assert (await found(finder)).status == "REMOVED"
        await cpo.call("PUT", "locations/FI/VRT/LOC2", location(id="LOC2", evses=[evse()]))
        match = await found(finder)
        assert (match.location_id, match.status) == ("LOC2", "AVAILABLE")

    async def test_ties_go_to_the_exact_spelling_then_to_the_newest(self, finder: EvseIndex, cpo: ScriptedCpo) -> None:
        twins = [
            evse(uid="dashes", evse_id="FI-VRT-E5", last_updated=LATER),
            evse(uid="stars", evse_id="FI*VRT*E5"),
            evse(uid="newest", evse_id="FI VRT E5", last_updated="2026-03-01T00:00:00Z"),
        ]
        await cpo.call("PUT", "locations/FI/VRT/LOC2", location(id="LOC2", evses=twins))
        assert (await found(finder, "FI*VRT*E5")).evse_uid == "stars"
        assert (await found(finder, "fi-vrt-e5")).evse_uid == "dashes"
        assert (await found(finder, "FIVRTE5")).evse_uid == "newest"

    async def test_ties_go_to_a_cpo_before_a_hub(self, emsp: Emsp, finder: EvseIndex) -> None:
        async with ScriptedCpo() as hub:
            hub.role = {**hub.role, "role": "HUB", "business_details": {"name": "Hub"}}
            hub.locations = [location(evses=[evse(last_updated=LATER)])]
            await hub.befriend(emsp.services.database, emsp.services.settings, name="hub")
            assert (await found(finder)).connection.network == "Virta"

    @pytest.mark.parametrize("stored", ["FIVRTE777", "fi*vrt*e777", "FI-VRT-E777"])
    async def test_that_its_cpo_spells_in_another_way(self, finder: EvseIndex, cpo: ScriptedCpo, stored: str) -> None:
        await cpo.call("PUT", "locations/FI/VRT/LOC1/777", evse(uid="777", evse_id=stored, last_updated=LATER))
        for spelling in ("FI*VRT*E777", "fivrte777", "FI VRT E777", "FI*VRT*E777*1"):
            assert (await found(finder, spelling)).evse_uid == "777"

    @on_sqlite
    async def test_by_its_din_id(self, finder: EvseIndex, cpo: ScriptedCpo) -> None:
        din = evse(uid="din", evse_id="+49*810*000*438", last_updated=LATER)
        await cpo.call("PUT", "locations/FI/VRT/LOC1/din", din)
        for spelling in ("+49*810*000*438", "49*810*000*438", "+49-810-000-438", "49810000438", "+49*810*000*438*2"):
            assert (await found(finder, spelling)).evse_uid == "din"

    async def test_the_whole_id_goes_before_one_without_its_last_segment(
        self, finder: EvseIndex, cpo: ScriptedCpo
    ) -> None:
        both = [evse(uid="outlet", evse_id="FI*VRT*E8", last_updated=LATER), evse(uid="first", evse_id="FI*VRT*E8*1")]
        await cpo.call("PUT", "locations/FI/VRT/LOC2", location(id="LOC2", evses=both))
        assert (await found(finder, "FI*VRT*E8*1")).evse_uid == "first"
        assert (await found(finder, "FI*VRT*E8*2")).evse_uid == "outlet"

    async def test_a_connector_of_one_charger_is_not_another_charger_of_the_same_letters(
        self, finder: EvseIndex, cpo: ScriptedCpo
    ) -> None:
        both = [evse(uid="11", evse_id="FI*VRT*E11"), evse(uid="111", evse_id="FI*VRT*E111", last_updated=LATER)]
        await cpo.call("PUT", "locations/FI/VRT/LOC2", location(id="LOC2", evses=both))
        for spelling in ("FI*VRT*E11*1", "fi-vrt-e11-1"):
            assert (await found(finder, spelling)).evse_uid == "11"
        for spelling in ("FI*VRT*E111", "FIVRTE111", "fi-vrt-e111-1"):
            assert (await found(finder, spelling)).evse_uid == "111"

    async def test_by_a_uid_only_where_one_charger_has_it(self, finder: EvseIndex, cpo: ScriptedCpo) -> None:
        for id in ("LOC2", "LOC3"):
            body = location(id=id, evses=[evse(uid="1", evse_id=None)])
            await cpo.call("PUT", f"locations/FI/VRT/{id}", body)
        assert await finder.find("1") is None
        await cpo.call("PATCH", "locations/FI/VRT/LOC3/1", {"status": "REMOVED", "last_updated": LATER})
        assert (await found(finder, "1")).location_id == "LOC2"

    @on_sqlite
    async def test_in_a_location_by_uid_evse_id_or_physical_reference(
        self, finder: EvseIndex, cpo: ScriptedCpo
    ) -> None:
        ours = [
            evse(uid="ab-1", evse_id=None, physical_reference="P7"),
            evse(uid="ab-2", evse_id="FI*VRT*E70", physical_reference="ab-1"),
        ]
        await cpo.call("PUT", "locations/FI/VRT/LOC2", location(id="LOC2", evses=ours))
        there = Place("fi", "vrt", "LOC2")
        wanted = {"ab-1": "ab-1", "AB-1": "ab-1", "p7": "ab-1", "fivrte70": "ab-2", "P8": None, "3256": None}
        matches = {name: await finder.find(name, there) for name in wanted}
        assert {name: match and match.evse_uid for name, match in matches.items()} == wanted
        assert await finder.find("ab-1", Place("FI", "VRT", "LOC1")) is None
        assert await finder.find("P7") is None

    async def test_a_placeholder_is_no_evse_id(self, finder: EvseIndex, cpo: ScriptedCpo) -> None:
        await cpo.call("PUT", "locations/FI/VRT/LOC1/9", evse(uid="9", evse_id="-", last_updated=LATER))
        assert await finder.find("-") is None
        assert (await found(finder, "9")).evse_id == "-"

    async def test_that_left_its_connection_is_not_found(self, emsp: Emsp, finder: EvseIndex) -> None:
        await emsp.services.connections.unregister((await emsp.connection()).id)
        assert await finder.find("FI*VRT*E12345") is None

    async def test_by_its_keys_where_it_has_no_evse_id(
        self, finder: EvseIndex, friend: Connection, cpo: ScriptedCpo
    ) -> None:
        nameless = evse(uid="nameless", evse_id=None)
        await cpo.call("PUT", "locations/FI/VRT/LOC2", location(id="LOC2", evses=[nameless]))
        match = await finder.find("nameless", Place("FI", "VRT", "LOC2"))
        assert match is not None
        assert match.evse_id is None

    @on_sqlite
    async def test_one_broken_connector_does_not_hide_the_others(self, finder: EvseIndex, emsp: Emsp) -> None:
        body = location(evses=[{**evse(), "last_updated": LATER, "connectors": [connector(), {"id": "2"}]}])
        connection = await emsp.connection()
        await LocationStore(emsp.services.database).put_location(connection.id, {**body, "last_updated": LATER})
        assert [c.id for c in (await found(finder)).connectors] == ["1"]


class TestTariffs:
    async def test_are_put_read_replaced_and_deleted(self, friend: Connection, cpo: ScriptedCpo) -> None:
        path = "tariffs/FI/VRT/T9"
        assert (await cpo.call("GET", path)).status_code == 404
        assert (await cpo.call("PUT", path, tariff(id="T9"))).status_code == 201
        newer = tariff(id="T9", last_updated=LATER, currency="SEK")
        assert (await cpo.call("PUT", path, newer)).status_code == 200
        assert (await cpo.call("PUT", path, tariff(id="T9", last_updated=EARLIER))).status_code == 200
        assert (await cpo.call("GET", path)).json()["data"] == newer
        assert (await cpo.call("DELETE", path)).json()["status_code"] == 1000
        response = await cpo.call("DELETE", path)
        assert (response.status_code, response.json()["status_code"]) == (404, 2001)

    async def test_keep_their_exact_decimals(self, emsp: Emsp, friend: Connection, cpo: ScriptedCpo) -> None:
        raw = tariff()
        raw["elements"][0]["price_components"][0]["price"] = 0.1234
        await cpo.call("PUT", "tariffs/FI/VRT/T1", {**raw, "last_updated": LATER})
        body = await TariffStore(emsp.services.database).get_tariff(ObjectKey(friend.id, "FI", "VRT", "T1"))
        assert body is not None
        assert str(body["elements"][0]["price_components"][0]["price"]) == "0.1234"

    @on_sqlite
    @pytest.mark.parametrize("fields", [{"id": "T2"}, {"currency": "EURO"}, {"elements": None}, {"party_id": "XXX"}])
    async def test_that_cannot_be_used_are_2001(
        self, friend: Connection, cpo: ScriptedCpo, fields: dict[str, Any]
    ) -> None:
        response = await cpo.call("PUT", "tariffs/FI/VRT/T1", tariff(**fields))
        assert (response.status_code, response.json()["status_code"]) == (200, 2001)

    @on_sqlite
    async def test_have_no_patch(self, friend: Connection, cpo: ScriptedCpo) -> None:
        assert (await cpo.call("PATCH", "tariffs/FI/VRT/T1", {"last_updated": LATER})).status_code == 405

    async def test_of_a_remote_start_is_regular_or_untyped_and_valid_now(
        self, finder: EvseIndex, cpo: ScriptedCpo
    ) -> None:
        ids = ["t1", "GREEN", "OLD", "SOON", "gone"]
        changes = {"connectors": [connector(tariff_ids=list(reversed(ids)))], "last_updated": LATER}
        await cpo.call("PATCH", "locations/FI/VRT/LOC1/3256", changes)
        for fields in (
            {"id": "GREEN", "type": "PROFILE_GREEN"},
            {"id": "OLD", "end_date_time": "2026-01-01T00:00:00Z"},
            {"id": "SOON", "start_date_time": "2027-01-01T00:00:00Z"},
        ):
            await cpo.call("PUT", f"tariffs/FI/VRT/{fields['id']}", tariff(**fields))
        match = await found(finder)
        now = match.tariff_of(match.connectors[0], datetime(2026, 5, 1, tzinfo=UTC))
        later = match.tariff_of(match.connectors[0], datetime(2027, 5, 1, tzinfo=UTC))
        assert now is not None
        assert later is not None
        assert (now["id"], later["id"]) == ("T1", "SOON")

    @on_sqlite
    async def test_none_is_an_unknown_price(self, finder: EvseIndex) -> None:
        match = await found(finder)
        assert match.tariff_of(match.connectors[0], datetime(2026, 5, 1, tzinfo=UTC)) is not None
        nothing = EvseMatch(**{**vars(match), "tariffs": {}})
        assert nothing.tariff_of(match.connectors[0], datetime(2026, 5, 1, tzinfo=UTC)) is None


@on_sqlite
class TestHeaders:
    async def test_are_echoed_and_routing_is_swapped(self, friend: Connection, cpo: ScriptedCpo) -> None:
        headers = {
            "X-Request-ID": "r-1",
            "X-Correlation-ID": "c-1",
            "OCPI-from-country-code": "FI",
            "OCPI-from-party-id": "VRT",
            "OCPI-to-country-code": "FI",
            "OCPI-to-party-id": "RBT",
        }
        for path in ("tariffs/FI/VRT/T1", "tariffs/FI/VRT/NOPE"):
            answer = (await cpo.call("GET", path, headers=headers)).headers
            assert (answer["x-request-id"], answer["x-correlation-id"]) == ("r-1", "c-1")
            assert (answer["ocpi-from-party-id"], answer["ocpi-to-party-id"]) == ("RBT", "VRT")
            assert (answer["ocpi-from-country-code"], answer["ocpi-to-country-code"]) == ("FI", "FI")
        # Configuration modules have none (§4.1.3).
        answer = (await cpo.call("GET", f"{cpo.emsp_url}/ocpi/versions", headers=headers)).headers
        assert answer["x-request-id"] == "r-1"
        assert "ocpi-from-party-id" not in answer

    async def test_every_answer_is_an_envelope_with_a_timestamp(self, friend: Connection, cpo: ScriptedCpo) -> None:
        for path in (f"{cpo.emsp_url}/ocpi/versions", f"{cpo.emsp_url}/ocpi/2.2.1", "locations/FI/VRT/NOPE"):
            body = (await cpo.call("GET", path)).json()
            assert body["timestamp"].endswith("Z")
            assert isinstance(body["status_code"], int)

    async def test_the_version_names_every_module_and_role(self, friend: Connection, cpo: ScriptedCpo) -> None:
        detail = (await cpo.call("GET", f"{cpo.emsp_url}/ocpi/2.2.1")).json()["data"]
        assert detail["version"] == "2.2.1"
        assert {(e["identifier"], e["role"]) for e in detail["endpoints"]} == {
            ("credentials", "SENDER"),
            ("locations", "RECEIVER"),
            ("tariffs", "RECEIVER"),
            ("sessions", "RECEIVER"),
            ("cdrs", "RECEIVER"),
            ("tokens", "SENDER"),
            ("commands", "SENDER"),
            ("chargingprofiles", "SENDER"),
            ("hubclientinfo", "RECEIVER"),
        }
        assert all(e["url"] == f"{cpo.emsp_url}/ocpi/emsp/2.2.1/{e['identifier']}" for e in detail["endpoints"])
