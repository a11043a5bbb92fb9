"""Which pushes are kept as points of a session's metered curve. Pure."""

from decimal import Decimal
from typing import Final

from charging.session.model import Meter

_STEP: Final = Decimal("0.1")  # of the power before: a change to be seen in the curve
_MINUTE_S: Final = 60


def is_point(before: Meter, after: Meter) -> bool:
    """Whether ``after`` is kept: the first in its minute of our clock, a change of power by a tenth, or of status.

    Needs nothing but the push before, so that thinning a curve costs no look at it.
    """
    if before.received_at is None or after.received_at is None:
        return after.received_at is not None
    minutes = after.received_at.timestamp() // _MINUTE_S - before.received_at.timestamp() // _MINUTE_S
    return minutes >= 1 or after.cpo_status != before.cpo_status or _has_changed(before.power_kw, after.power_kw)


def _has_changed(before: Decimal | None, after: Decimal | None) -> bool:
    if before is None or after is None:
        return before is not after
    return abs(after - before) > before * _STEP
