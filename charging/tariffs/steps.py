"""``step_size``: what is billed is rounded up once per session, not at each switch of prices (2.2.1 §11.4.2). Pure.

The total of what was paid is rounded by the component that was paid last, which also prices the surplus. ENERGY has one
rounding, TIME and PARKING_TIME share one, the time of a reservation has its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Final

from charging.tariffs.rules import TariffRules
from charging.tariffs.tariff import Component, Element, Tariff

_WH_PER_KWH: Final = 1000
_SECONDS_PER_HOUR: Final = 3600
_GROUPS: Final = (("ENERGY",), ("TIME", "PARKING_TIME"), ("RESERVATION_TIME",))
# Volumes that were cut or came as binary fractions: a millionth of a Wh or second is no new step.
_NOISE: Final = Decimal("0.000001")


@dataclass(slots=True)
class Tally:
    """What one component of one element was used for; ``last`` tells whose use was later.

    ``volume`` in kWh, h or times; of a time ``seconds`` are the same, but for the decimals that ``volume`` has not.
    """

    tariff: Tariff
    element: Element
    component: Component
    dimension: str
    volume: Decimal = Decimal(0)
    seconds: Decimal = Decimal(0)
    surplus: Decimal = Decimal(0)
    last: int = 0

    @property
    def used(self) -> Decimal:
        """In the unit of ``step_size``: Wh or s."""
        return self.volume * _WH_PER_KWH if self.dimension == "ENERGY" else self.seconds


def add_surplus(tallies: Sequence[Tally], rules: TariffRules) -> None:
    """Give the surplus of each rounding to the tally that takes it."""
    paid = [t for t in tallies if t.used > 0 and (t.component.price or rules.free_volume_steps)]
    for group in _GROUPS:
        if members := [t for t in paid if t.dimension in group]:
            parked = [t for t in members if t.dimension == "PARKING_TIME"]
            _round(members, max(parked if rules.time_step == "parking" and parked else members, key=_last), rules)


def _round(members: Sequence[Tally], last: Tally, rules: TariffRules) -> None:
    step = last.component.step
    if step < 1 or (step == 1 and not rules.step_of_one):
        return
    same = [t for t in members if t.dimension == last.dimension]
    used = sum(t.used for t in same)
    billed = ((used - _NOISE) / step).to_integral_value(ROUND_CEILING) * step
    if billed > used:
        unit = _WH_PER_KWH if last.dimension == "ENERGY" else _SECONDS_PER_HOUR
        last.surplus = max(Decimal(0), billed / unit - sum(t.volume for t in same))


def _last(tally: Tally) -> int:
    return tally.last
