"""What the operator's endpoints share: the key ``X-API-Key``, bodies without surprises, connections by name."""

import hmac
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader
from pydantic import BaseModel, ConfigDict

from api.limits import limits_of
from api.services import Services
from charging.errors import Problem
from charging.store.connections import Connection, ConnectionStore

_api_key = APIKeyHeader(name="X-API-Key", auto_error=False)


async def require_admin(request: Request, key: Annotated[str | None, Depends(_api_key)] = None) -> None:
    """401 unless ``X-API-Key`` is the admin's, 429 after too many; compared in constant time."""
    expected = services_of(request).settings.admin_key.get_secret_value()
    if key is None or not hmac.compare_digest(key.encode(), expected.encode()):
        limits_of(request).failed(request)
        challenge = {"WWW-Authenticate": 'ApiKey realm="charging-sessions"'}
        raise Problem(401, "unauthorized", "X-API-Key is missing or wrong.", headers=challenge)


class AdminRequest(BaseModel):
    """A body in which every field is known."""

    model_config = ConfigDict(extra="forbid", strict=True)


def services_of(request: Request) -> Services:
    """What this process is made of."""
    found: Services = request.app.state.services
    return found


async def named(store: ConnectionStore, name: str) -> Connection:
    """The connection of this name or id."""
    connection = await store.by_name(name) or await store.get(name)
    if connection is None:
        raise Problem(404, "connection_not_found", "There is no such connection.")
    return connection


def text_of(moment: datetime | None) -> str | None:
    """A time as the admin's answers write it."""
    return None if moment is None else moment.isoformat()
