"""What a session costs so far, by an OCPI 2.2.1 tariff (§11): a running estimate, not the bill.

Pure. Energy is taken to flow evenly from the start; the session is cut wherever a restriction could switch, and
each piece is priced by the first element that matches and has the dimension (§11.3.3). Not done here, because
a running estimate must not exceed reality: ``step_size``, and reservations. ``PARKING_TIME`` counts from
``parked_since`` on. The rater that checks a CPO's bill replaces this module behind the same three functions.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from charging.money import round_money
from charging.tariffs.calendar import Restrictions, calendar_switches, in_calendar

HOLD_MARGIN = Decimal("1.2")
_HOUR = Decimal(3600)

Tariff = dict[str, Any]


class _Point(NamedTuple):
    """Where a session stands: ``kwh`` delivered at ``at``."""

    at: datetime
    kwh: Decimal


def tariff_currency(tariff: Tariff | None) -> str | None:
    """The tariff's currency (ISO 4217, upper case); None where there is no tariff."""
    currency = (tariff or {}).get("currency")
    return currency.upper() if isinstance(currency, str) and currency else None


def estimate_cost(
    tariff: Tariff | None,
    *,
    kwh: Decimal,
    started_at: datetime,
    now: datetime,
    time_zone: str | None,
    parked_since: datetime | None = None,
) -> Decimal | None:
    """The cost incl. VAT of ``kwh`` between ``started_at`` and ``now``, rounded to the currency's minor unit.

    ``time_zone`` is the Location's (UTC where unknown); ``parked_since`` is when the car stopped taking energy.
    None is an unknown price: no tariff, one without elements, one by current (A), or one that cannot be read.
    """
    currency = tariff_currency(tariff)
    if tariff is None or currency is None or not tariff.get("elements"):
        return None
    end = max(now, started_at)
    fed_until = min(max(parked_since or end, started_at), end)
    try:
        total = _Estimate(tariff, started_at, fed_until, end, kwh, ZoneInfo(time_zone or "UTC")).total()
        return round_money(_clamp(total, tariff), currency)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        return None  # a CPO's broken tariff is an unknown price, never a broken session


def hold_amount(
    tariff: Tariff | None,
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
    cost = estimate_cost(tariff, kwh=need_kwh, started_at=now, now=done, time_zone=time_zone)
    return round_money(cost * HOLD_MARGIN, currency) if cost else default_hold


class _Estimate:
    """One session, priced: a straight line of energy from ``start`` to ``fed_until``, then parked until ``end``."""

    def __init__(
        self, tariff: Tariff, start: datetime, fed_until: datetime, end: datetime, kwh: Decimal, zone: ZoneInfo
    ) -> None:
        self.elements: list[dict[str, Any]] = tariff["elements"]
        self.start, self.fed_until, self.end, self.kwh, self.zone = start, fed_until, end, kwh, zone
        hours = _seconds(fed_until - start) / _HOUR
        self.mean_kw = kwh / hours if hours else Decimal(0)

    def total(self) -> Decimal:
        """The cost incl. VAT, not rounded."""
        cuts = self._cuts()
        total, flat = Decimal(0), Decimal(0)
        for begin, finish in pairwise(cuts):
            seconds = _seconds(finish.at - begin.at)
            timed = "PARKING_TIME" if begin.at >= self.fed_until else "TIME"
            total += self._price("ENERGY", begin) * (finish.kwh - begin.kwh)
            total += self._price(timed, begin) * seconds / _HOUR
            flat = flat or self._price("FLAT", begin)  # once per session, when an element with it becomes active
        return total + (flat or self._price("FLAT", cuts[0]))

    def _price(self, dimension: str, at: _Point) -> Decimal:
        """The price incl. VAT of ``dimension`` at one point: the first element that matches and has it, else free."""
        for element in self.elements:
            for component in element["price_components"]:
                if component["type"] == dimension and self._applies(element.get("restrictions") or {}, at):
                    return _number(component["price"]) * (1 + _number(component.get("vat") or 0) / 100)
        return Decimal(0)

    def _applies(self, rules: Restrictions, point: _Point) -> bool:
        if rules.get("min_current") is not None or rules.get("max_current") is not None:
            raise ValueError("amperes are not known here")
        elapsed = _seconds(point.at - self.start)
        return (
            not rules.get("reservation")
            and in_calendar(rules, point.at.astimezone(self.zone))
            and _between(rules, "kwh", point.kwh)
            and _between(rules, "duration", elapsed)
            and _between(rules, "power", self.mean_kw)
        )

    def _cuts(self) -> list[_Point]:
        """Start, end, and every point between at which some restriction could switch."""
        points = {_Point(self.start, Decimal(0)), _Point(self.end, self.kwh)}
        points |= {self._at(instant) for instant in self._switches() if self.start < instant < self.end}
        for element in self.elements:
            bounds = _bounds(element.get("restrictions") or {}, "kwh")
            points |= {self._when(kwh) for kwh in bounds if 0 < kwh < self.kwh}
        return sorted(points)

    def _switches(self) -> Iterator[datetime]:
        """Every instant at which some restriction could switch, and the end of charging."""
        yield self.fed_until
        all_rules = [element.get("restrictions") or {} for element in self.elements]
        for rules in all_rules:
            yield from (self.start + timedelta(seconds=float(s)) for s in _bounds(rules, "duration"))
        yield from calendar_switches(all_rules, start=self.start, end=self.end, zone=self.zone)

    def _at(self, instant: datetime) -> _Point:
        if instant >= self.fed_until:
            return _Point(instant, self.kwh)
        share = _seconds(instant - self.start) / _seconds(self.fed_until - self.start)
        return _Point(instant, self.kwh * share)

    def _when(self, kwh: Decimal) -> _Point:
        share = float(kwh / self.kwh)
        return _Point(self.start + (self.fed_until - self.start) * share, kwh)


def _between(rules: Restrictions, name: str, value: Decimal) -> bool:
    """Lower bound inclusive, upper exclusive (§11.4.6)."""
    low, high = rules.get(f"min_{name}"), rules.get(f"max_{name}")
    return (low is None or value >= _number(low)) and (high is None or value < _number(high))


def _bounds(rules: Restrictions, name: str) -> list[Decimal]:
    return [_number(rules[key]) for key in (f"min_{name}", f"max_{name}") if rules.get(key) is not None]


def _clamp(total: Decimal, tariff: Tariff) -> Decimal:
    """The tariff's floor and ceiling for a whole session (§11.3.1), incl. VAT where it says so."""
    for key, choose in (("min_price", max), ("max_price", min)):
        if price := tariff.get(key):
            total = choose(total, _number(price["excl_vat"] if price.get("incl_vat") is None else price["incl_vat"]))
    return total


def _number(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _seconds(span: timedelta) -> Decimal:
    return Decimal(span // timedelta(microseconds=1)) / 1_000_000
