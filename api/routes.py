"""All routes of the API, put together once for every application of a process: this takes longer than a request."""

import re
from typing import Final

from fastapi import APIRouter
from starlette.routing import BaseRoute, Mount

from api import (
    connections,
    curves,
    diagnosis,
    disputes,
    events,
    evses,
    health,
    history,
    invoices,
    metrics,
    neighbours,
    ocpi,
    plans,
    quotes,
    receipts,
    reservations,
    sessions,
    synchronising,
    unlocking,
    user_tokens,
    webhooks,
)

# A whole Location with hundreds of EVSEs is pushed in one body; robots' requests have a limit in api.strict_json.
MAX_PARTNER_BODY_BYTES = 8 * 1024 * 1024

_USERS = (sessions, plans, quotes, receipts, events, webhooks, evses, reservations, history, health, metrics)
_PARTNERS = (
    ocpi,
    connections,
    diagnosis,
    synchronising,
    invoices,
    user_tokens,
    unlocking,
    curves,
    disputes,
    neighbours,
)


def _put_together() -> list[BaseRoute]:
    whole = APIRouter()
    for module in _USERS:
        whole.include_router(module.router)
    for path, router in ocpi.SERVED.items():
        # Mounted, not included: each router that is around an included one asks all of its routes again.
        mounted = Mount(path, app=router, max_body_size=MAX_PARTNER_BODY_BYTES)
        mounted.path_regex = re.compile(mounted.path_regex.pattern, re.DOTALL)  # an id may have a line break in it
        whole.routes.append(mounted)
    for module in _PARTNERS:
        whole.include_router(module.router, max_body_size=MAX_PARTNER_BODY_BYTES)
    return whole.routes


ROUTES: Final = _put_together()
