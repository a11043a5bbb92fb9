"""A database from before the search by radius: what it holds is found, without a pull of everything."""

import json
from pathlib import Path

from alembic import command
from sqlalchemy import create_engine, text

from charging.store.migrate import alembic_config, upgrade
from tests.peer import evse, location

CONNECTION = """INSERT INTO connections (id, name, network, status, versions_url, roles, endpoints, power_factor,
    created_at, updated_at) VALUES ('c', 'c', 'c', 'active', '', '[]', '[]', 1, '2026-01-01', '2026-01-01')"""
LOCATION = "INSERT INTO locations VALUES ('c', 'FI', 'VRT', 'LOC1', 'UTC', :body, '2026-01-01')"
EVSE = """INSERT INTO evses (connection_id, country_code, party_id, location_id, uid, status, body, last_updated)
    VALUES ('c', 'FI', 'VRT', 'LOC1', '3256', 'AVAILABLE', :body, '2026-01-01')"""
FOUND_BY = "SELECT lookup_key, latitude, longitude, band, standards, max_power_w FROM evses"


def test_the_evses_of_an_older_database_are_placed_when_it_is_upgraded(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'old.db'}"
    command.upgrade(alembic_config(url), "0001")
    engine = create_engine(url.replace("+aiosqlite", ""))
    with engine.begin() as store:
        store.execute(text(CONNECTION))
        store.execute(text(LOCATION), {"body": json.dumps(location())})
        store.execute(text(EVSE), {"body": json.dumps(evse())})
    upgrade(url)
    with engine.connect() as store:
        (row,) = store.execute(text(FOUND_BY)).all()
    engine.dispose()
    assert tuple(row) == ("FIVRTE12345", 60.169857, 24.938379, 3008, ",IEC_62196_T2_COMBO,", 150_000)
