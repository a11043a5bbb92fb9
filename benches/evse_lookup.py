"""Finding one EVSE among a million, and those within 2 km in a city, on both databases; in the store, without HTTP."""

import random
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from statistics import median, quantiles
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Table, bindparam, insert, select, text

from benches.rows import Budget, Row
from benches.servers import KINDS, Databases
from charging.ocpi.geo import Point
from charging.store import tables
from charging.store.connections import ConnectionStore
from charging.store.engine import Database
from charging.store.evse_columns import place_columns, search_columns
from charging.store.evse_index import EvseIndex
from charging.store.evses_nearby import EvsesNearby, Wish
from charging.store.quick import QuickRead
from tests.peer import ROLE, connector, evse, location, tariff

EVSES = 1_000_000
CONNECTIONS = 20
CITIES = 50
CITY_DEG = 0.15  # about 17 km from edge to edge, like Helsinki or Munich: 20,000 EVSEs, some 800 within 2 km
ROUNDS = 5
LOOKUPS = 4_000
SEARCHES = 100
_BATCH = 10_000
_SEED = 7
_THEN = datetime(2026, 1, 1, tzinfo=UTC)


async def measure(databases: Databases) -> list[Row]:
    """p99 per round of looking up ids in several spellings, and of searches in the middle of the cities."""
    rows = []
    for kind in KINDS:
        database = Database(databases.fresh(kind))
        try:
            await _fill(database)
            rows += await _measure(kind, database)
        finally:
            await database.close()
    return rows


async def _measure(kind: str, database: Database) -> list[Row]:
    dice = random.Random(_SEED)
    connections = ConnectionStore(database, SecretStr("bench"))
    index, nearby = EvseIndex(database, connections), EvsesNearby(database, connections)

    async def find() -> None:
        n = dice.randrange(EVSES)
        spelling = dice.choice((f"FI*V{n % CONNECTIONS:02d}*E{n}", f"FI-V{n % CONNECTIONS:02d}-E{n}*1", f"uid-{n}"))
        match = await index.find(spelling)
        assert match is not None
        assert match.evse_uid == f"uid-{n}"

    async def search() -> None:
        found = await nearby.search(_middle(dice.randrange(CITIES)), 2000, Wish("CCS", available=True), 20)
        assert len(found.evses) == 20

    async def search_all() -> None:
        found = await nearby.search(_middle(dice.randrange(CITIES)), 2000, Wish("CHAdeMO"), 100)
        assert found.evses == []

    locations = tables.locations.c
    key = [locations[name] == bindparam(name) for name in ("connection_id", "country_code", "party_id", "id")]
    location_id = QuickRead(database, select(locations.id).where(*key))

    async def bare_read() -> None:
        n = dice.randrange(EVSES)
        assert await location_id.one(**_owner(n % CONNECTIONS), id=f"L{n}") is not None

    rows = []
    for what, work, times, limit in (
        (f"find an EVSE among {EVSES:,}", find, LOOKUPS, 1.0),
        ("the 20 nearest free CCS within 2 km", search, SEARCHES, 50.0),
        ("all within 2 km, none fits", search_all, SEARCHES, 50.0),
    ):
        await _times(work, times // 4)  # connections and caches are warm
        ours, bare = [], []
        for _ in range(ROUNDS):
            ours.append(await _times(work, times))
            bare.append(await _times(bare_read, times))
        notes = {"p50 ms": _median(ours), "p50 ms of the bare read": _median(bare)}
        name, against = f"{what}, {kind}, p99", "a bare read of one key"
        p99s = [_p99(times) for times in ours], [_p99(times) for times in bare]
        rows.append(Row(name, against, "ms", *p99s, Budget("ours", "≤", limit), notes))
    return rows


def _middle(city: int) -> Point:
    return Point(45 + city % 10 + CITY_DEG / 2, 5 + city // 10 + CITY_DEG / 2)


async def _times(work: Callable[[], Awaitable[None]], times: int) -> list[float]:
    """Milliseconds of each call, one after the other."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        await work()
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def _median(rounds: list[list[float]]) -> float:
    return round(median(time for times in rounds for time in times), 3)


def _p99(times: list[float]) -> float:
    return quantiles(times, n=100)[98]


async def _fill(database: Database) -> None:
    """One Location per EVSE; straight into the tables, for how objects get there is measured elsewhere."""
    async with database.write() as store:
        await store.execute(insert(tables.connections), [_connection(n) for n in range(CONNECTIONS)])
        await store.execute(insert(tables.tariffs), [_tariff(n) for n in range(CONNECTIONS)])
    objects = _objects()
    for _ in range(EVSES // _BATCH):
        batch = [next(objects) for _ in range(_BATCH)]
        for table, which in ((tables.locations, 0), (tables.evses, 1)):
            await _insert(database, table, [pair[which] for pair in batch])
    if not database.is_sqlite:
        async with database.write() as store:
            await store.execute(text("ANALYZE"))


async def _insert(database: Database, table: Table, rows: list[dict[str, Any]]) -> None:
    async with database.write() as store:
        await store.execute(insert(table), rows)


def _connection(n: int) -> dict[str, Any]:
    fixed = {"status": "active", "version": "2.2.1", "versions_url": "http://cpo.example", "endpoints": []}
    dates = {"created_at": _THEN, "updated_at": _THEN}
    return {"id": f"c{n}", "name": f"cpo {n}", "network": f"CPO {n}", "roles": [ROLE], **fixed, **dates}


def _owner(n: int) -> dict[str, str]:
    return {"connection_id": f"c{n}", "country_code": "FI", "party_id": f"V{n:02d}"}


def _tariff(n: int) -> dict[str, Any]:
    return {**_owner(n), "id": "T1", "body": tariff(party_id=f"V{n:02d}"), "last_updated": _THEN}


def _objects() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Rows of a Location and its EVSE, in the cities by turns."""
    dice = random.Random(_SEED)
    plugs = [connector(), connector(standard="IEC_62196_T2", power_type="AC_3_PHASE", max_electric_power=22_000)]
    for n in range(EVSES):
        city, owner = n % CITIES, _owner(n % CONNECTIONS)
        south, west = 45 + city % 10, 5 + city // 10
        where = (south + dice.uniform(0, CITY_DEG), west + dice.uniform(0, CITY_DEG))
        coordinates = {"latitude": f"{where[0]:.6f}", "longitude": f"{where[1]:.6f}"}
        place = location(id=f"L{n}", party_id=owner["party_id"], coordinates=coordinates)
        del place["evses"]
        status = "AVAILABLE" if dice.random() < 0.6 else "CHARGING"
        charger = evse(
            uid=f"uid-{n}", evse_id=f"FI*{owner['party_id']}*E{n}", status=status, connectors=[plugs[n // CITIES % 2]]
        )
        common = {**owner, "last_updated": _THEN}
        of_location = {**common, "id": place["id"], "time_zone": place["time_zone"], "body": place}
        of_evse = {**common, "location_id": place["id"], "uid": charger["uid"], "status": status, "body": charger}
        yield of_location, {**of_evse, **search_columns(charger), **place_columns(charger, place)}
