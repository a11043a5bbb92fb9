"""The examples that the specification prints."""

from decimal import Decimal

import pytest

from charging.tariffs.rating import Rating
from tests.tariffs.ocpi import rated
from tests.tariffs.vectors import VECTORS, Vector


def of(vector: Vector) -> Rating:
    return rated(vector.cdr(), vector.tariff, zone=vector.zone, rules=vector.rules, expired=vector.expired)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_the_printed_price_comes_out(vector: Vector) -> None:
    total = of(vector).rounded
    assert str(total.excl) == vector.excl
    assert vector.incl is None or str(total.incl) == vector.incl


@pytest.mark.parametrize(
    ("name", "excl", "incl"),
    [
        ("tariff_2_alt_text", "4.75", "4.997"),
        ("tariff_3_alt_url", "5.625", "6.2375"),
        ("tariff_4_complex on a Saturday", "12.28", "13.861"),
        ("step_size 500 Wh over two prices", "1.184", None),
        ("step_size 1 Wh", "0.029", None),
    ],
)
def test_nothing_is_rounded_before_the_end(name: str, excl: str, incl: str | None) -> None:
    total = of(next(vector for vector in VECTORS if vector.name == name)).total
    assert total.excl == Decimal(excl)
    assert incl is None or total.incl == Decimal(incl)
