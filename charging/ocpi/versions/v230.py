"""OCPI 2.3.0: its own are the taxes in prices and tariffs; the rest is as in 2.2.1."""

from typing import Final

from charging.ocpi.versions.dialect import Body, Kind
from charging.ocpi.versions.fitting import fitted
from charging.ocpi.versions.prices import (
    CDR_PRICES,
    limit_of_price,
    price_from_limit,
    price_from_taxes,
    price_with_taxes,
    with_prices,
)
from charging.ocpi.versions.shape import each
from charging.ocpi.versions.v221 import V221
from charging.ocpi.wire import Party

_LIMITS: Final = ("min_price", "max_price")
_canonical: Final = V221()


class V230:
    """OCPI 2.3.0."""

    version: Final = "2.3.0"
    modules: Final = frozenset(
        (
            "cdrs chargingprofiles commands credentials hubclientinfo invoicereconciliation locations sessions tariffs "
            "tokens"
        ).split()
    )
    has_roles: Final = True
    has_routing: Final = True
    encodes_token: Final = True

    def read(self, kind: Kind, body: Body, owner: Party | None = None) -> Body:
        """See ``Dialect``. ``tax_included`` of a Tariff stays beside: where it is YES, its prices include tax."""
        if kind == "session":
            body = with_prices(body, ("total_cost",), price_from_taxes)
        elif kind == "cdr":
            body = each(with_prices(body, CDR_PRICES, price_from_taxes), "tariffs", _read_tariff)
        elif kind == "tariff":
            body = _read_tariff(body)
        return _canonical.read(kind, body, owner)

    def write(self, kind: Kind, body: Body) -> Body:
        """See ``Dialect``."""
        if kind == "session":
            body = with_prices(body, ("total_cost",), price_with_taxes)
        elif kind == "cdr":
            body = each(with_prices(body, CDR_PRICES, price_with_taxes), "tariffs", _write_tariff)
        elif kind == "tariff":
            body = _write_tariff(body)
        return fitted(self.version, kind, body)


def _read_tariff(tariff: Body) -> Body:
    return with_prices(tariff, _LIMITS, price_from_limit)


def _write_tariff(tariff: Body) -> Body:
    # The prices of a 2.2.1 Tariff are excl. VAT (§11.4.2).
    tariff = with_prices(tariff, _LIMITS, limit_of_price)
    return {"tax_included": "NO", **tariff} if tariff.get("elements") is not None else tariff
