"""What holds for every tariff and every session."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from charging.tariffs.audit import Evidence, audit_cdr
from charging.tariffs.rules import TariffRules
from tests.tariffs.ocpi import MONDAY, Json, cdr, component, element, parked, period, price, rated, reserved, tariff

PRICES = st.integers(0, 300).map(lambda cents: str(Decimal(cents) / 100))
STEPS = st.sampled_from([0, 1, 60, 300, 900])
COMPONENTS = st.builds(
    component,
    st.sampled_from(["ENERGY", "TIME", "PARKING_TIME", "FLAT"]),
    PRICES,
    st.sampled_from([None, 0, 25.5]),
    STEPS,
)
RESTRICTIONS = st.sampled_from(
    [
        {},
        {"max_kwh": 7},
        {"min_kwh": 3, "max_kwh": 12},
        {"max_duration": 1800},
        {"min_duration": 2400},
        {"start_time": "10:00", "end_time": "11:15"},
        {"start_time": "22:00", "end_time": "09:45"},
        {"day_of_week": ["MONDAY"], "start_time": "10:30"},
        {"max_power": "10.5"},  # no power of the sessions below: a mean of thirds is not exact
    ]
)
ELEMENTS = st.builds(
    lambda components, restrictions: element(*components, **restrictions),
    st.lists(COMPONENTS, min_size=1, max_size=3),
    RESTRICTIONS,
)
TARIFFS = st.builds(lambda elements: tariff(*elements), st.lists(ELEMENTS, min_size=1, max_size=4))
# Minutes and power: a period is even, so it can be split anywhere.
PERIODS = st.lists(st.tuples(st.integers(1, 90), st.integers(1, 22)), min_size=1, max_size=4)
CHEAP = settings(max_examples=60, deadline=None)


def charged(spans: list[tuple[int, int]], parked_minutes: int = 0) -> Json:
    periods = [period(minutes, str(Decimal(minutes * kw) / 60)) for minutes, kw in spans]
    return cdr(*periods, *([parked(parked_minutes)] if parked_minutes else []))


def due(usage: Json, by: Json, **options: object) -> Decimal:
    return rated(usage, by, **options).total.due  # type: ignore[arg-type] # any of rated's


def close(left: Decimal, right: Decimal) -> bool:
    return abs(left - right) < Decimal("1E-9")


@CHEAP
@given(TARIFFS, PERIODS, st.integers(0, 60))
def test_splitting_periods_changes_nothing(by: Json, spans: list[tuple[int, int]], parked_minutes: int) -> None:
    halves = [(minutes * 2, kw) for minutes, kw in spans]
    split = [half for minutes, kw in spans for half in ((minutes, kw), (minutes, kw))]
    assert close(due(charged(halves, parked_minutes), by), due(charged(split, parked_minutes), by))


@CHEAP
@given(TARIFFS, PERIODS, st.integers(1, 60))
def test_a_longer_session_never_costs_less_so_far(by: Json, spans: list[tuple[int, int]], more: int) -> None:
    shorter, longer = charged(spans), charged([*spans, (more, spans[-1][1])])
    assert due(shorter, by, ended=False) <= due(longer, by, ended=False) + Decimal("1E-9")


@CHEAP
@given(TARIFFS, PERIODS, st.integers(0, 60))
def test_steps_only_ever_add_and_less_than_one_of_each(by: Json, spans: list[tuple[int, int]], stay: int) -> None:
    usage = charged(spans, stay)
    so_far, stopped = rated(usage, by, ended=False), rated(usage, by)
    assert so_far.total.due <= stopped.total.due
    for line in stopped.lines:
        surplus = line.billed_volume - line.volume
        assert 0 <= surplus <= Decimal("0.9") if line.dimension == "ENERGY" else 0 <= surplus < Decimal("0.25")


@CHEAP
@given(TARIFFS, PERIODS, st.integers(0, 60))
def test_the_lines_make_up_the_total_and_hold_all_that_was_used(
    by: Json, spans: list[tuple[int, int]], stay: int
) -> None:
    rating = rated(charged(spans, stay), by)
    assert close(sum((line.cost for line in rating.lines), Decimal(0)), rating.total.excl or Decimal(0))
    assert rating.total.incl is None or rating.total.incl >= (rating.total.excl or 0)
    energy = sum((line.volume for line in rating.lines if line.dimension == "ENERGY"), Decimal(0))
    assert energy <= sum(Decimal(minutes * kw) / 60 for minutes, kw in spans) + Decimal("1E-9")


@CHEAP
@given(TARIFFS, PERIODS)
def test_twice_the_prices_cost_twice_as_much(by: Json, spans: list[tuple[int, int]]) -> None:
    doubled = [
        {**each, "price_components": [{**c, "price": c["price"] * 2} for c in each["price_components"]]}
        for each in by["elements"]
    ]
    assert close(due(charged(spans), by) * 2, due(charged(spans), {**by, "elements": doubled}))


@CHEAP
@given(TARIFFS, PERIODS, st.integers(1, 6))
def test_a_week_later_it_costs_the_same(by: Json, spans: list[tuple[int, int]], weeks: int) -> None:
    # Within the winter: no change of the clock lies between.
    periods = [period(minutes, str(Decimal(minutes * kw) / 60)) for minutes, kw in spans]
    earlier = cdr(*periods, start=MONDAY - timedelta(weeks=weeks))
    assert close(due(cdr(*periods), by), due(earlier, by))


@CHEAP
@given(COMPONENTS, PERIODS)
def test_whole_elements_and_single_dimensions_agree_on_a_tariff_of_one_element(
    only: Json, spans: list[tuple[int, int]]
) -> None:
    by = tariff(element(only))
    assert due(charged(spans), by) == due(charged(spans), by, rules=TariffRules(whole_elements=True))


# ---- Nonsense -----------------------------------------------------------------------------------------------------

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(
        ["", "junk", "24:00", "2026-13-01", "-1", "NaN", -1, 0, 10**9, 10**30, Decimal("1E-60"), [], {}, [5], [{}]]
    ),
)
WHOLE: Json = {
    **cdr(reserved(5), period(60, 10), parked(30), total_cost=price(5, 6), total_energy_cost=price(5)),
    "tariffs": [
        tariff(
            element(component("FLAT", 1, 20), component("TIME", 1), reservation="RESERVATION"),
            element(component("ENERGY", 1, 20, 100), start_time="07:00", end_time="19:00", day_of_week=["MONDAY"]),
            element(component("ENERGY", 1, 20), component("TIME", 1), min_kwh=1, max_duration=60, max_power=50),
            min_price=price(1, 2),
            max_price=price(50),
        )
    ],
}


def first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a JSON value, at every depth."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, item in inside for path in ((*here, key), *paths(item, (*here, key)))]


def spoilt(value: Any, path: tuple[Any, ...], junk: Any) -> Any:
    """``value`` with ``junk`` at ``path``."""
    if not path:
        return junk
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = spoilt(value[path[0]], path[1:], junk)
    return copy


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(paths(WHOLE)), JUNK)
def test_whatever_stands_in_a_cdr_is_judged_and_never_raises(path: tuple[Any, ...], junk: Any) -> None:
    body = spoilt(WHOLE, path, junk)
    result = audit_cdr(body, Evidence(tariff=WHOLE["tariffs"][0], currency="EUR", max_power_kw=Decimal(50)))
    assert result.verdict in ("match", "mismatch", "unverifiable")
    result = audit_cdr(WHOLE, Evidence(tariff=first(body.get("tariffs")), zone=ZoneInfo("Europe/Berlin")))
    assert result.verdict in ("match", "mismatch", "unverifiable")
