"""Reservations whose CPO was never heard: the process that asked has died, or the answer was lost.

RESERVE_NOW may be repeated for the same ``reservation_id``: the CPO takes it as an update (OCPI 2.2.1 §13.3.4). So it
is asked again, until it answers or the reservation runs out. Runs in the API's process.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Final

from charging.errors import PeerError, PeerRefused, Problem, StoreUnavailable
from charging.ocpi.commander import Commander
from charging.session.reservation import ReservationStatus
from charging.store.reservations import Reservation, ReservationStore

logger = logging.getLogger(__name__)

UNANSWERED_AFTER: Final = timedelta(seconds=60)  # longer than any call: nobody is asking any more
_REASON_LENGTH: Final = 100


class UnansweredReservations:
    """Asks for each reservation that nobody has an answer for. Several processes may run it."""

    def __init__(self, reservations: ReservationStore, commander: Commander, every_s: float) -> None:
        self._reservations = reservations
        self._commander = commander
        self._every_s = every_s

    async def run(self) -> None:
        """Ask every ``every_s`` seconds, for ever. Cancel to stop."""
        while True:
            try:
                await self.ask_again()
            except StoreUnavailable:
                logger.warning("unanswered reservations cannot be read")
            await asyncio.sleep(self._every_s)

    async def ask_again(self) -> None:
        """Ask the CPO of each one that is due."""
        now = datetime.now(UTC)
        for reservation in await self._reservations.unanswered(now, now - UNANSWERED_AFTER):
            if await self._reservations.take_up(reservation.id, now - UNANSWERED_AFTER, now):
                await self._ask(reservation)

    async def _ask(self, reservation: Reservation) -> None:
        try:
            response = await self._commander.reserve(reservation)
            refusal = None if response.result == "ACCEPTED" else response.result
        except PeerRefused as error:
            refusal = str(error)
        except (PeerError, Problem) as error:
            logger.warning("still no answer for a reservation", extra={"id": reservation.id, "error": str(error)})
            return
        if refusal is not None:
            pending = {ReservationStatus.PENDING}
            await self._reservations.turn(reservation.id, pending, ReservationStatus.REJECTED, refusal[:_REASON_LENGTH])
