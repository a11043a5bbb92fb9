"""An OCPI Tariff, read: elements, components, floor and ceiling (2.2.1 §11.3, §11.4; taxes of 2.3.0). Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from charging.tariffs.calendar import Restrictions
from charging.tariffs.conditions import Conditions, read_conditions
from charging.tariffs.numbers import number

DIMENSIONS: Final = frozenset(("ENERGY", "FLAT", "PARKING_TIME", "TIME"))
_MOST_VAT: Final = 100
_BROKEN = (ArithmeticError, AttributeError, KeyError, TypeError, ValueError)


class Unpriceable(ValueError):
    """A price that nobody can compute: no elements, a price by what is not known, nonsense. Its text says why."""


class UnreadableTariff(Unpriceable):
    """A tariff with something in it that is not OCPI."""


class Taxes(StrEnum):
    """What a component's price says of tax (``tax_included``; 2.2.1 and before: NO)."""

    EXCLUDED = "NO"
    INCLUDED = "YES"
    NONE = "N/A"


@dataclass(frozen=True, slots=True)
class Component:
    """A PriceComponent: ``price`` per kWh, hour or session, ``vat`` in % or None, ``step`` in Wh or s."""

    dimension: str
    price: Decimal
    vat: Decimal | None
    step: int


@dataclass(frozen=True, slots=True)
class Element:
    """A TariffElement; ``number`` is its place in the list, from 1; ``conditions`` are its ``restrictions``, read."""

    number: int
    restrictions: Restrictions
    conditions: Conditions
    components: dict[str, Component]

    @property
    def reservation(self) -> str | None:
        """RESERVATION or RESERVATION_EXPIRES, where it prices reservations only."""
        kind = self.restrictions.get("reservation")
        return str(kind) if kind else None


@dataclass(frozen=True, slots=True)
class Price:
    """An amount as OCPI has it, without and with VAT; None is not given."""

    excl: Decimal | None
    incl: Decimal | None


@dataclass(frozen=True, slots=True)
class Tariff:
    """A Tariff that can be priced by."""

    id: str
    currency: str
    taxes: Taxes
    elements: tuple[Element, ...]
    floor: Price | None
    ceiling: Price | None


def read_tariff(body: Any) -> Tariff:
    """The Tariff in a canonical (2.2.1) ``body``, ``tax_included`` of 2.3.0 beside. Raises ``Unpriceable``."""
    try:
        currency = body["currency"].upper()
        elements = tuple(_elements(body.get("elements") or ()))
        taxes = Taxes(body.get("tax_included") or Taxes.EXCLUDED)
        floor, ceiling = (read_price(body.get(name)) for name in ("min_price", "max_price"))
    except _BROKEN:
        raise UnreadableTariff("the tariff cannot be read") from None
    if not currency or not elements:
        raise Unpriceable("the tariff has no elements or no currency: its price is unknown, not nothing")
    return Tariff(str(body.get("id") or ""), currency, taxes, elements, floor, ceiling)


def _elements(bodies: Iterable[dict[str, Any]]) -> Iterable[Element]:
    for place, body in enumerate(bodies, start=1):
        restrictions = body.get("restrictions") or {}
        if restrictions.get("booking"):
            continue  # a booking (2.3.0) is not a charging session
        components: dict[str, Component] = {}
        for each in body["price_components"]:
            component = _component(each)
            components.setdefault(component.dimension, component)
        yield Element(place, restrictions, read_conditions(restrictions), components)


def _component(body: dict[str, Any]) -> Component:
    dimension = body["type"]
    if dimension not in DIMENSIONS:
        raise ValueError("a dimension that OCPI does not know")
    vat = None if body.get("vat") is None else number(body["vat"])
    if vat is not None and not 0 <= vat <= _MOST_VAT:
        raise ValueError("no such VAT")
    return Component(dimension, number(body["price"]), vat, int(number(body.get("step_size") or 0)))


def read_price(body: Any) -> Price | None:
    """A canonical Price (§16.5), None where there is none. Raises ``ValueError`` and its like."""
    if body is None:
        return None
    excl, incl = (None if body.get(name) is None else number(body[name]) for name in ("excl_vat", "incl_vat"))
    return Price(excl, incl)
