"""When a CPO's push wakes the workflow: only when it would change its mind. Pure.

A push that changes nothing costs the workflow no history event, so a ten-hour session costs what a short one does.
"""

from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from charging.session.drift import deviation
from charging.session.model import Meter, Policy
from charging.session.profile import ChargingPlan


class WakeRow(BaseModel):
    """What the store knows of a session before a push: its meter, and the limits that the workflow published.

    ``wake_kwh``: energy limit in kWh; ``wake_cost``: cost limit in the session's currency; None: no limit.
    ``plan``: the plan for a departure that is in force, to be kept within what ``policy`` tolerates.
    """

    model_config = ConfigDict(frozen=True)

    meter: Meter
    wake_kwh: Decimal | None = None
    wake_cost: Decimal | None = None
    plan: ChargingPlan | None = None
    policy: Policy = Policy()


def wakes(row: WakeRow, push: Meter) -> bool:
    """Whether ``push`` must reach the workflow.

    Another CPO status or Session, a limit reached, power on or off, or a plan that is not followed.
    """
    before = row.meter
    return (
        push.cpo_status != before.cpo_status
        or push.ocpi_session_id != before.ocpi_session_id
        or _reached(row.wake_kwh, push.kwh)
        or _reached(row.wake_cost, push.known_cost)
        or _rests(push) != _rests(before)
        or (row.plan is not None and deviation(row.plan, push, row.policy) is not None)
    )


def _reached(limit: Decimal | None, value: Decimal | None) -> bool:
    return limit is not None and value is not None and value >= limit


def _rests(meter: Meter) -> bool:
    return meter.power_kw is not None and meter.power_kw <= 0
