"""What a session costs so far, and if it stopped now, by an OCPI Tariff (2.2.1 §11): estimates, not the bill. Pure.

Energy is taken to flow evenly from the start, and ``PARKING_TIME`` to count from ``parked_since`` on. ``step_size`` is
applied to what a stop would cost only: nobody owes a block before it is begun and the session over.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from charging.money import round_money
from charging.tariffs.numbers import microseconds
from charging.tariffs.rating import rate
from charging.tariffs.rules import DEFAULT_RULES, TariffRules
from charging.tariffs.tariff import read_tariff
from charging.tariffs.usage import CHARGING, MICROSECONDS_PER_HOUR, PARKED, Stretch, Usage

HOLD_MARGIN = Decimal("1.2")

TariffBody = dict[str, Any]


class RunningCost(NamedTuple):
    """Incl. all VAT that is known, rounded to the currency's minor unit: ``so_far`` <= ``if_stopped``, as a rule."""

    so_far: Decimal
    if_stopped: Decimal


def tariff_currency(tariff: TariffBody | None) -> str | None:
    """The tariff's currency (ISO 4217, upper case); None where there is no tariff."""
    currency = (tariff or {}).get("currency")
    return currency.upper() if isinstance(currency, str) and currency else None


def estimate_cost(
    tariff: TariffBody | None,
    *,
    kwh: Decimal,
    started_at: datetime,
    now: datetime,
    time_zone: str | None,
    parked_since: datetime | None = None,
    rules: TariffRules = DEFAULT_RULES,
) -> Decimal | None:
    """The cost so far, as in ``running_cost``, and without the price of a stop."""
    session = _Running(tariff, kwh, started_at, now, time_zone, parked_since, rules)
    return session.cost(ended=False)


def running_cost(
    tariff: TariffBody | None,
    *,
    kwh: Decimal,
    started_at: datetime,
    now: datetime,
    time_zone: str | None,
    parked_since: datetime | None = None,
    rules: TariffRules = DEFAULT_RULES,
) -> RunningCost | None:
    """The cost of ``kwh`` between ``started_at`` and ``now``.

    ``time_zone`` is the Location's (UTC where unknown); ``parked_since`` is when the car stopped taking energy.
    None is an unknown price: no tariff, one without elements, one by current (A), or one that cannot be read.
    """
    session = _Running(tariff, kwh, started_at, now, time_zone, parked_since, rules)
    so_far, stopped = session.cost(ended=False), session.cost(ended=True)
    return None if so_far is None or stopped is None else RunningCost(so_far, stopped)


def hold_amount(
    tariff: TariffBody | None,
    *,
    need_kwh: Decimal | None,
    max_cost: Decimal | None,
    default_hold: Decimal,
    max_power_kw: Decimal,
    now: datetime,
    time_zone: str | None,
) -> Decimal:
    """What to set aside before the start: ``max_cost``, else the estimate for the need and a fifth, else the default.

    A free tariff holds the default too: reaching the hold stops a session, and nobody knows the price of parking.
    """
    currency = tariff_currency(tariff) or "EUR"
    if max_cost is not None:
        return round_money(max_cost, currency)
    if need_kwh is None or max_power_kw <= 0:
        return default_hold
    done = now + timedelta(hours=float(need_kwh / max_power_kw))
    cost = running_cost(tariff, kwh=need_kwh, started_at=now, now=done, time_zone=time_zone)
    return round_money(cost.if_stopped * HOLD_MARGIN, currency) if cost and cost.if_stopped else default_hold


class _Running(NamedTuple):
    """A session that runs."""

    tariff: TariffBody | None
    kwh: Decimal
    started_at: datetime
    now: datetime
    time_zone: str | None
    parked_since: datetime | None
    rules: TariffRules

    def cost(self, *, ended: bool) -> Decimal | None:
        """What it costs, None where the price is unknown."""
        if tariff_currency(self.tariff) is None:
            return None
        try:
            usage = _even(self.kwh, self.started_at, max(self.now, self.started_at), self.parked_since)
            zone = ZoneInfo(self.time_zone or "UTC")
            return rate(usage, [read_tariff(self.tariff)], zone, self.rules, ended=ended).rounded.due
        except (LookupError, OSError, ValueError):
            return None  # a CPO's broken tariff is an unknown price, never a broken session


def _even(kwh: Decimal, started_at: datetime, end: datetime, parked_since: datetime | None) -> Usage:
    """A straight line of energy until the car is full, then parked."""
    fed_until = min(max(parked_since or end, started_at), end)
    begin, middle, finish = (microseconds(at) for at in (started_at, fed_until, end))
    stretches = [_stretch(begin, middle, CHARGING, kwh)]
    if finish > middle:
        stretches.append(_stretch(middle, finish, PARKED, Decimal(0)))
    return Usage(tuple(stretches), begin)


def _stretch(start: int, end: int, phase: str, kwh: Decimal) -> Stretch:
    hours = Decimal(end - start) / MICROSECONDS_PER_HOUR
    seconds = Decimal(end - start) / 1_000_000
    mean_kw = kwh / hours if hours else Decimal(0)
    return Stretch(start, end, phase, hours, seconds, kwh, mean_kw, None if kwh else Decimal(0), None)
