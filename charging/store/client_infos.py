"""The parties behind hubs, as the hubs tell of them (OCPI 2.2.1 §15)."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.ocpi.models import ClientInfo
from charging.ocpi.wire import fold, format_datetime
from charging.store.engine import Database
from charging.store.objects import Body, sorted_out
from charging.store.tables import client_infos
from charging.store.upsert import upsert


class ClientInfoStore:
    """Reads and writes ClientInfo objects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, connection_id: str, info: ClientInfo) -> bool:
        """Store what a hub tells of a party, unless it is older than what is stored; whether the party came back."""
        async with self._database.write() as store:
            return await _put(store, connection_id, info)

    async def put_client_infos(self, connection_id: str, bodies: Iterable[Body]) -> list[tuple[Body, str]]:
        """Store one page of a pull in one transaction. Broken objects are returned with what is wrong, not raised."""
        good, broken = sorted_out(ClientInfo, bodies)
        async with self._database.write() as store:
            for body in good:
                await _put(store, connection_id, ClientInfo.model_validate(body))
        return broken

    async def get(self, connection_id: str, country_code: str, party_id: str) -> Body | None:
        """What the hub has told of a party, the newest where it has several roles."""
        query = (
            select(client_infos)
            .where(
                client_infos.c.connection_id == connection_id,
                client_infos.c.country_code == fold(country_code),
                client_infos.c.party_id == fold(party_id),
            )
            .order_by(client_infos.c.last_updated.desc())
        )
        async with self._database.read() as store:
            row = (await store.execute(query)).first()
        if row is None:
            return None
        names = ("party_id", "country_code", "role", "status")
        return {**{name: row._mapping[name] for name in names}, "last_updated": format_datetime(row.last_updated)}


async def _put(store: AsyncConnection, connection_id: str, info: ClientInfo) -> bool:
    key: dict[str, Any] = {
        "connection_id": connection_id,
        "country_code": fold(info.country_code),
        "party_id": fold(info.party_id),
        "role": fold(info.role),
    }
    conditions = [client_infos.c[name] == value for name, value in key.items()]
    known = (await store.execute(select(client_infos).where(*conditions).with_for_update())).first()
    if known is not None and info.last_updated < known.last_updated:
        return False
    status = fold(info.status)
    await upsert(store, client_infos, {**key, "status": status, "last_updated": info.last_updated})
    return known is not None and known.status != "CONNECTED" and status == "CONNECTED"
