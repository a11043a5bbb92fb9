"""Curves read from CSV and JSON: what is right, and the words for what is wrong."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from charging.planning.curves import MOST_SLOTS, Curve, curve_from_csv, curve_from_json
from charging.planning.request import PriceSlot

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hourly(*prices: str) -> tuple[PriceSlot, ...]:
    starts = [MIDNIGHT + i * HOUR for i in range(len(prices))]
    return tuple(PriceSlot(start=s, end=s + HOUR, price=Decimal(p)) for s, p in zip(starts, prices, strict=True))


TWO_HOURS = """start,end,price
2026-03-02T00:00:00Z,2026-03-02T01:00:00Z,0.10
2026-03-02T01:00:00Z,2026-03-02T02:00:00Z,-0.05
"""


def points(*told: Any, **more: Any) -> str:
    return json.dumps({"points": list(told), **more})


def point(hour: int, price: Any, **more: Any) -> dict[str, Any]:
    start = MIDNIGHT + hour * HOUR
    return {"start": start.isoformat(), "end": (start + HOUR).isoformat(), "price": price, **more}


def test_a_csv_with_ends_is_read_to_the_last_digit() -> None:
    assert curve_from_csv(TWO_HOURS) == Curve(slots=hourly("0.10", "-0.05"))


@pytest.mark.parametrize(
    "text",
    [
        "start,price\n2026-03-02T00:00Z,0.10\n2026-03-02T01:00Z,-0.05\n",
        "\ufeffStart, Price\r\n\r\n2026-03-02T02:00+02:00, 0.10\r\n2026-03-02T03:00+02:00, -0.05\r\n",
        "start,price\n2026-03-02T01:00Z,-0.05\n2026-03-02T00:00Z,0.10",
    ],
    ids=["plain", "as a spreadsheet writes it", "newest first"],
)
def test_a_csv_without_ends_lasts_from_start_to_start(text: str) -> None:
    assert curve_from_csv(text).slots == hourly("0.10", "-0.05")


def test_a_json_curve_tells_its_currency_and_loses_no_digit() -> None:
    text = points(point(0, "PRICE"), point(1, -0.05), currency="sek").replace('"PRICE"', "0.1000000000000000055")
    assert curve_from_json(text) == Curve(slots=hourly("0.1000000000000000055", "-0.05"), currency="SEK")
    assert curve_from_json(points(point(0, 1))).currency is None


def test_a_json_curve_may_be_its_points_alone() -> None:
    assert curve_from_json(json.dumps([point(0, 1)])) == curve_from_json(points(point(0, 1)))


def test_a_local_day_of_23_hours_has_no_gap() -> None:
    local = ["00", "01", "02", "04", "05"]  # in Helsinki, 2026-03-29
    offsets = ["02", "02", "02", "03", "03"]
    rows = [f"2026-03-29T{h}:00+{offset}:00,1" for h, offset in zip(local, offsets, strict=True)]
    assert len(curve_from_csv("\n".join(["start,price", *rows])).slots) == 5


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (["2026-03-02T00:00,2026-03-02T01:00Z,1"], r"^line 2: start has no offset"),
        (["2026-03-02T00:00Z,noon,1"], r"^line 2: end must be a time"),
        (["0001-01-01T00:00+14:00,2026-03-02T01:00Z,1"], r"^line 2: start must be a time"),
        (["2026-03-02T00:00Z,2026-03-02T00:00Z,1"], r"^line 2: ends before it starts"),
        (["", '2026-03-02T00:00Z,2026-03-02T01:00Z,"0,10"'], r"^line 3: price must be a number with a decimal point"),
        (["2026-03-02T00:00Z,2026-03-02T01:00Z,nan"], r"^line 2: .*finite"),
        (["2026-03-02T00:00Z,2026-03-02T01:00Z,1e9"], r"^line 2: .*less than or equal"),
        (["2026-03-02T00:00Z,2026-03-02T01:00Z"], r"^line 2: there must be 3 columns, not 2"),
        (["2026-03-02T00:00Z,2026-03-02T01:00Z,1"] * 2, r"^line 3: starts when line 2 starts: a duplicate"),
        (
            ["2026-03-02T00:00Z,2026-03-02T01:00Z,1", "2026-03-02T00:30Z,2026-03-02T02:00Z,1"],
            r"^line 3: does not start when line 2 ends: an overlap",
        ),
        (
            ["2026-03-02T02:00Z,2026-03-02T03:00Z,1", "2026-03-02T00:00Z,2026-03-02T01:00Z,1"],
            r"^line 2: does not start when line 3 ends: a gap",
        ),
        (['"2026'], r"^line 2: unexpected end of data"),
        ([], "empty"),
    ],
)
def test_a_broken_csv_is_refused_with_its_line(rows: list[str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        curve_from_csv("\n".join(["start,end,price", *rows]))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("from;to;price\n1;2;3", r"^line 1: the header"),
        ("start,price\n2026-03-02T00:00Z,1", r"^line 2: one start alone"),
        (
            "start,price\n2026-03-02T00:00Z,1\n2026-03-02T01:00Z,1\n2026-03-02T03:00Z,1",
            r"^line 4: does not start when line 3 ends: a gap",
        ),
        ("start,price\n9999-12-31T22:00Z,1\n9999-12-31T23:30Z,1", r"^line 3: ends after the end of the calendar"),
        ("x" * 8_000_001, "longer than"),
    ],
)
def test_a_csv_that_does_not_tell_its_slots_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        curve_from_csv(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", r"^line 1: this is no JSON"),
        ("[" * 200_000, "nested too deeply"),
        ("[1e" + "9" * 40 + "]", "a number that is none"),
        ("3", "list of points"),
        ('{"points": {}}', "list of points"),
        (points(), "empty"),
        (points(1), r"^point 1: this must be an object"),
        (points(point(0, 1), currency="euros"), "three letters"),
        (points(point(0, True)), r"^point 1: price must be a number"),
        (points(point(0, None)), r"^point 1: price must be a number"),
        (points(point(0, float("nan"))), "no price"),
        (points(point(0, 1, start=5)), r"^point 1: start must be a time"),
        (points(point(0, 1), point(1, 1, end=None)), r"^point 2: end is missing"),
        (points(point(0, 1), point(0, 1)), r"^point 2: starts when point 1 starts: a duplicate"),
    ],
)
def test_a_broken_json_is_refused_with_its_point(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        curve_from_json(text)


def test_a_curve_without_end_is_refused() -> None:
    rows = [f"{(MIDNIGHT + i * HOUR).isoformat()},1" for i in range(MOST_SLOTS + 1)]
    with pytest.raises(ValueError, match="more than 40000 slots"):
        curve_from_csv("\n".join(["start,price", *rows]))
