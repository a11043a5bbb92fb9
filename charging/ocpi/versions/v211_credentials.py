"""Credentials and version details of OCPI 2.1.1, which know neither roles nor interfaces. Pure."""

from collections.abc import Callable
from typing import Any, Final

from charging.ocpi.versions.dialect import Body
from charging.ocpi.versions.fields.v211 import V211
from charging.ocpi.versions.shape import without

_OF_THE_ROLE: Final = ("business_details", "party_id", "country_code")


def read_credentials(body: Body) -> Body:
    """One party per connection. What it is 2.1.1 does not say: CPO, for an eMSP connects to those."""
    if "roles" in body or not any(name in body for name in _OF_THE_ROLE):
        return body
    role: Body = {"role": "CPO", **{name: body[name] for name in _OF_THE_ROLE if name in body}}
    return {**without(body, *_OF_THE_ROLE), "roles": [role]}


def write_credentials(body: Body) -> Body:
    """Of several roles the first one is named."""
    roles = body.get("roles")
    first: Any = roles[0] if isinstance(roles, list) and roles else None
    return {**body, **first} if isinstance(first, dict) else body


def read_version_detail(body: Body) -> Body:
    """A 2.1.1 endpoint serves whatever its module has to: it is listed under both interface roles."""
    return _with_endpoints(body, lambda endpoint: [{"role": role, **endpoint} for role in ("SENDER", "RECEIVER")])


def write_version_detail(body: Body) -> Body:
    """Each module once, those that 2.1.1 does not have left out."""
    seen: set[str] = set()

    def once(endpoint: Body) -> list[Body]:
        module = str(endpoint.get("identifier"))
        is_out = module in seen or module not in V211.enums["ModuleID"]
        seen.add(module)
        return [] if is_out else [without(endpoint, "role")]

    return _with_endpoints(body, once)


def _with_endpoints(body: Body, convert: Callable[[Body], list[Body]]) -> Body:
    endpoints = body.get("endpoints")
    if not isinstance(endpoints, list):
        return body
    lists = [convert(endpoint) if isinstance(endpoint, dict) else [endpoint] for endpoint in endpoints]
    return {**body, "endpoints": [endpoint for several in lists for endpoint in several]}
