"""Our OCPI side over real HTTP (``emsp``) and a CPO under the test's control (``cpo``)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api import problems
from api.limits import Limits
from api.routes import ROUTES
from api.services import Services, build_services
from charging.settings import Settings
from charging.store.connections import Connection
from charging.store.quotas import QuotaStore
from tests.peer import ScriptedCpo
from tests.serving import serve

Body = dict[str, Any]


# For tests whose subject is not the database: what both kinds do alike is shown by the others.
on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@dataclass(frozen=True)
class Emsp:
    """Our API at ``url``."""

    url: str
    services: Services
    http: httpx.AsyncClient

    async def admin(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
        """A request with the admin's key, or ``key``."""
        secret = self.services.settings.admin_key.get_secret_value() if key is None else key
        headers = {"X-API-Key": secret} if secret else {}
        return await self.http.request(method, f"{self.url}/ocpi/{path}", json=body, headers=headers)

    async def register(self, cpo: ScriptedCpo, **fields: Any) -> httpx.Response:
        """POST /ocpi/register for the scripted CPO."""
        body = {"cpo_name": "virta", "versions_url": cpo.versions_url, "token": cpo.token_a, **fields}
        return await self.admin("POST", "register", body)

    async def connection(self) -> Connection:
        """The connection called ``virta``."""
        found = await self.services.connections.by_name("virta")
        assert found is not None
        return found


@pytest.fixture
def settings(store_url: str) -> Settings:
    return Settings(database_url=store_url, allow_private_peers=True, max_power_factor=600, cpo_timeout_s=10)


@pytest.fixture
async def emsp(settings: Settings) -> AsyncIterator[Emsp]:
    services = await build_services(settings)
    app = FastAPI(routes=ROUTES)  # and none of what runs beside them
    problems.install(app)
    app.state.services = services
    app.state.limits = Limits(settings, QuotaStore(services.database).use)
    async with httpx.AsyncClient(timeout=10, trust_env=False, verify=False) as http, serve(app) as url:
        settings.public_url = url
        yield Emsp(url, services, http)
    await services.close()


@pytest.fixture
async def cpo() -> AsyncIterator[ScriptedCpo]:
    async with ScriptedCpo() as cpo:
        yield cpo


@pytest.fixture
async def friend(emsp: Emsp, cpo: ScriptedCpo) -> Connection:
    """The CPO as an active connection, without a handshake."""
    return await cpo.befriend(emsp.services.database, emsp.services.settings)
