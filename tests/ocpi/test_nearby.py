"""EVSEs within a radius, nearest first, on both databases."""

from typing import Any

import pytest

from charging.ocpi.geo import Point
from charging.store.connections import Connection
from charging.store.evses_nearby import EvsesNearby, Wish
from charging.store.locations import LocationStore
from charging.store.objects import ObjectKey
from tests.ocpi.conftest import Emsp, on_sqlite
from tests.peer import ScriptedCpo, connector, evse, location

LATER = "2026-02-01T00:00:00Z"
HERE = Point(60.169857, 24.938379)  # where LOC1 stands
ANYTHING = Wish()


@pytest.fixture
def nearby(emsp: Emsp, friend: Connection) -> EvsesNearby:
    return EvsesNearby(emsp.services.database, emsp.services.connections)


async def uids(
    nearby: EvsesNearby, centre: Point = HERE, radius_m: float = 2000, wish: Wish = ANYTHING, limit: int = 20
) -> list[str]:
    found = await nearby.search(centre, radius_m, wish, limit)
    metres = [metres for metres, _ in found.evses]
    assert metres == sorted(metres)
    return [match.evse_uid for _, match in found.evses]


def at(latitude: float, longitude: float) -> dict[str, str]:
    return {"latitude": f"{latitude:.6f}", "longitude": f"{longitude:.6f}"}


class Site:
    """Puts locations of one EVSE, whose uid is the location's id."""

    def __init__(self, emsp: Emsp, connection: Connection) -> None:
        self.store = LocationStore(emsp.services.database)
        self.connection = connection

    async def put(self, id: str, latitude: float, longitude: float, **fields: Any) -> None:
        chargers = [evse(uid=id, evse_id=None, **fields.pop("evse", {}))]
        body = location(id=id, coordinates=at(latitude, longitude), **{"evses": chargers, **fields})
        await self.store.put_location(self.connection.id, body)

    def key(self, id: str) -> ObjectKey:
        return ObjectKey(self.connection.id, "FI", "VRT", id)


@pytest.fixture
def site(emsp: Emsp, friend: Connection) -> Site:
    return Site(emsp, friend)


async def test_they_are_found_by_distance_and_within_the_radius_only(nearby: EvsesNearby, site: Site) -> None:
    for id, metres in (("far", 1900), ("near", 300), ("outside", 2100)):
        await site.put(id, HERE.latitude + metres / 111_195, HERE.longitude)
    assert await uids(nearby) == ["3256", "3257", "near", "far"]
    assert await uids(nearby, radius_m=200) == ["3256", "3257"]
    assert await uids(nearby, radius_m=50_000) == ["3256", "3257", "near", "far", "outside"]


async def test_of_too_many_the_nearest_are_told_and_that_there_are_more(nearby: EvsesNearby, site: Site) -> None:
    for n in range(1, 6):
        await site.put(str(n), HERE.latitude + n / 1000, HERE.longitude)
    cut = await nearby.search(HERE, 2000, ANYTHING, 4)
    assert [match.evse_uid for _, match in cut.evses] == ["3256", "3257", "1", "2"]
    assert cut.is_cut
    assert not (await nearby.search(HERE, 2000, ANYTHING, 7)).is_cut


@pytest.mark.parametrize(
    ("wish", "found"),
    [
        (Wish(connector_type="CCS"), ["3256", "busy"]),
        (Wish(connector_type="ccs", available=True), ["3256"]),
        (Wish(connector_type="Type2"), ["3257", "both"]),
        (Wish(connector_type="IEC_62196_T2"), ["3257", "both"]),
        (Wish(connector_type="iec_62196_t2_combo", min_power_kw=100), ["3256", "busy"]),
        (Wish(connector_type="CHAdeMO", min_power_kw=50), ["both"]),
        (Wish(connector_type="Type2", min_power_kw=50), []),  # 50 kW are there, at another plug
        (Wish(min_power_kw=22.0), ["3256", "3257", "busy", "both"]),
        (Wish(connector_type="IEC%62196_T2"), []),
        (Wish(connector_type="NACS"), []),
        (Wish(available=True), ["3256", "3257", "both"]),
        (Wish(available=False), ["busy"]),
    ],
)
async def test_they_are_filtered_by_plug_power_and_availability(
    nearby: EvsesNearby, site: Site, wish: Wish, found: list[str]
) -> None:
    await site.put("busy", HERE.latitude + 0.001, HERE.longitude, evse={"status": "CHARGING"})
    plugs = [
        connector(standard="CHADEMO", max_electric_power=50_000),
        connector(id="2", standard="IEC_62196_T2", power_type="AC_3_PHASE", max_electric_power=22_000),
    ]
    await site.put("both", HERE.latitude + 0.002, HERE.longitude, evse={"connectors": plugs})
    assert await uids(nearby, wish=wish) == found


