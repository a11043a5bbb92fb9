"""Why a price holds, in words for people. Pure."""

from typing import Any, Final

from charging.tariffs.steps import Tally

_SPANS: Final = (
    ("start_time", "end_time", "local time", ""),
    ("start_date", "end_date", "dates", ""),
    ("min_kwh", "max_kwh", "energy", " kWh"),
    ("min_current", "max_current", "current", " A"),
    ("min_power", "max_power", "power", " kW"),
    ("min_duration", "max_duration", "duration", " s"),
)


def reason(tally: Tally) -> str:
    """Which element, when it holds, and what ``step_size`` added."""
    conditions = list(_conditions(tally.element.restrictions))
    words = f"element {tally.element.number}" + (f" ({'; '.join(conditions)})" if conditions else "")
    if not tally.surplus:
        return words
    step = tally.component.step
    unit, added = ("Wh", tally.surplus * 1000) if tally.dimension == "ENERGY" else ("s", tally.surplus * 3600)
    return f"{words}; {float(added):.6g} {unit} added: the session's total in steps of {step} {unit}"


def _conditions(restrictions: dict[str, Any]) -> list[str]:
    found = [str(restrictions["reservation"])] if restrictions.get("reservation") else []
    for low, high, name, unit in _SPANS:
        begin, end = restrictions.get(low), restrictions.get(high)
        bounds = [f"{word} {value}{unit}" for word, value in (("from", begin), ("below", end)) if value is not None]
        if bounds:
            found.append(f"{name} {' '.join(bounds)}")
    days = restrictions.get("day_of_week")
    return [*found, ", ".join(map(str, days))] if days else found
