"""What a session is likely to cost by an OCPI Tariff (2.2.1 §11): estimates, not the bill. Pure.

``step_size`` is applied to what a stop would cost only: nobody owes a block before it is begun and the session over.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from charging.money import round_money
from charging.session.costs import RunningCost
from charging.tariffs.numbers import microseconds
from charging.tariffs.rating import rate_running
from charging.tariffs.rules import DEFAULT_RULES, TariffRules
from charging.tariffs.tariff import Tariff, Unpriceable, read_tariff
from charging.tariffs.usage import CHARGING, LONGEST, MICROSECONDS_PER_HOUR, PARKED, Stretch, Usage

HOLD_MARGIN: Final = Decimal("1.2")
_LONGEST_CHARGE: Final = timedelta(days=31)  # a connector that needs longer has another power than its CPO says
_NOTHING: Final = Decimal(0)

TariffBody = dict[str, Any]


def tariff_currency(tariff: TariffBody | None) -> str | None:
    """The tariff's currency (ISO 4217, upper case); None where there is no tariff."""
    currency = (tariff or {}).get("currency")
    return currency.upper() if isinstance(currency, str) and currency else None


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
    """The cost of ``kwh`` between ``started_at`` and ``now``, the energy flowing evenly until ``parked_since``.

    ``time_zone`` is the Location's (UTC where unknown); ``parked_since`` is when the car stopped taking energy.
    None is an unknown price: no tariff, one without elements, one by current (A), or one that cannot be read.
    """
    try:
        usage = even_usage(kwh, started_at, parked_since or now, now, is_parked=parked_since is not None)
        return cost_of(usage, read_tariff(tariff), ZoneInfo(time_zone or "UTC"), rules)
    except (LookupError, OSError, ValueError):
        return None  # a CPO's broken tariff is an unknown price, never a broken session


def cost_of(usage: Usage, tariff: Tariff, zone: ZoneInfo, rules: TariffRules) -> RunningCost:
    """What ``usage`` costs, rounded to the currency's minor unit. Raises ``Unpriceable``."""
    so_far, stopped = rate_running(usage, [tariff], zone, rules)
    return RunningCost(so_far.rounded.due, stopped.rounded.due)


def even_usage(
    kwh: Decimal,
    started_at: datetime,
    fed_until: datetime,
    end: datetime,
    *,
    is_parked: bool,
    kw: Decimal | None = None,
) -> Usage:
    """``kwh`` in a straight line from ``started_at`` until ``fed_until``, and from then to ``end`` none.

    That rest is parking where ``is_parked``, else charging at ``kw`` of which the energy is not told yet. Raises
    ``Unpriceable`` for more than a year, as a bill does.
    """
    finish = max(end, started_at)
    middle = min(max(fed_until, started_at), finish)
    begin, fed, done = (microseconds(at) for at in (started_at, middle, finish))
    if done - begin > LONGEST:
        raise Unpriceable("it lasts longer than a year")
    stretches = [_stretch(begin, fed, CHARGING, kwh, None)]
    if done > fed:
        rest = _stretch(fed, done, PARKED if is_parked else CHARGING, _NOTHING, None if is_parked else kw)
        stretches.append(rest)
    return Usage(tuple(stretches), begin)


def hold_amount(
    tariff: TariffBody | None,
    *,
    need_kwh: Decimal | None,
    max_cost: Decimal | None,
    default_hold: Decimal | None,
    max_power_kw: Decimal,
    now: datetime,
    time_zone: str | None,
    rules: TariffRules = DEFAULT_RULES,
) -> Decimal | None:
    """What to set aside before the start: ``max_cost``, else the estimate for the need and a fifth, else the default.

    None where that is wanted and there is none in the tariff's currency.

    A free tariff holds the default too: reaching the hold stops a session, and nobody knows the price of parking. So
    does a need that would take longer than ``_LONGEST_CHARGE``.
    """
    currency = tariff_currency(tariff) or "EUR"
    if max_cost is not None:
        return round_money(max_cost, currency)
    if need_kwh is None or need_kwh > max_power_kw * _hours(_LONGEST_CHARGE):
        return default_hold
    done = now + timedelta(hours=float(need_kwh / max_power_kw))
    cost = running_cost(tariff, kwh=need_kwh, started_at=now, now=done, time_zone=time_zone, rules=rules)
    return round_money(cost.if_stopped * HOLD_MARGIN, currency) if cost and cost.if_stopped else default_hold


def _hours(time: timedelta) -> int:
    return time // timedelta(hours=1)


def _stretch(start: int, end: int, phase: str, kwh: Decimal, kw: Decimal | None) -> Stretch:
    """One stretch, at ``kw`` or else at the mean power."""
    hours = Decimal(end - start) / MICROSECONDS_PER_HOUR
    seconds = Decimal(end - start) / 1_000_000
    return Stretch(start, end, phase, hours, seconds, kwh, {} if kw is None else {"POWER": kw}, None)
