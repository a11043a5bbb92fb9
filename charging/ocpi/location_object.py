"""What PUT and PATCH make of a Location, an EVSE and a Connector (OCPI 2.2.1 §8.2.2).

Pure. Bodies are dicts as received. A PATCH cannot remove information, says the specification; we take null on a
field as "cleared", as JSON merge patch does, and never on a field that the object cannot do without.
"""

from datetime import datetime
from typing import Any, Final

from charging.ocpi.wire import parse_datetime

Body = dict[str, Any]

_IDENTITY: Final = frozenset(("country_code", "party_id", "id", "uid"))
_NEEDED: Final = frozenset(("status", "connectors", "standard", "power_type", "last_updated"))


def patched(stored: Body, changes: Body) -> Body:
    """``stored`` after a PATCH with ``changes``; lists are replaced whole, identity never changes."""
    cleared = {key for key, value in changes.items() if value is None and key not in _NEEDED | _IDENTITY}
    given = {key: value for key, value in changes.items() if value is not None and key not in _IDENTITY}
    return {**{key: value for key, value in stored.items() if key not in cleared}, **given}


def with_connector(evse: Body, connector: Body) -> Body:
    """``evse`` with ``connector`` put in: it replaces the one of its id, or is added."""
    others = [c for c in connectors(evse) if str(c.get("id")) != str(connector["id"])]
    return {**evse, "connectors": [*others, connector], "last_updated": _newest(evse, connector)}


def connector_of(evse: Body, connector_id: str) -> Body | None:
    """The connector of this id; ids are unique only inside an EVSE."""
    return next((c for c in connectors(evse) if str(c.get("id")) == connector_id), None)


def connectors(evse: Body) -> list[Body]:
    """The connectors of an EVSE; empty where there are none."""
    return [c for c in evse.get("connectors") or [] if isinstance(c, dict)]


def is_older(changes: Body, stored_at: datetime) -> bool:
    """Whether ``changes`` were overtaken by what is stored: pushes arrive out of order. Equal times apply."""
    return parse_datetime(changes["last_updated"]) < stored_at


def _newest(evse: Body, connector: Body) -> Any:
    # The parent's last_updated moves with its child's (§8.2.2), and never back.
    moments = [body["last_updated"] for body in (evse, connector) if body.get("last_updated")]
    return max(moments, key=parse_datetime)
