"""How a plan allows for cars that take less than one thinks: it looks early, and is ready early. Pure.

Nobody tells what a car accepts, and it takes less as it fills. A plan that finishes at the last minute at a power that
was never seen misses the departure: so a car charges for some minutes when it is plugged in, which shows what it
takes, and the energy is to be in some time before the departure. What that costs and saves: docs/scheduling.md.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal


@dataclass(frozen=True)
class Caution:
    """``probe_s``: for so long a car charges at once. A plan ends before the departure by ``ready_before_s``, and by
    ``ready_before_share`` of the time that charging takes. None of it by default."""

    probe_s: float = 0
    ready_before_s: float = 0
    ready_before_share: float = 0

    def probe_kwh(self, limit_kw: Decimal) -> Decimal:
        """What shows what a car takes: the energy of the probe under a limit of ``limit_kw``."""
        return limit_kw * Decimal(str(self.probe_s)) / 3600

    def ready_by(self, departure: datetime, now: datetime, *, takes_s: float, power_factor: int) -> datetime:
        """When the energy shall be in that takes ``takes_s``: never earlier than half of the time to spare."""
        margin_s = self.ready_before_s / power_factor + self.ready_before_share * takes_s
        to_spare_s = (departure - now).total_seconds() - takes_s
        return departure - timedelta(seconds=int(max(min(margin_s, to_spare_s / 2), 0)))
