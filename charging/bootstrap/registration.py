"""The sandbox CPO is connected as any CPO is: by the admin's registration, over the OCPI handshake."""

from typing import Any

import httpx

from charging.bootstrap.errors import StackError
from charging.bootstrap.recipe import Recipe

SANDBOX_NAME = "Virta (sandbox)"
HANDSHAKE_TIMEOUT_S = 30


async def connect_sandbox(recipe: Recipe) -> None:
    """Register the sandbox where it is not connected as it should be. Raises ``StackError`` when it cannot be."""
    wanted = {"versions_url": f"{recipe.cpo_url}/ocpi/versions", "power_factor": recipe.speed}
    if not await _is_connected(recipe, wanted):
        request = {"cpo_name": SANDBOX_NAME, "token": recipe.secrets.sandbox_token, **wanted}
        await _admin(recipe, "POST", "/ocpi/register", json=request)


async def _is_connected(recipe: Recipe, wanted: dict[str, Any]) -> bool:
    answer = await _admin(recipe, "GET", "/ocpi/connections")
    as_wanted = {"name": SANDBOX_NAME, "status": "active", **wanted}
    return any(connection.items() >= as_wanted.items() for connection in answer["connections"])


async def _admin(recipe: Recipe, method: str, path: str, json: dict[str, Any] | None = None) -> dict[str, Any]:
    headers = {"X-API-Key": recipe.secrets.admin_key}
    try:
        answer = await recipe.http.request(
            method, f"{recipe.api_url}{path}", json=json, headers=headers, timeout=HANDSHAKE_TIMEOUT_S
        )
    except httpx.HTTPError as error:
        raise StackError("sandbox_not_connected", f"{method} {path}: {error or type(error).__name__}") from error
    if answer.is_error:
        raise StackError("sandbox_not_connected", f"{method} {path}: HTTP {answer.status_code} {answer.text}")
    body: dict[str, Any] = answer.json()
    return body
