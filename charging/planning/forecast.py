"""What is taken for prices that are not published yet. Pure.

An unknown hour gets the mean price of the same hour of the day (UTC) on the up to seven nearest days on which it is
known; an hour of the day that is known on no day gets the mean of all that is known. Prices repeat by the day, so this
is a fair guess for the order of the hours, which is all that a plan needs; the plan is marked provisional and is made
again once the prices are there.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from charging.planning.request import LONGEST, PriceSlot

_HOUR = timedelta(hours=1)
_LOOKS_BACK = timedelta(days=8)  # so that each hour of the day is in it seven times
_MOST_DAYS = 7
_EXACT_TO = Decimal("0.000001")


def extend(
    slots: Sequence[PriceSlot], *, until: datetime, now: datetime
) -> tuple[tuple[PriceSlot, ...], datetime | None]:
    """The prices from ``now`` to ``until`` without a gap, and the first instant whose price is a forecast, or None.

    ``slots`` are what is known, of the past too, in any order, not overlapping. Raises ``ValueError`` where nothing is
    known at all, and where ``until`` is not after ``now`` or later than ``LONGEST`` from then.
    """
    known = sorted(slots, key=lambda slot: slot.start)
    if not known:
        raise ValueError("no price is known, so none can be forecast")
    if not timedelta(0) < until - now <= LONGEST:
        raise ValueError(f"the end of a forecast must be after now, and at most {LONGEST.days} days")
    now, until = now.astimezone(UTC), until.astimezone(UTC)
    forecast = _Forecast(known, now)
    found: list[PriceSlot] = []
    provisional_from: datetime | None = None
    at = now
    for slot in known:
        if slot.end <= at or slot.start >= until:
            continue
        if slot.start > at:
            provisional_from = provisional_from or at
            found += forecast.between(at, slot.start)
        found.append(PriceSlot(start=max(slot.start, at), end=min(slot.end, until), price=slot.price))
        at = found[-1].end
    if at < until:
        provisional_from = provisional_from or at
        found += forecast.between(at, until)
    return tuple(found), provisional_from


class _Forecast:
    """Mean prices by hour of the day and by day, of what is known since the week before now."""

    def __init__(self, known: Sequence[PriceSlot], now: datetime) -> None:
        self.days: defaultdict[int, dict[datetime, Decimal]] = defaultdict(dict)
        since = min(now, known[-1].end) - _LOOKS_BACK
        for hour, price in _by_hour(known, since, now + LONGEST).items():
            self.days[hour.hour][hour] = price
        everything = [price for days in self.days.values() for price in days.values()]
        self.mean = _mean(everything)

    def between(self, start: datetime, end: datetime) -> Iterator[PriceSlot]:
        """The forecast from ``start`` to ``end``, cut at each full hour (UTC)."""
        while start < end:
            hour = start.replace(minute=0, second=0, microsecond=0)
            upto = min(hour + _HOUR, end)
            yield PriceSlot(start=start, end=upto, price=self._price(hour))
            start = upto

    def _price(self, hour: datetime) -> Decimal:
        days = self.days.get(hour.hour, {})
        nearest = sorted(days, key=lambda known: abs(known - hour))[:_MOST_DAYS]
        return _mean([days[known] for known in nearest]) if nearest else self.mean


def _by_hour(known: Sequence[PriceSlot], since: datetime, until: datetime) -> dict[datetime, Decimal]:
    """What a kWh costs on average in each hour of which a part is known, weighted by how long each price holds."""
    weighted: defaultdict[datetime, Decimal] = defaultdict(Decimal)
    weights: defaultdict[datetime, Decimal] = defaultdict(Decimal)
    for slot in known:
        start = max(slot.start, since)
        end = min(slot.end, until)
        while start < end:
            hour = start.replace(minute=0, second=0, microsecond=0)
            upto = min(hour + _HOUR, end)
            weight = Decimal((upto - start) // timedelta(microseconds=1))
            weighted[hour] += weight * slot.price
            weights[hour] += weight
            start = upto
    return {hour: total / weights[hour] for hour, total in weighted.items()}


def _mean(prices: Sequence[Decimal]) -> Decimal:
    return (sum(prices, Decimal(0)) / len(prices)).quantize(_EXACT_TO)