async def test_what_is_not_public_removed_or_left_is_not_shown(
    nearby: EvsesNearby, site: Site, emsp: Emsp, friend: Connection
) -> None:
    await site.put("private", HERE.latitude, HERE.longitude, publish=False)
    await site.put("removed", HERE.latitude, HERE.longitude, evse={"status": "REMOVED"})
    await site.put("nowhere", 0, 0)
    assert await uids(nearby) == ["3256", "3257"]
    await emsp.services.connections.unregister(friend.id)
    assert await uids(nearby) == []


async def test_an_evse_stands_at_its_own_coordinates_and_moves_with_its_location(
    nearby: EvsesNearby, site: Site
) -> None:
    there, elsewhere = Point(61, 25), Point(62, 26)
    own = evse(uid="own", evse_id=None, coordinates=at(61.0, 25.0))
    await site.put("L", 62, 26, evses=[own, evse(uid="lent", evse_id=None)])
    assert (await uids(nearby, there), await uids(nearby, elsewhere)) == (["own"], ["lent"])
    moved = {"coordinates": at(63, 27), "last_updated": LATER}
    await site.store.patch_location(site.key("L"), moved)
    assert (await uids(nearby, there), await uids(nearby, elsewhere)) == (["own"], [])
    assert await uids(nearby, Point(63, 27)) == ["lent"]
    await site.store.patch_evse(
        site.key("L"), "own", {"coordinates": None, "status": "CHARGING", "last_updated": LATER}
    )
    assert await uids(nearby, Point(63, 27)) == ["lent", "own"]
    await site.store.patch_evse(site.key("L"), "own", {"status": "AVAILABLE", "last_updated": LATER})
    assert await uids(nearby, Point(63, 27), wish=Wish(available=True)) == ["lent", "own"]


@on_sqlite
async def test_a_location_that_is_published_or_not_any_more_shows_or_hides_its_evses(
    nearby: EvsesNearby, site: Site
) -> None:
    await site.store.patch_location(site.key("LOC1"), {"publish": False, "last_updated": LATER})
    assert await uids(nearby) == []
    body = location(last_updated="2026-03-01T00:00:00Z")
    del body["evses"]
    await site.store.put_location(site.connection.id, body)
    assert await uids(nearby) == ["3256", "3257"]


@pytest.mark.parametrize("centre", [Point(0.0, 179.995), Point(0.0, -179.995), Point(0.0, 180.0), Point(0.0, -180.0)])
async def test_the_180th_meridian_is_no_border(nearby: EvsesNearby, site: Site, centre: Point) -> None:
    await site.put("west", 0.001, 179.999)
    await site.put("east", -0.001, -179.999)
    assert sorted(await uids(nearby, centre)) == ["east", "west"]


@on_sqlite
async def test_at_a_pole_all_longitudes_are_near(nearby: EvsesNearby, site: Site) -> None:
    for n, longitude in enumerate((-180, -90, 0.5, 179)):
        await site.put(f"n{n}", 89.99, longitude)
        await site.put(f"s{n}", -90, longitude)
    assert sorted(await uids(nearby, Point(90, 10))) == ["n0", "n1", "n2", "n3"]
    assert sorted(await uids(nearby, Point(-89.999, 10))) == ["s0", "s1", "s2", "s3"]


async def test_an_evse_that_a_hub_tells_of_too_is_shown_once_as_its_cpos(nearby: EvsesNearby, emsp: Emsp) -> None:
    async with ScriptedCpo() as hub:
        hub.role = {**hub.role, "role": "HUB", "business_details": {"name": "Hub"}}
        await hub.befriend(emsp.services.database, emsp.services.settings, name="hub")
    found = await nearby.search(HERE, 100, ANYTHING, 10)
    assert [(m.evse_uid, m.connection.network) for _, m in found.evses] == [("3256", "Virta"), ("3257", "Virta")]
