"""A push wakes the workflow only when it would change its mind."""

from decimal import Decimal
from typing import Any

import pytest

from charging.session.model import CpoStatus, Meter
from charging.session.wakes import WakeRow, wakes

BEFORE = Meter(seq=1, ocpi_session_id="S1", cpo_status=CpoStatus.ACTIVE, kwh=Decimal(10), power_kw=Decimal(50))
ROW = WakeRow(meter=BEFORE, wake_kwh=Decimal(60), wake_cost=Decimal(20))


def push(**changes: Any) -> Meter:
    return BEFORE.model_copy(update={"seq": 2, **changes})


def test_energy_and_cost_below_their_limits_wake_nobody() -> None:
    assert not wakes(ROW, push(kwh=Decimal("59.99"), cost=Decimal("19.99"), power_kw=Decimal(20)))


@pytest.mark.parametrize(
    "changes",
    [
        {"cpo_status": CpoStatus.COMPLETED},
        {"ocpi_session_id": "S2"},
        {"kwh": Decimal(60)},
        {"cost": Decimal(20)},
        {"estimate": Decimal(20)},
        {"power_kw": Decimal(0)},
    ],
)
def test_a_status_a_limit_or_a_pause_wakes_the_workflow(changes: dict[str, Any]) -> None:
    assert wakes(ROW, push(**changes))


def test_the_cpos_running_total_counts_before_our_estimate() -> None:
    assert not wakes(ROW, push(cost=Decimal(19), estimate=Decimal(25)))


def test_without_limits_only_status_and_power_count() -> None:
    assert not wakes(WakeRow(meter=BEFORE), push(kwh=Decimal(1000), cost=Decimal(1000)))


def test_the_first_push_of_a_session_wakes() -> None:
    assert wakes(WakeRow(meter=Meter()), BEFORE)
