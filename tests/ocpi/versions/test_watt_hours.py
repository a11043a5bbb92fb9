"""ENERGY in Wh is found out by the total in kWh (docs/ocpi.md, Q21)."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charging.ocpi.versions import DIALECTS, dialect
from charging.ocpi.versions.watt_hours import in_kwh

volumes = st.lists(st.integers(100, 100_000), min_size=1, max_size=30)


def _periods(*energies: Any) -> list[dict[str, Any]]:
    return [{"dimensions": [{"type": "ENERGY", "volume": e}, {"type": "TIME", "volume": 7000}]} for e in energies]


@pytest.mark.parametrize("version", DIALECTS)
def test_every_version_mends_sessions_and_cdrs(version: str) -> None:
    session = dialect(version).read(
        "session", {"kwh": Decimal("43.32"), "charging_periods": _periods(120, 41000, 2200)}
    )
    assert session["charging_periods"] == _periods(Decimal("0.12"), Decimal(41), Decimal("2.2"))
    cdr = dialect(version).read("cdr", {"total_energy": 41, "charging_periods": _periods(41000)})
    assert cdr["charging_periods"] == _periods(41)


@given(volumes)
def test_watt_hours_become_kilowatt_hours(wh: list[int]) -> None:
    body = {"kwh": Decimal(sum(wh)) / 1000, "charging_periods": _periods(*wh)}
    assert in_kwh(body, "kwh")["charging_periods"] == _periods(*(Decimal(volume) / 1000 for volume in wh))


@given(volumes)
def test_kilowatt_hours_stay(wh: list[int]) -> None:
    kwh = [Decimal(volume) / 1000 for volume in wh]
    body = {"kwh": sum(kwh), "charging_periods": _periods(*kwh)}
    assert in_kwh(body, "kwh") is body


def test_the_newest_period_alone_is_enough_to_tell() -> None:
    assert in_kwh({"kwh": 5, "charging_periods": _periods(400)}, "kwh")["charging_periods"] == _periods(Decimal("0.4"))


def test_a_meter_repeated_in_each_period_is_not_taken_for_watt_hours() -> None:
    body = {"kwh": 10, "charging_periods": _periods(*[10] * 60)}
    assert in_kwh(body, "kwh") is body


@pytest.mark.parametrize("total", [None, 0, "much", True])
def test_without_a_total_nothing_is_changed(total: Any) -> None:
    body = {"kwh": total, "charging_periods": _periods(41000)}
    assert in_kwh(body, "kwh") is body


def test_import_and_export_are_in_the_same_unit() -> None:
    dimensions = [{"type": "ENERGY", "volume": 41000}, {"type": "ENERGY_IMPORT", "volume": 42000}]
    mended = in_kwh({"kwh": 41, "charging_periods": [{"dimensions": dimensions}]}, "kwh")
    assert [d["volume"] for d in mended["charging_periods"][0]["dimensions"]] == [41, 42]
