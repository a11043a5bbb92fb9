"""OCPI 2.3.0 read as 2.2.1, and 2.2.1 written as 2.3.0."""

from decimal import Decimal

import pytest

from charging.ocpi.models import Cdr, Tariff
from charging.ocpi.versions import dialect
from tests.ocpi.versions.examples import CDR, LOCATION, SESSION, TARIFF, VIRTA, Body

V230 = dialect("2.3.0")

VAT: Body = {"name": "VAT", "amount": Decimal("0.58")}
CANONICAL: Body = {"excl_vat": Decimal("2.40"), "incl_vat": Decimal("2.98")}


def test_a_price_with_taxes_is_one_incl_vat_and_its_taxes_stay_beside() -> None:
    taxes = [{"name": "VAT", "amount": "0.50"}, {"name": "Energy tax", "amount": Decimal("0.08")}]
    read = V230.read("session", {"total_cost": {"before_taxes": Decimal("2.40"), "taxes": taxes}})
    assert read == {"total_cost": {**CANONICAL, "taxes": taxes}}


def test_a_price_without_taxes_is_unknown_incl_vat() -> None:
    assert V230.read("session", {"total_cost": {"before_taxes": 2}}) == {"total_cost": {"excl_vat": 2}}


def test_a_price_is_written_with_one_line_of_vat() -> None:
    assert V230.write("session", {"total_cost": CANONICAL}) == {
        "total_cost": {"before_taxes": Decimal("2.40"), "taxes": [VAT]}
    }
    assert V230.write("session", {"total_cost": {"excl_vat": Decimal(2)}}) == {
        "total_cost": {"before_taxes": Decimal(2)}
    }


def test_taxes_come_back_as_they_were() -> None:
    taxes = [{"name": "VAT", "amount": Decimal("0.50")}, {"name": "Energy tax", "amount": Decimal("0.08")}]
    theirs = {"total_cost": {"before_taxes": Decimal("2.40"), "taxes": taxes}}
    assert V230.write("session", V230.read("session", theirs)) == theirs


@pytest.mark.parametrize(("kind", "body"), [("session", SESSION), ("cdr", CDR), ("tariff", TARIFF)])
def test_what_2_2_1_says_survives_the_way_there_and_back(kind: str, body: Body) -> None:
    back = V230.read(kind, V230.write(kind, body), VIRTA)  # type: ignore[arg-type] # parametrized as str
    assert _but_for_taxes(back) == body


def test_a_cdr_is_read_with_all_its_prices_and_tariffs() -> None:
    read = V230.read("cdr", V230.write("cdr", {**CDR, "tariffs": [{**TARIFF, "min_price": CANONICAL}]}), VIRTA)
    cdr = Cdr.model_validate(read)
    assert cdr.total_cost.incl_vat == cdr.total_energy_cost.incl_vat == Decimal("2.98")  # type: ignore[union-attr] # None fails, too
    assert Tariff.model_validate(cdr.tariffs[0]).min_price.incl_vat == Decimal("2.98")  # type: ignore[union-attr] # None fails, too


def test_a_tariff_keeps_whether_its_prices_include_tax() -> None:
    assert V230.read("tariff", {**TARIFF, "tax_included": "YES"})["tax_included"] == "YES"
    assert V230.write("tariff", TARIFF)["tax_included"] == "NO"
    assert V230.write("tariff", {**TARIFF, "tax_included": "YES"})["tax_included"] == "YES"


def test_floors_and_ceilings_of_a_tariff_are_limits() -> None:
    limits = {"max_price": {"before_taxes": Decimal("2.40"), "after_taxes": Decimal("2.98")}}
    assert V230.read("tariff", limits) == {"max_price": CANONICAL}
    assert V230.write("tariff", {"max_price": CANONICAL}) == limits


def test_what_is_new_in_2_3_0_stays_beside() -> None:
    location = {**LOCATION, "help_phone": "+358401234567", "parking_places": [{"id": "P1"}]}
    assert V230.read("location", location) == location


def _but_for_taxes(value: object) -> object:
    if isinstance(value, dict):
        return {k: _but_for_taxes(v) for k, v in value.items() if k not in ("taxes", "tax_included")}
    return [_but_for_taxes(item) for item in value] if isinstance(value, list) else value
