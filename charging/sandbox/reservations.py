"""A charger that is held for a token (OCPI 2.2.1 §13.3.4), as a function of the clock. Pure.

Whether it is held follows from its moments, so a sandbox that was killed goes on as if it had never been away.
"""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from charging.ocpi import wire


class Standing(StrEnum):
    """What has become of a reservation."""

    HELD = "HELD"
    USED = "USED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


class Reservation(BaseModel):
    """A reservation of an eMSP. ``withdrawn_at``: when we take it back of our own accord (see ``faults``).

    ``ended_as`` None: nobody has used or cancelled it.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    emsp: str
    evse_uid: str
    token_uid: str
    authorization_reference: str | None
    expires_at: datetime
    withdrawn_at: datetime | None = None
    ended_as: Standing | None = None

    @property
    def key(self) -> str:
        """Its name among all reservations: an id is the eMSP's own."""
        return key_of(self.emsp, self.id)

    @property
    def holds_until(self) -> datetime:
        """When it ends by itself."""
        return self.expires_at if self.withdrawn_at is None else min(self.expires_at, self.withdrawn_at)

    def standing(self, now: datetime) -> Standing:
        """What has become of it by ``now``."""
        if self.ended_as is not None:
            return self.ended_as
        if now < self.holds_until:
            return Standing.HELD
        return Standing.EXPIRED if self.holds_until == self.expires_at else Standing.CANCELED

    def is_held(self, now: datetime) -> bool:
        """Whether it keeps others away."""
        return self.standing(now) is Standing.HELD

    def lets_in(self, token_uid: str, authorization_reference: str | None) -> bool:
        """Whether a start is the one that the charger is held for: a START_SESSION names no reservation (§13.3.5)."""
        is_same_cause = self.authorization_reference is not None and (
            self.authorization_reference == authorization_reference
        )
        return is_same_cause or wire.fold(self.token_uid) == wire.fold(token_uid)

    def ended(self, standing: Standing) -> "Reservation":
        """The same, used or cancelled."""
        return self.model_copy(update={"ended_as": standing})


def key_of(emsp: str, reservation_id: str) -> str:
    """The name among all reservations of one that ``emsp`` calls ``reservation_id``."""
    return f"{emsp} {wire.fold(reservation_id)}"
