"""What a session costs while it runs, and whose word that is. Data only."""

from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple


class CostSource(StrEnum):
    """Who says what a session costs."""

    ESTIMATE = "estimate"  # ours, by the tariff at the start
    CPO = "cpo"  # the running total in the CPO's Session
    CDR = "cdr"  # the bill


class RunningCost(NamedTuple):
    """Incl. all VAT that is known, in the session's currency: ``so_far`` <= ``if_stopped``, as a rule."""

    so_far: Decimal
    if_stopped: Decimal
