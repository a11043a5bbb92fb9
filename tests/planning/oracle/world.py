"""A plan request read for the oracles: in which span of time a kWh, and an hour, cost what. Exact fractions.

Times are seconds after the request's ``now``, prices per kWh and per hour. Tariffs are read here once more, in the
plainest way: cut at every quarter of an hour, on which the tariffs of the tests change, and asked at each.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import groupby, pairwise
from typing import Any
from zoneinfo import ZoneInfo

from charging.planning.request import PlanRequest

WEEK = "MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY SUNDAY".split()
HOUR = 3600


@dataclass(frozen=True)
class Band:
    """Below these bounds (None is none) a kWh costs ``price`` and an hour of charging ``hourly``."""

    below_kw: Fraction | None
    upto_kwh: Fraction | None
    price: Fraction
    hourly: Fraction = Fraction(0)


@dataclass(frozen=True)
class Span:
    """Between two seconds: the bands, of which the first that fits holds, and the price of an hour without power."""

    start: Fraction
    end: Fraction
    bands: tuple[Band, ...]
    idle: Fraction

    def band(self, kw: Fraction, kwh: Fraction) -> Band:
        return next(
            band
            for band in self.bands
            if (band.below_kw is None or kw < band.below_kw) and (band.upto_kwh is None or kwh < band.upto_kwh)
        )


@dataclass(frozen=True)
class World:
    """Everything that the oracles ask of a request."""

    request: PlanRequest
    spans: tuple[Span, ...]
    flat: Fraction = Fraction(0)

    @property
    def until(self) -> Fraction:
        return self.spans[-1].end

    @property
    def hours(self) -> Fraction:
        return self.until / HOUR

    @property
    def max_kw(self) -> Fraction:
        return Fraction(self.request.max_charge_rate_kw)

    @property
    def min_kw(self) -> Fraction:
        return Fraction(self.request.min_charge_rate_kw)

    @property
    def need(self) -> Fraction:
        return Fraction(self.request.energy_kwh)

    def accepted(self, kwh: Fraction) -> Fraction:
        """The most power that the car takes after ``kwh``."""
        steps = self.request.acceptance
        taken = next((a.max_kw for a in steps if kwh < a.upto_kwh), steps[-1].max_kw if steps else None)
        return self.max_kw if taken is None else min(self.max_kw, Fraction(taken))

    def price_per_second(self) -> Fraction:
        """No second at any power can change the cost by more than that."""
        bands = [band for span in self.spans for band in span.bands]
        prices = [band.price for band in bands]
        hourly = [band.hourly for band in bands] + [span.idle for span in self.spans]
        return ((max(prices) - min(prices) + max(map(abs, prices))) * self.max_kw + 2 * max(map(abs, hourly))) / HOUR


def world(request: PlanRequest) -> World:
    """The request, read."""
    until = _seconds(request.departure_time - request.now)
    told = _from_tariff(request) if request.tariff else _from_prices(request) if request.prices else _by_power(request)
    time, idle = Fraction(request.time_price_per_hour), Fraction(request.idle_price_per_hour)
    spans = [
        replace(
            span,
            start=max(span.start, Fraction(0)),
            end=min(span.end, until),
            idle=span.idle + idle,
            bands=tuple(replace(band, hourly=band.hourly + time) for band in span.bands),
        )
        for span in told
        if span.end > 0 and span.start < until
    ]
    joined = [list(same) for _, same in groupby(spans, key=lambda span: (span.bands, span.idle))]
    return World(request, tuple(replace(same[0], end=same[-1].end) for same in joined), flat=_flat(request))


def _from_prices(request: PlanRequest) -> Iterator[Span]:
    for slot in request.prices or ():
        start, end = _seconds(slot.start - request.now), _seconds(slot.end - request.now)
        yield Span(start, end, (Band(None, None, Fraction(slot.price)),), Fraction(0))


def _by_power(request: PlanRequest) -> Iterator[Span]:
    bands = tuple(
        Band(None if tier.below_kw is None else Fraction(tier.below_kw), None, Fraction(tier.price))
        for tier in request.price_tiers or ()
    )
    yield Span(Fraction(0), _seconds(request.departure_time - request.now), bands, Fraction(0))


def _from_tariff(request: PlanRequest) -> Iterator[Span]:
    elements = (request.tariff or {})["elements"]
    rules = [element.get("restrictions") or {} for element in elements]
    bounds = {
        name: sorted({Fraction(str(r[k])) for r in rules for k in (f"min_{name}", f"max_{name}") if k in r})
        for name in ("power", "kwh", "duration")
    }
    zone = ZoneInfo(request.time_zone or "UTC")
    until = _seconds(request.departure_time - request.now)
    quarters = _seconds(request.now - request.now.replace(minute=0, second=0, microsecond=0))
    cuts = {Fraction(0), until, *bounds["duration"]} | {-quarters + 900 * i for i in range(int(until) // 900 + 5)}
    for start, end in pairwise(sorted(cut for cut in cuts if 0 <= cut <= until)):
        local = (request.now + timedelta(microseconds=int(start * 1_000_000))).astimezone(zone)
        bands = tuple(
            Band(
                below_kw,
                upto_kwh,
                _price(elements, "ENERGY", local, start, kw, kwh),
                _price(elements, "TIME", local, start, kw, kwh),
            )
            for kwh, upto_kwh in zip([Fraction(0), *bounds["kwh"]], [*bounds["kwh"], None], strict=True)
            for kw, below_kw in zip([Fraction(0), *bounds["power"]], [*bounds["power"], None], strict=True)
        )
        parked = request.pauses_are_parking
        idle = _price(elements, "PARKING_TIME", local, start, 0, 0) if parked else Fraction(0)
        yield Span(start, end, bands, idle)


def _flat(request: PlanRequest) -> Fraction:
    if request.tariff is None:
        return Fraction(0)
    local = request.now.astimezone(ZoneInfo(request.time_zone or "UTC"))
    return _price(request.tariff["elements"], "FLAT", local, Fraction(0), 0, 0)


def _price(
    elements: list[dict[str, Any]],
    kind: str,
    local: datetime,
    elapsed: Fraction,
    kw: Fraction | int,
    kwh: Fraction | int,
) -> Fraction:
    for element in elements:
        for component in element["price_components"]:
            if component["type"] == kind and _holds(element.get("restrictions") or {}, local, elapsed, kw, kwh):
                return Fraction(str(component["price"])) * (1 + Fraction(str(component.get("vat", 0))) / 100)
    return Fraction(0)


def _holds(rules: dict[str, Any], local: datetime, elapsed: Fraction, kw: Fraction | int, kwh: Fraction | int) -> bool:
    clock, today = f"{local:%H:%M}", f"{local:%Y-%m-%d}"
    begin, end = rules.get("start_time", "00:00"), rules.get("end_time", "24:00")
    in_hours = begin <= clock < end if begin < end else clock >= begin or clock < end
    return (
        in_hours
        and rules.get("start_date", today) <= today
        and today < rules.get("end_date", "9999")
        and WEEK[local.weekday()] in rules.get("day_of_week", WEEK)
        and rules.get("min_duration", 0) <= elapsed < rules.get("max_duration", 10**12)
        and Fraction(str(rules.get("min_power", 0))) <= kw < Fraction(str(rules.get("max_power", 10**9)))
        and Fraction(str(rules.get("min_kwh", 0))) <= kwh < Fraction(str(rules.get("max_kwh", 10**9)))
    )


def _seconds(span: timedelta) -> Fraction:
    return Fraction(span // timedelta(microseconds=1), 1_000_000)
