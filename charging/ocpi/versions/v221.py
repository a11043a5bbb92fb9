"""OCPI 2.2.1: the canonical form. What is mended here are the slips of its speakers."""

from typing import Final

from charging.ocpi.versions.dialect import Body, Kind
from charging.ocpi.versions.fitting import fitted
from charging.ocpi.versions.prices import CDR_PRICES, price_of_any, with_prices
from charging.ocpi.versions.shape import changed, owned, with_numbers
from charging.ocpi.versions.watt_hours import in_kwh
from charging.ocpi.wire import Party

_OWNED: Final = frozenset(("location", "tariff", "session", "cdr"))


class V221:
    """OCPI 2.2.1."""

    version: Final = "2.2.1"
    modules: Final = frozenset(
        "cdrs chargingprofiles commands credentials hubclientinfo locations sessions tariffs tokens".split()
    )
    has_roles: Final = True
    has_routing: Final = True
    encodes_token: Final = True

    def read(self, kind: Kind, body: Body, owner: Party | None = None) -> Body:
        """See ``Dialect``."""
        if kind in _OWNED:
            body = owned(body, owner)
        if kind == "session":
            return in_kwh(changed(body, "total_cost", price_of_any), "kwh")
        if kind == "cdr":
            body = with_numbers(body, "total_energy", "total_time", "total_parking_time")
            return in_kwh(with_prices(body, CDR_PRICES, price_of_any), "total_energy")
        return body

    def write(self, kind: Kind, body: Body) -> Body:
        """See ``Dialect``."""
        return fitted(self.version, kind, body)
