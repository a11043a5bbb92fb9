"""Numbers and instants out of JSON, exact; what is none is refused. Pure."""

from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LARGEST: Final = 9  # powers of ten
_SMALLEST: Final = -30


def number(value: Any) -> Decimal:
    """``value`` as an exact number; text that is one is understood. Raises ``ValueError``, also for absurd sizes."""
    found = value if isinstance(value, Decimal) else _decimal(value)
    if not found.is_finite() or (found and not _SMALLEST <= found.adjusted() <= _LARGEST):
        raise ValueError("a number out of range")
    return found


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("not a number")
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise ValueError("not a number") from None


def microseconds(value: Any) -> int:
    """An OCPI DateTime as microseconds since 1970, UTC where it names no zone.

    Raises ``ValueError``, also at the ends of the calendar, where no local time can be told.
    """
    if not isinstance(value, datetime | str):
        raise ValueError("not a DateTime")
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    if not MINYEAR < moment.year < MAXYEAR:
        raise ValueError("a DateTime out of range")
    return ((moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment) - _EPOCH) // _MICROSECOND


def instant(at: int) -> datetime:
    """The moment, UTC, that is ``at`` microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=at)
