"""A curve of prices, or of grams of CO2, read from text: CSV or JSON. Pure.

CSV: a header ``start,end,price``, or ``start,price`` where each slot lasts until the next one, all equally long.
JSON: ``{"currency": "EUR", "points": [{"start": ..., "end": ..., "price": ...}]}``, or the points alone; ``currency``
and, as above, ``end`` may be left out. Times are ISO 8601 with an offset, prices per kWh incl. VAT with a decimal
point. The order of the rows does not matter, but together they must cover one span of time, each instant once.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any, Final, NoReturn

from pydantic import ValidationError

from charging.planning.request import PriceSlot

MOST_SLOTS: Final = 40_000  # a year of quarters of an hour, and then some
MOST_CHARACTERS: Final = 8_000_000
_HEADERS: Final = (["start", "end", "price"], ["start", "price"])


@dataclass(frozen=True)
class Curve:
    """What a kWh costs (or emits) from the first slot's start to the last one's end, without gaps, in order of time.

    ``currency`` is ISO 4217, upper case; None where the text does not tell.
    """

    slots: tuple[PriceSlot, ...]
    currency: str | None = None


def curve_from_csv(text: str) -> Curve:
    """The curve in ``text``. Raises ``ValueError`` that names the line where something is wrong."""
    _check_length(text)
    lines = csv.reader(text.removeprefix("\ufeff").splitlines(), skipinitialspace=True, strict=True)
    try:
        rows = [(lines.line_num, [cell.strip() for cell in cells]) for cells in lines if any(cells)]
    except csv.Error as error:
        raise ValueError(f"line {lines.line_num}: {error}") from error
    if not rows:
        raise ValueError("the curve is empty")
    (_, header), *rows = rows
    names = [name.lower() for name in header]
    if names not in _HEADERS:
        raise ValueError("line 1: the header must be start,end,price or start,price")
    return Curve(slots=_slots(_read_cells(number, names, cells) for number, cells in rows))


def curve_from_json(text: str) -> Curve:
    """The curve in ``text``. Raises ``ValueError`` that names the point (from 1 on) where something is wrong."""
    _check_length(text)
    try:
        told = json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}: this is no JSON: {error.msg}") from error
    except ArithmeticError as error:  # an exponent beyond all bounds
        raise ValueError("the JSON has a number that is none") from error
    whole = told if isinstance(told, dict) else {"points": told}
    points, currency = whole.get("points"), whole.get("currency")
    if not isinstance(points, list):
        raise ValueError('the JSON must be a list of points, or an object with a list of "points"')
    if currency is not None and not _is_currency(currency):
        raise ValueError("the currency must be three letters (ISO 4217)")
    slots = _slots(_read_point(f"point {number}", point) for number, point in enumerate(points, 1))
    return Curve(slots=slots, currency=currency.upper() if currency else None)


@dataclass(frozen=True)
class _Row:
    """One row as it is told: ``where`` names it in errors."""

    where: str
    start: datetime
    end: datetime | None
    price: Decimal


def _check_length(text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"the curve is longer than {MOST_CHARACTERS} characters")


def _read_cells(number: int, names: list[str], cells: list[str]) -> _Row:
    if len(cells) != len(names):
        raise ValueError(f"line {number}: there must be {len(names)} columns, not {len(cells)}")
    return _read_point(f"line {number}", dict(zip(names, cells, strict=True)))


def _read_point(where: str, point: Any) -> _Row:
    if not isinstance(point, dict):
        raise ValueError(f"{where}: this must be an object")
    start = _instant(where, "start", point.get("start"))
    end = None if point.get("end") is None else _instant(where, "end", point["end"])
    if end is not None and end <= start:
        raise ValueError(f"{where}: ends before it starts")
    return _Row(where=where, start=start, end=end, price=_price(where, point.get("price")))


def _instant(where: str, name: str, value: Any) -> datetime:
    try:
        at = datetime.fromisoformat(value)
        in_utc = at.astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{where}: {name} must be a time like 2026-03-01T14:00:00Z") from error
    if at.tzinfo is None:
        raise ValueError(f"{where}: {name} has no offset from UTC, so nobody knows when it is; add Z or +02:00")
    return in_utc


def _price(where: str, value: Any) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation as error:
        raise ValueError(f"{where}: price must be a number with a decimal point") from error


def _slots(rows: Iterable[_Row]) -> tuple[PriceSlot, ...]:
    """The rows as slots in order of time, each ending where the next one starts."""
    held = list(_at_most(rows))
    if not held:
        raise ValueError("the curve is empty")
    held.sort(key=lambda row: row.start)
    for row, following in pairwise(held):
        if row.start == following.start:
            raise ValueError(f"{following.where}: starts when {row.where} starts: a duplicate")
    ends = [row.end for row in held if row.end is not None] or _ends_by_step(held)
    if len(ends) != len(held):
        missing = next(row for row in held if row.end is None)
        raise ValueError(f"{missing.where}: end is missing; give it everywhere or nowhere")
    for end, row, following in zip(ends, held, held[1:], strict=False):
        if following.start != end:
            what = "an overlap" if following.start < end else "a gap"
            raise ValueError(f"{following.where}: does not start when {row.where} ends: {what}")
    return tuple(_slot(row, end) for row, end in zip(held, ends, strict=True))


def _at_most(rows: Iterable[_Row]) -> Iterator[_Row]:
    for count, row in enumerate(rows):
        if count == MOST_SLOTS:
            raise ValueError(f"the curve has more than {MOST_SLOTS} slots")
        yield row


def _ends_by_step(rows: list[_Row]) -> list[datetime]:
    """Where no row tells its end: the shortest distance of two starts is how long each slot lasts."""
    if len(rows) < 2:
        raise ValueError(f"{rows[0].where}: one start alone does not tell when its slot ends; give end")
    step = min(b.start - a.start for a, b in pairwise(rows))
    try:
        return [row.start + step for row in rows]
    except OverflowError as error:
        raise ValueError(f"{rows[-1].where}: ends after the end of the calendar") from error


def _slot(row: _Row, end: datetime) -> PriceSlot:
    try:
        return PriceSlot(start=row.start, end=end, price=row.price)
    except ValidationError as error:
        raise ValueError(f"{row.where}: {error.errors()[0]['msg']}") from error


def _is_currency(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 3 and value.isascii() and value.isalpha()


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no price")
