"""Real charging sessions, cars and prices, read from files that are not part of the product.

Sessions: ACN-Data (Lee, Li, Low, e-Energy 2019), CC BY 4.0. Cars: open-ev-data, MIT. Prices: Ember / ENTSO-E, CC BY
4.0. Energy kWh, power kW, prices EUR/kWh, times aware UTC. The sessions are of California in 2019 and 2020, the prices
of the Netherlands in 2023 and 2024: a session is moved by four years, and its hours of the day are taken to be Dutch.
"""

import csv
import gzip
import json
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

HOUR = timedelta(hours=1)
DUTCH = ZoneInfo("Europe/Amsterdam")


@dataclass(frozen=True)
class Stay:
    """A car that was plugged in: ``announced`` is the departure that its driver gave, ``departure`` the true one."""

    arrival: datetime
    departure: datetime
    announced: datetime
    need_kwh: float


@dataclass(frozen=True)
class Car:
    """``curve`` are points (state of charge 0…1, kW) of what the battery takes; ``ac_kw`` is the on-board charger."""

    name: str
    battery_kwh: float
    ac_kw: float
    curve: tuple[tuple[float, float], ...]

    def accepts_kw(self, soc: float, *, dc: bool) -> float:
        """What it takes at ``soc``. A full car takes nothing."""
        if soc >= 1:
            return 0.0
        power = _between(self.curve, soc)
        return power if dc else min(power, self.ac_kw)


def stays(directory: Path) -> Iterator[Stay]:
    """Every session whose driver announced need and departure, with both after the arrival."""
    for path in sorted((directory / "sessions").glob("*.csv.gz")):
        with gzip.open(path, "rt") as file:
            for row in csv.DictReader(file):
                if stay := _stay(row):
                    yield stay


def _stay(row: dict[str, str]) -> Stay | None:
    if row["claimed"] != "True" or not row["requested_energy (kWh)"] or not row["estimated_departure"]:
        return None
    arrival, departure, announced = (_moved(row[key]) for key in ("arrival", "departure", "estimated_departure"))
    need = float(row["requested_energy (kWh)"])
    if min(departure, announced) - arrival < timedelta(minutes=10) or not 1 <= need <= 80:
        return None
    return Stay(arrival, departure, announced, need)


def _moved(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at.replace(year=at.year + 4, second=0, microsecond=0, tzinfo=DUTCH).astimezone(UTC)


def cars(directory: Path) -> list[Car]:
    """Every battery-electric car whose charging curve was measured."""
    found = []
    for entry in json.loads((directory / "ev-curves" / "ev-data.json").read_text())["data"]:
        dc = entry.get("dc_charger")
        if not dc or dc.get("is_default_charging_curve") or entry["type"] != "bev":
            continue
        curve = tuple((point["percentage"] / 100, float(point["power"])) for point in dc["charging_curve"])
        name = f"{entry['brand']} {entry['model']} {entry['variant']}".strip()
        found.append(Car(name, float(entry["usable_battery_size"]), float(entry["ac_charger"]["max_power"]), curve))
    return found


class DayAhead:
    """Hourly day-ahead prices, EUR/kWh."""

    def __init__(self, directory: Path) -> None:
        with (directory / "prices" / "nl_dayahead_2023_2024_utc.csv").open() as file:
            rows = [(row["utc"], row["eur_per_mwh"]) for row in csv.DictReader(file)]
        self._at = [datetime.fromisoformat(at) for at, _ in rows]
        self._price = [float(price) / 1000 for _, price in rows]

    def price(self, at: datetime) -> float:
        """The price at ``at``; a missing hour has that of the hour before."""
        return self._price[bisect_right(self._at, at) - 1]

    def published(self, now: datetime, until: datetime) -> list[tuple[datetime, float]]:
        """The hours from ``now`` to ``until`` that are known at ``now``: the next day's appear at 12:00 UTC."""
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        # The market's day is that of Amsterdam; an hour or two of difference to UTC is of no account here.
        end = min(until, day + timedelta(days=2 if now.hour >= 12 else 1))
        hour = now.replace(minute=0, second=0, microsecond=0)
        hours = []
        while hour < end:
            hours.append((hour, self.price(hour)))
            hour += HOUR
        return hours


def _between(points: tuple[tuple[float, float], ...], x: float) -> float:
    """Linear between ``points``."""
    if x <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return points[-1][1]
