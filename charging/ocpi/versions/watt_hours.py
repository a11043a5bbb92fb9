"""ENERGY in Wh, where kWh is meant: some CPOs do as the samples of the specification do (docs/ocpi.md, Q21). Pure."""

from decimal import Decimal
from typing import Any, Final

from charging.ocpi.versions.dialect import Body
from charging.ocpi.versions.shape import each, number

_ENERGY: Final = frozenset(("ENERGY", "ENERGY_EXPORT", "ENERGY_IMPORT"))
_WH_PER_KWH: Final = Decimal(1000)
# Between "the same" and "a thousand times as much", on a logarithmic scale.
_FAR_MORE: Final = Decimal(30)


def in_kwh(body: Body, total_field: str) -> Body:
    """A Session or CDR with its ``charging_periods`` in kWh: a thousandth where they are plainly in Wh.

    ``total_field`` names the energy of the whole, in kWh. Without it, or without energy, there is nothing to tell by.
    """
    total, volumes = number(body.get(total_field)), _volumes(body.get("charging_periods"))
    if not total or not volumes or not _are_watt_hours(volumes, abs(total)):
        return body
    return each(body, "charging_periods", lambda period: each(period, "dimensions", _in_kwh))


def _are_watt_hours(volumes: list[Decimal], total_kwh: Decimal) -> bool:
    # One volume alone must exceed the total: CPOs that repeat the meter's reading in each period have a large sum, too.
    return sum(volumes) > _FAR_MORE * total_kwh and max(volumes) > total_kwh


def _volumes(periods: Any) -> list[Decimal]:
    """The size of each ENERGY; exported energy is negative."""
    found = (
        number(dimension.get("volume"))
        for period in _dicts(periods)
        for dimension in _dicts(period.get("dimensions"))
        if dimension.get("type") == "ENERGY"
    )
    return [abs(volume) for volume in found if volume is not None]


def _dicts(items: Any) -> list[Body]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _in_kwh(dimension: Body) -> Body:
    kind, volume = dimension.get("type"), number(dimension.get("volume"))
    if volume is None or not isinstance(kind, str) or kind not in _ENERGY:
        return dimension
    return {**dimension, "volume": volume / _WH_PER_KWH}
