"""What was used: an OCPI CDR or Session as stretches of reserving, charging and parking (2.2.1 §10.4, §9.3.1). Pure.

Volumes are billed as they are written; times of day are told by ``start_date_time``. Where a CPO leaves out what the
specification asks for, the next best is taken: no charging periods, the totals; no time in any period, its length; no
energy in any, the total, evenly; no end, the end of the volumes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final, NamedTuple

from charging.tariffs.numbers import microseconds, number

MICROSECONDS_PER_HOUR: Final = 3_600_000_000
_POWER: Final = ("POWER", "MIN_POWER", "MAX_POWER")
_CURRENT: Final = ("CURRENT", "MIN_CURRENT", "MAX_CURRENT")
LONGEST: Final = 366 * 24 * MICROSECONDS_PER_HOUR  # that is priced: each local midnight of it is looked at
_SECONDS: Final = Decimal(3600)  # in an hour
_MICROSECONDS: Final = Decimal(MICROSECONDS_PER_HOUR)
_MICROSECOND: Final = Decimal("0.000001")  # in seconds
# Volumes have four decimals (§16.1): half of the last one, in h and µs. So close, a length and a volume are the same.
_FOUR_DECIMALS: Final = Decimal("0.0001")
_HALF_OF_FOURTH: Final = _FOUR_DECIMALS / 2
_VOLUME_NOISE: Final = _HALF_OF_FOURTH * _MICROSECONDS
_NOTHING: Final = Decimal(0)

# What a stretch is: the dimension of its time in CDRs (§10.4.2), in the order in which they come.
RESERVED: Final = "RESERVATION_TIME"
CHARGING: Final = "TIME"
PARKED: Final = "PARKING_TIME"
PHASES: Final = (RESERVED, CHARGING, PARKED)


class UnreadableUsage(ValueError):
    """A CDR or Session that nobody can rate. Its text says why, and never echoes it."""


class Stretch(NamedTuple):
    """A span in which use is even. ``start`` and ``end`` in µs since 1970.

    ``hours`` is the volume as written, ``seconds`` the same, or the length of the span where that is the same but for
    rounding: it decides how many steps of ``step_size`` are full. ``levels`` hold power and current as far as told, by
    CdrDimensionType.
    """

    start: int
    end: int
    phase: str
    hours: Decimal
    seconds: Decimal
    kwh: Decimal
    levels: Mapping[str, Decimal]
    tariff_id: str | None

    @property
    def kw(self) -> Decimal | None:
        """Power (kW), as told or else on average; None is unknown."""
        return _level(self.levels, _POWER, _mean_kw(self.kwh, self.hours, self.end - self.start))

    @property
    def amperes(self) -> Decimal | None:
        """Current (A), the sum of the phases; None is unknown."""
        return _level(self.levels, _CURRENT, None if self.kwh or self.levels.get("POWER") else _NOTHING)


@dataclass(frozen=True, slots=True)
class Usage:
    """One session. ``started`` is where its duration counts from (µs since 1970): after a reservation."""

    stretches: tuple[Stretch, ...]
    started: int

    @property
    def kwh(self) -> Decimal:
        """Energy of all stretches."""
        return sum((stretch.kwh for stretch in self.stretches), _NOTHING)

    def hours(self, phase: str) -> Decimal:
        """Time of one kind."""
        return sum((stretch.hours for stretch in self.stretches if stretch.phase is phase), _NOTHING)


class _Period(NamedTuple):
    start: int
    end: int
    volumes: dict[str, Decimal]
    tariff_id: str | None


def read_usage(body: Any) -> Usage:
    """The use in a canonical (2.2.1) CDR or Session. Raises ``UnreadableUsage``."""
    try:
        start, end = microseconds(body["start_date_time"]), _end(body)
        periods = _completed(body, _periods(body, end))
        stretches = tuple(stretch for period in periods for stretch in _stretches(period))
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        raise UnreadableUsage("times, charging periods or volumes cannot be read") from None
    if end is not None and end < start:
        raise UnreadableUsage("it ends before it starts")
    if stretches[-1].end - stretches[0].start > LONGEST:
        raise UnreadableUsage("it lasts longer than a year")
    if any(stretch.hours < _NOTHING for stretch in stretches):
        raise UnreadableUsage("a negative time")
    return Usage(stretches, _started(start, stretches))


def _end(body: dict[str, Any]) -> int | None:
    """The end, of a Session that goes on its last word; the year 1970 stands for an unknown one (§10.3.1)."""
    end = body.get("end_date_time") or (body.get("last_updated") if "kwh" in body else None)
    return None if end is None else microseconds(end) or None


def _started(start: int, stretches: Sequence[Stretch]) -> int:
    if stretches[0].phase != RESERVED:
        return start if 0 < start <= stretches[0].start else stretches[0].start
    return next((s.start for s in stretches if s.phase != RESERVED), stretches[-1].end)


def _periods(body: dict[str, Any], end: int | None) -> list[_Period]:
    bodies = body.get("charging_periods") or [_whole(body)]
    starts = [microseconds(period.get("start_date_time", body["start_date_time"])) for period in bodies]
    in_order = sorted(zip(starts, bodies, strict=True), key=lambda pair: pair[0])
    volumes = [_volumes(period.get("dimensions") or ()) for _, period in in_order]
    ends = [begin for begin, _ in in_order[1:]]
    last_begin, last_volumes = in_order[-1][0], volumes[-1]
    if end is None or end <= last_begin:
        end = last_begin + int(sum(last_volumes.get(name, _NOTHING) for name in PHASES) * MICROSECONDS_PER_HOUR)
    return [
        _Period(begin, finish, used, period.get("tariff_id"))
        for (begin, period), finish, used in zip(in_order, [*ends, end], volumes, strict=True)
    ]


def _whole(body: dict[str, Any]) -> dict[str, Any]:
    """The one charging period of a CDR or Session that has none."""
    parked = body.get("total_parking_time")
    dimensions = [{"type": "PARKING_TIME", "volume": parked}] if parked else []
    if (total := body.get("total_time")) is not None:
        dimensions.append({"type": "TIME", "volume": number(total) - number(parked or 0)})
    return {"start_date_time": body["start_date_time"], "dimensions": dimensions}


def _volumes(dimensions: Sequence[dict[str, Any]]) -> dict[str, Decimal]:
    found = {dimension["type"]: number(dimension["volume"]) for dimension in dimensions}
    if len(found) == len(dimensions):
        return found
    return {
        name: sum((number(each["volume"]) for each in dimensions if each["type"] == name), _NOTHING) for name in found
    }


def _completed(body: dict[str, Any], periods: list[_Period]) -> list[_Period]:
    """The periods with time and energy, where none of them has any."""
    if not any(name in period.volumes for period in periods for name in PHASES):
        periods = list(_timed(periods, number(body.get("total_parking_time") or 0)))
    total = body.get("kwh" if "kwh" in body else "total_energy")
    if total is None or any("ENERGY" in period.volumes for period in periods):
        return periods
    hours = sum((period.volumes.get("TIME", _NOTHING) for period in periods), _NOTHING)
    return [_fed(period, number(total), hours, is_last=period is periods[-1]) for period in periods]


def _timed(periods: Iterable[_Period], parked_hours: Decimal) -> Iterator[_Period]:
    """The periods' lengths as TIME, the last ``parked_hours`` of them as PARKING_TIME."""
    found = list(periods)
    parked_from = found[-1].end - int(parked_hours * MICROSECONDS_PER_HOUR)
    for period in found:
        middle = min(max(parked_from, period.start), period.end)
        charged, parked = (_hours(b - a) for a, b in pairwise((period.start, middle, period.end)))
        time = {name: hours for name, hours in (("TIME", charged), ("PARKING_TIME", parked)) if hours}
        yield period._replace(volumes={**period.volumes, **time})


