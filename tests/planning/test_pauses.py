"""Where power flows in pauses, too, no other end and no other hours would have been cheaper."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.planning.test_planner import codes, hourly, planned, shape

STEP_H = 1 / 12  # the ends that are tried
A_SECOND = 0.0005  # plans are made of whole seconds: at most what one costs with power and its hour


def cheapest_by_trying(prices: list[float], kwh: float, pause: float, hour: float) -> float:
    """At 10 kW, by trying every end in steps of five minutes: each time the pause's power until then, the rest in the
    cheapest steps. ``hour``: what an hour with power costs."""
    steps = [price for price in prices for _ in range(12)]
    tried = [steps[:n] for n in range(1, len(steps) + 1)]
    above = [filled(sorted(flowing), kwh - pause * STEP_H * len(flowing), (10 - pause) * STEP_H) for flowing in tried]
    return min(
        (sum(flowing) * pause * STEP_H + hour * len(flowing) * STEP_H + rest)
        for flowing, rest in zip(tried, above, strict=True)
        if rest is not None
    )


def filled(steps: list[float], kwh: float, most: float) -> float | None:
    """What ``kwh`` cost in ``steps`` of at most ``most`` kWh; None where it does not fit."""
    if not -1e-9 <= kwh <= most * len(steps) + 1e-9:
        return None
    cost = 0.0
    for price in steps:
        part = min(most, kwh)
        cost, kwh = cost + price * part, kwh - part
    return cost


PRICES = st.lists(st.sampled_from([-0.05, 0.0, 0.05, 0.1, 0.2, 0.3, 0.4]), min_size=2, max_size=8)


@settings(deadline=None)
@given(prices=PRICES, share=st.floats(0.2, 0.99), pause=st.sampled_from([1, 4, 7]), hour=st.sampled_from([0, 0.5]))
def test_no_end_that_one_could_try_is_cheaper(prices: list[float], share: float, pause: int, hour: float) -> None:
    kwh = round(share * len(prices) * 10, 3)
    made = planned(len(prices), kwh, prices=hourly(*prices), pause_kw=pause, time_price_per_hour=str(hour))
    assert made.cost is not None
    assert float(made.cost) <= cheapest_by_trying(prices, kwh, pause, hour) + A_SECOND
    assert codes(made) == []


def test_charging_ends_before_the_next_dear_hour_rather_than_going_on_in_its_pause() -> None:
    made = planned(9, 35.78, kw=11, prices=hourly(*[0.05, 0.4] * 5)[:9], pause_kw="4.14")
    assert shape(made) == [(0, 11_000), (3600, 4140), (7200, 11_000), (10_800, 4140), (14_400, 11_000), (16_200, 0)]
