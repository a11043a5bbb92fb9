"""What a full pull makes of the locations and tariffs that are stored (docs/ocpi.md, Q15, Q16)."""

from typing import Any

from sqlalchemy import select

from charging.pulling import Module, SyncState
from charging.store.connections import Connection
from charging.store.evse_index import EvseIndex
from charging.store.evse_match import EvseMatch
from charging.store.locations import LocationStore
from charging.store.sync_states import SyncStateStore
from charging.store.tables import locations
from charging.store.tariffs import TariffStore
from tests.ocpi.conftest import Emsp, on_sqlite
from tests.peer import ScriptedCpo, evse, html, location, tariff

LATER = "2026-02-01T00:00:00Z"
OTHER = location(id="LOC2", evses=[evse(uid="9", evse_id="FI*VRT*E9")])


async def pulled(emsp: Emsp, friend: Connection, module: Module = Module.LOCATIONS) -> SyncState:
    """The state of ``module`` after a full pull."""
    await emsp.services.synchroniser.first_pull(friend)
    return (await SyncStateStore(emsp.services.database).of(friend.id))[module]


async def found(emsp: Emsp, evse_id: str = "FI*VRT*E12345") -> EvseMatch:
    match = await EvseIndex(emsp.services.database, emsp.services.connections).find(evse_id)
    assert match is not None
    return match


async def test_what_a_full_list_leaves_out_is_removed_but_not_deleted(
    emsp: Emsp, cpo: ScriptedCpo, friend: Connection
) -> None:
    cpo.locations = [OTHER]
    state = await pulled(emsp, friend)
    assert state.counts is not None
    assert (state.counts.created, state.counts.missing) == (1, 1)
    assert (await found(emsp)).status == "REMOVED"
    assert (await found(emsp, "FI*VRT*E9")).status == "AVAILABLE"
    assert (await cpo.call("GET", "locations/FI/VRT/LOC1")).status_code == 200
    again = await pulled(emsp, friend)
    assert again.counts is not None
    assert again.counts.missing == 0


async def test_what_comes_back_is_there_again(emsp: Emsp, cpo: ScriptedCpo, friend: Connection) -> None:
    cpo.locations, cpo.tariffs = [OTHER], [tariff(id="T2")]
    await pulled(emsp, friend)
    cpo.locations, cpo.tariffs = [location(), OTHER], [tariff()]
    await pulled(emsp, friend)
    assert (await found(emsp)).status == "AVAILABLE"
    assert set((await found(emsp)).tariffs) == {"T1"}


async def test_a_tariff_that_a_full_list_leaves_out_prices_nothing(
    emsp: Emsp, cpo: ScriptedCpo, friend: Connection
) -> None:
    assert set((await found(emsp)).tariffs) == {"T1"}
    cpo.tariffs = [tariff(id="T2")]
    await pulled(emsp, friend)
    assert (await found(emsp)).tariffs == {}


@on_sqlite
async def test_nothing_is_removed_by_a_list_that_is_empty_or_broken_off(
    emsp: Emsp, cpo: ScriptedCpo, friend: Connection
) -> None:
    cpo.locations = []
    await pulled(emsp, friend)
    assert (await found(emsp)).status == "AVAILABLE"
    cpo.on("locations", html(500))
    state = await pulled(emsp, friend)
    assert state.last_error is not None
    assert (await found(emsp)).status == "AVAILABLE"


@on_sqlite
async def test_an_object_that_is_broken_is_not_missing(emsp: Emsp, cpo: ScriptedCpo, friend: Connection) -> None:
    cpo.locations = [location(evses=[{"uid": "3256"}]), OTHER]
    state = await pulled(emsp, friend)
    assert state.counts is not None
    assert (state.counts.broken, state.counts.missing) == (1, 0)
    assert (await found(emsp)).status == "AVAILABLE"


async def test_an_object_that_says_nothing_new_is_not_written_again(
    emsp: Emsp, cpo: ScriptedCpo, friend: Connection
) -> None:
    cpo.locations = [location(last_updated=LATER, evses=[evse(last_updated=LATER), cpo.locations[0]["evses"][1]])]
    cpo.tariffs = [tariff(last_updated=LATER)]
    for module in (Module.LOCATIONS, Module.TARIFFS):
        counts = (await pulled(emsp, friend, module)).counts
        assert counts is not None
        assert (counts.seen, counts.unchanged, counts.changed) == (1, 1, 0)
    async with emsp.services.database.read() as store:
        row = (await store.execute(select(locations))).one()
    assert row.body["last_updated"] == location()["last_updated"]
    # But what was said before is older now, and a push that is late changes nothing.
    late = {"status": "CHARGING", "last_updated": "2026-01-15T00:00:00Z"}
    await cpo.call("PATCH", "locations/FI/VRT/LOC1/3256", late)
    assert (await found(emsp)).status == "AVAILABLE"


async def test_a_page_says_of_each_object_whether_it_is_new(emsp: Emsp, friend: Connection) -> None:
    store = LocationStore(emsp.services.database)
    page = [location(), OTHER, location(id="LOC3", name=None, evses=[]), {"id": "LOC4"}]
    written = await store.put_locations(friend.id, page)
    assert (written.created, written.changed, written.unchanged, len(written.broken)) == (2, 0, 1, 1)
    changed = [location(evses=[evse(status="CHARGING")]), location(id="LOC2", evses=[])]
    written = await store.put_locations(friend.id, changed)
    assert (written.created, written.changed, written.unchanged) == (0, 2, 0)
    assert (await found(emsp, "FI*VRT*E9")).status == "REMOVED"
    tariffs = await TariffStore(emsp.services.database).put_tariffs(friend.id, [tariff(), tariff(id="T2")])
    assert (tariffs.created, tariffs.unchanged) == (1, 1)


@on_sqlite
async def test_the_admin_sees_how_each_module_fares(emsp: Emsp, cpo: ScriptedCpo) -> None:
    cpo.on("tariffs", html(502))
    await emsp.register(cpo)
    (view,) = (await emsp.admin("GET", "connections")).json()["connections"]
    sync: dict[str, Any] = view["sync"]
    assert "502" in sync["tariffs"]["last_error"]
    assert sync["tariffs"]["last_ok_at"] is None
    assert sync["locations"]["last_ok_at"] == sync["locations"]["last_full_at"] == view["locations_synced_at"]


@on_sqlite
async def test_a_synchronisation_that_cannot_be_is_refused(emsp: Emsp, cpo: ScriptedCpo) -> None:
    cpo.endpoints = [endpoint for endpoint in cpo.endpoints if endpoint[0] != "cdrs"]
    await emsp.register(cpo)
    for path, order, status, code in (
        ("nobody", {}, 404, "connection_not_found"),
        ("virta", {"module": "cdrs"}, 422, "module_not_offered"),
        ("virta", {"module": "weather"}, 422, "validation_error"),
    ):
        response = await emsp.admin("POST", f"connections/{path}/sync", order)
        assert (response.status_code, response.json()["code"]) == (status, code)
    await emsp.admin("DELETE", "connections/virta")
    response = await emsp.admin("POST", "connections/virta/sync", {})
    assert (response.status_code, response.json()["code"]) == (409, "connection_not_active")
