"""One CDR or Session by its tariff: the price, and whether the CPO asks for it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from charging.tariffs.comparison import Asked, Difference, Tolerance, comparable, compare, sums_up
from charging.tariffs.grid import depends_on_calendar
from charging.tariffs.rating import Rating, rate
from charging.tariffs.rules import DEFAULT_RULES, TariffRules
from charging.tariffs.tariff import Unpriceable, UnreadableTariff, read_tariff
from charging.tariffs.usage import Usage

Verdict = Literal["match", "mismatch", "unverifiable"]

TOLERANCE: Final = Tolerance()
_UTC: Final = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Priced:
    """A price, None where nobody can tell; ``doubt`` is why it is unknown or not certain, ``broken`` by nonsense."""

    rating: Rating | None
    doubt: str | None = None
    broken: bool = False


def priced(
    usage: Usage,
    tariffs: Sequence[Any],
    zone: ZoneInfo | None,
    rules: TariffRules = DEFAULT_RULES,
    *,
    reservation_expired: bool = False,
) -> Priced:
    """``usage`` by canonical (2.2.1) Tariff bodies; ``zone`` None is unknown, which matters only to the calendar."""
    if not tariffs:
        return Priced(None, "there is no tariff")
    try:
        readable = [read_tariff(body) for body in _in_force(tariffs, usage)]
        rating = rate(usage, readable, zone or _UTC, rules, reservation_expired=reservation_expired)
    except Unpriceable as error:
        return Priced(None, str(error), isinstance(error, UnreadableTariff))
    if zone is None and any(depends_on_calendar(tariff) for tariff in readable):
        return Priced(rating, "the time zone is not known: times and days were taken as UTC")
    return Priced(rating)


def judged(asked: Asked, price: Priced, tolerance: Tolerance = TOLERANCE) -> tuple[Verdict, list[Difference]]:
    """Whether the CPO asks for ``price``, and what is different or could not be checked."""
    rating = price.rating
    found = sums_up(asked, tolerance, () if rating is None else rating.bounds)
    if rating is not None:
        found += compare(asked, rating, tolerance)
    if found and price.doubt is None:
        return "mismatch", found
    if price.doubt is not None:
        return "unverifiable", [Difference(code="unknown_price", detail=price.doubt), *found]
    if rating is None or not comparable(asked, rating):
        detail = "there is no total_cost that could be compared"
        return "unverifiable", [Difference(code="unknown_price", detail=detail)]
    return "match", []


def _in_force(tariffs: Sequence[Any], usage: Usage) -> Sequence[Any]:
    """Where no charging period names one of several tariffs: the first for sessions without preferences (§11.4.8)."""
    if len(tariffs) == 1 or any(stretch.tariff_id for stretch in usage.stretches):
        return tariffs
    regular = [body for body in tariffs if isinstance(body, dict) and body.get("type") in (None, "REGULAR")]
    return (regular or tariffs)[:1]
