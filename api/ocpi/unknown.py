"""What no module serves: 404, or 405 with ``Allow``, in an OCPI envelope as all answers to CPOs (OCPI 2.2.1 §4.1.7)."""

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.routing import BaseRoute, Match

from api.ocpi.exchange import OcpiRoute, not_found, reply
from charging.ocpi import wire

_METHODS: Final = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]


def add_unknown(router: APIRouter, prefix: str = "") -> None:
    """Answer what ``router`` does not serve at ``prefix`` and below it; without a prefix, below where it is mounted.

    Call it when all its routes are there.
    """
    served = list(router.routes)

    async def refuse(request: Request) -> Response:
        allowed = [method for method in _METHODS if any(_serves(route, request, method) for route in served)]
        if not allowed:
            raise not_found("no such path", status_code=wire.CLIENT_ERROR)
        return reply(
            status_code=wire.CLIENT_ERROR,
            http_status=405,
            message="this path has other methods",
            headers={"Allow": ", ".join(allowed)},
        )

    unknown = APIRouter(route_class=OcpiRoute, include_in_schema=False)
    for path in filter(None, (prefix, f"{prefix}/{{rest:path}}")):
        unknown.add_api_route(path, refuse, methods=_METHODS)
    router.include_router(unknown)


def _serves(route: BaseRoute, request: Request, method: str) -> bool:
    """Whether ``route`` would take the request if it had this method. An included router does not list its own."""
    return route.matches({**request.scope, "method": method})[0] is Match.FULL
