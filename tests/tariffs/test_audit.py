"""The audit of CDRs: three prices, and what can have happened."""

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from charging.tariffs.audit import CdrAudit, Evidence, audit_cdr
from tests.tariffs.ocpi import BERLIN, Json, cdr, component, element, parked, period, price, tariff

AGREED = tariff(element(component("FLAT", "0.50", 20), component("ENERGY", "0.25", 10)))
DEARER = tariff(element(component("FLAT", "0.50", 20), component("ENERGY", "0.30", 10)))
FAIR = price("5.50", "6.10")


def bill(total: Json = FAIR, **fields: Any) -> Json:
    return cdr(period(60, 20), **{"total_cost": total, "tariffs": [AGREED], **fields})


def audit(body: Json, **evidence: Any) -> CdrAudit:
    known = {"tariff": AGREED, "zone": ZoneInfo(BERLIN), "currency": "EUR", **evidence}
    return audit_cdr(body, Evidence(**known))


def found(result: CdrAudit) -> tuple[str, bool, list[str]]:
    return result.verdict, result.payable, [difference.code for difference in result.differences]


def test_a_bill_that_agrees_with_both_tariffs_and_the_facts_matches() -> None:
    parts = {"total_fixed_cost": price("0.50", "0.60"), "total_energy_cost": price("5.00", "5.50")}
    assert found(audit(bill(**parts), pushed_kwh=Decimal(20), max_power_kw=Decimal(22))) == ("match", True, [])
    assert found(audit(bill(price("5.51", "6.11")))) == ("match", True, [])


def test_a_little_too_much_is_paid_and_flagged_and_much_too_much_is_not() -> None:
    assert found(audit(bill(price("5.80", "6.40")))) == ("mismatch", True, ["total", "total"] * 2)
    assert found(audit(bill(price("8.50", "9.10")))) == ("mismatch", False, ["total", "total"] * 2)
    assert found(audit(bill(price("2.50", "3.10")))) == ("mismatch", True, ["total", "total"] * 2)


def test_a_tariff_that_was_changed_after_the_start_shows() -> None:
    result = audit(bill(price("6.50", "7.20"), tariffs=[DEARER]))
    assert found(result) == ("mismatch", False, ["total", "total", "tariff"])
    assert result.differences[0].detail == ("total_cost excl. VAT is 6.50 EUR, by the tariff at the start it is 5.50")
    assert result.differences[-1].detail == (
        "the tariff in the CDR makes 7.20 EUR, the tariff at the start 6.10: they are not the same"
    )


def test_each_dimension_is_compared_by_itself() -> None:
    parts = {"total_fixed_cost": price("1.00", "1.20"), "total_energy_cost": price("4.50", "4.90")}
    result = audit(bill(**parts), tariff=None)
    assert found(result) == ("mismatch", True, ["part"] * 4)
    assert result.differences[0].detail == (
        "total_fixed_cost excl. VAT is 1.00 EUR, by the tariff in the CDR it is 0.50"
    )


def test_parts_that_do_not_make_up_the_total_wait_for_a_person() -> None:
    result = audit(bill(total_energy_cost=price("5.00", "5.50")))
    assert found(result) == ("mismatch", False, ["sum", "sum"])


def test_a_ceiling_is_right_whatever_the_parts_say() -> None:
    capped = {**AGREED, "max_price": price(5, "5.50")}
    parts = {"total_fixed_cost": price("0.50", "0.60"), "total_energy_cost": price("5.00", "5.50")}
    assert found(audit(bill(price(5, "5.50"), tariffs=[capped], **parts), tariff=capped)) == ("match", True, [])


@pytest.mark.parametrize(
    ("fields", "evidence", "code"),
    [
        ({}, {"pushed_kwh": Decimal(15)}, "energy"),
        ({}, {"max_power_kw": Decimal(11)}, "energy"),
        ({"total_energy": Decimal(25)}, {}, "energy"),
        ({"total_energy": Decimal(-20)}, {}, "energy"),
        ({}, {"currency": "SEK"}, "currency"),
        ({"total_cost": price("-5.50", "-6.10")}, {}, "total"),
    ],
)
def test_what_cannot_have_happened_waits_for_a_person(fields: Json, evidence: Json, code: str) -> None:
    result = audit(bill(**fields), **evidence)
    assert (result.verdict, result.payable) == ("mismatch", False)
    assert result.differences[0].code == code


def test_times_that_disagree_are_flagged_and_paid() -> None:
    assert found(audit(bill(total_time=Decimal(3)))) == ("mismatch", True, ["time"])


def test_a_credit_cdr_takes_back_the_same_amount() -> None:
    assert found(audit(bill(price("-5.50", "-6.10"), credit=True))) == ("match", True, [])


def test_what_nobody_can_price_is_unverifiable_and_paid() -> None:
    assert found(audit(bill(tariffs=[]), tariff=None)) == ("unverifiable", True, ["unknown_price"])
    by_current = tariff(element(component("ENERGY", 1), min_current=16))
    assert found(audit(bill(tariffs=[by_current]), tariff=None)) == ("unverifiable", True, ["unknown_price"])
    evening = tariff(element(component("ENERGY", 1), start_time="18:00"))
    assert found(audit(bill(tariffs=[evening]), tariff=None, zone=None))[:2] == ("unverifiable", True)


@pytest.mark.parametrize("fields", [{"charging_periods": ["junk"]}, {"total_cost": "dear"}, {"total_energy": "much"}])
def test_a_cdr_that_makes_no_sense_is_never_paid_and_never_raises(fields: Json) -> None:
    assert found(audit(bill(**fields))) == ("mismatch", False, ["unreadable"])


def test_the_time_parked_counts_into_the_session() -> None:
    body = cdr(period(60, 20), parked(30), total_cost=FAIR, tariffs=[AGREED])
    assert found(audit(body, max_power_kw=Decimal(22))) == ("match", True, [])