def _fed(period: _Period, total: Decimal, hours: Decimal, *, is_last: bool) -> _Period:
    share = period.volumes.get("TIME", _NOTHING) / hours if hours else Decimal(is_last)
    return period._replace(volumes={**period.volumes, "ENERGY": total * share})


def _hours(length: int) -> Decimal:
    return Decimal(length) / MICROSECONDS_PER_HOUR


def _stretches(period: _Period) -> list[Stretch]:
    """A period as what happened in it, one after the other: reserved, charging, parked."""
    volumes = period.volumes
    phases = [phase for phase in PHASES if phase in volumes] or [CHARGING]
    kwh = volumes.get("ENERGY", _NOTHING)
    if len(phases) == 1:
        return [_stretch(period, phases[0], period.start, period.end, kwh)]
    fed = CHARGING if CHARGING in phases else phases[-1]
    total = sum(volumes[phase] for phase in phases)
    start, found = period.start, []
    for phase in phases:
        end = period.end
        if total and phase is not phases[-1]:
            end = start + int((period.end - period.start) * volumes[phase] / total)
        found.append(_stretch(period, phase, start, end, kwh if phase is fed else _NOTHING))
        start = end
    return found


def _stretch(period: _Period, phase: str, start: int, end: int, kwh: Decimal) -> Stretch:
    hours = period.volumes.get(phase, _NOTHING)
    return Stretch(start, end, phase, hours, _seconds(hours, end - start), kwh, period.volumes, period.tariff_id)


def _seconds(hours: Decimal, length: int) -> Decimal:
    apart = abs(hours * _MICROSECONDS - length)
    if apart and apart <= _VOLUME_NOISE and apart <= _half_of_last_digit(hours) * _MICROSECONDS:
        return length * _MICROSECOND
    return hours * _SECONDS


def _half_of_last_digit(hours: Decimal) -> Decimal:
    if hours.same_quantum(_FOUR_DECIMALS):  # nearly always
        return _HALF_OF_FOURTH
    exponent = hours.as_tuple().exponent
    return Decimal(f"5E{exponent - 1}") if isinstance(exponent, int) else _NOTHING


def _mean_kw(kwh: Decimal, hours: Decimal, length: int) -> Decimal | None:
    if not kwh:
        return _NOTHING
    hours = hours or _hours(length)
    return kwh / hours if hours else None


def _level(levels: Mapping[str, Decimal], names: tuple[str, str, str], mean: Decimal | None) -> Decimal | None:
    """Power or current: as the CPO says, on average or at least between its extremes; else ``mean``."""
    average, low, high = map(levels.get, names)
    if average is not None:
        return average
    if low is None or high is None:
        return mean if low is high else (low if high is None else high)
    return high if mean is None else min(max(mean, low), high)
