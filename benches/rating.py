"""A CDR of a thousand charging periods: what it costs by its tariff, the audit of it, and a running session's cost."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import median, quantiles
from zoneinfo import ZoneInfo

from benches.bills import PERIODS, ZONE, Json, bad_tariff, long_cdr, typical_tariff
from benches.rows import Budget, Row
from benches.servers import Databases
from charging.tariffs.audit import Evidence, audit_cdr
from charging.tariffs.live import Reading, live_cost, read_terms
from charging.tariffs.rating import rate
from charging.tariffs.rules import DEFAULT_RULES
from charging.tariffs.tariff import read_tariff
from charging.tariffs.usage import read_usage

ROUNDS = 5
_TIMES = 20
_STARTED = datetime(2026, 10, 24, 20, 0, tzinfo=UTC)


async def measure(_: Databases) -> list[Row]:
    """Milliseconds of CPU each, the median of every round, against the bare sum of each volume times a price."""
    return [
        row
        for name, tariff, limits in (
            ("a typical tariff", typical_tariff(), (10, 25, 1)),
            ("a bad one of 30 elements", bad_tariff(), (20, 50, 5)),
        )
        for row in _rows(name, tariff, limits)
    ]


def _rows(name: str, tariff: Json, limits: tuple[float, float, float]) -> list[Row]:
    cdr, zone = long_cdr(tariff), ZoneInfo(ZONE)
    evidence = Evidence(tariff=tariff, zone=zone, currency="EUR", max_power_kw=Decimal(22))
    terms = read_terms(tariff, ZONE, DEFAULT_RULES, pauses_are_parking=False)
    assert terms is not None
    told = _STARTED + timedelta(hours=5)
    reading = Reading(Decimal(20), Decimal(11), _STARTED, told, told, None)
    works: list[tuple[str, Callable[[], object]]] = [
        (f"pricing a CDR of {PERIODS:,} periods", lambda: rate(read_usage(cdr), [read_tariff(tariff)], zone)),
        (f"audit of a CDR of {PERIODS:,} periods", lambda: audit_cdr(cdr, evidence)),
        ("live cost of a session of 5 h", lambda: live_cost(terms, reading, told + timedelta(seconds=40))),
    ]
    return [_row(f"{what}, {name}", work, cdr, limit) for (what, work), limit in zip(works, limits, strict=True)]


def _row(what: str, work: Callable[[], object], cdr: Json, limit: float) -> Row:
    ours, bare = [], []
    for _ in range(ROUNDS):
        ours += [_ms(work) for _ in range(_TIMES)]
        bare += [_ms(lambda: _bare_sum(cdr)) for _ in range(_TIMES)]
    notes = {"least, ms": round(min(ours), 2), "p95, ms": round(quantiles(ours, n=20)[-1], 2)}
    per_round = [median(ours[n : n + _TIMES]) for n in range(0, len(ours), _TIMES)]
    bare_per_round = [median(bare[n : n + _TIMES]) for n in range(0, len(bare), _TIMES)]
    return Row(what, "sum of volumes", "ms", per_round, bare_per_round, Budget("ours", "≤", limit), notes)


def _bare_sum(cdr: Json) -> Decimal:
    price, total = Decimal("0.45"), Decimal(0)
    for period in cdr["charging_periods"]:
        for dimension in period["dimensions"]:
            total += dimension["volume"] * price
    return total


def _ms(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return (time.thread_time() - began) * 1000
