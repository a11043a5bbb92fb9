"""Tariff of OCPI 2.1.1 (mod_tariffs). Pure."""

from typing import Final

from charging.ocpi.versions.dialect import Body
from charging.ocpi.versions.shape import each, inside, owned, with_numbers
from charging.ocpi.versions.v211_energy_mix import read_energy_mix, write_energy_mix
from charging.ocpi.wire import Party

_NOT_IN_211: Final = ("reservation", "min_current", "max_current")


def read_tariff(body: Body, owner: Party | None) -> Body:
    """Prices without ``vat`` stay so: 2.1.1 does not tell it."""
    return each(inside(owned(body, owner), "energy_mix", read_energy_mix), "elements", _read_element)


def write_tariff(body: Body) -> Body:
    """Elements under a restriction that 2.1.1 lacks are left out: without it they would hold always."""
    elements = body.get("elements")
    if isinstance(elements, list):
        body = {**body, "elements": [element for element in elements if not _is_beyond_211(element)]}
    return inside(body, "energy_mix", write_energy_mix)


def _read_element(element: Body) -> Body:
    return each(element, "price_components", lambda component: with_numbers(component, "price", "vat"))


def _is_beyond_211(element: object) -> bool:
    restrictions = element.get("restrictions") if isinstance(element, dict) else None
    return isinstance(restrictions, dict) and any(restrictions.get(name) is not None for name in _NOT_IN_211)
