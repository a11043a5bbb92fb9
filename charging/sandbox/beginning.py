"""How a session begins, whoever asks for it: a command or a card."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from charging.sandbox import clock, station
from charging.sandbox.cpo import Cpo
from charging.sandbox.quirks import Quirk
from charging.sandbox.station import ChargingSession, Script

TOKEN_FIELDS = ("country_code", "party_id", "uid", "type", "contract_id")


def new_session(
    cpo: Cpo,
    emsp: str,
    token: dict[str, Any],
    reference: str | None,
    place: tuple[str, str],
    *,
    auth_method: str = "COMMAND",
    script: Script | None = None,
) -> ChargingSession:
    """A session of the car that is at ``place`` (EVSE uid, connector id). ``token``: a CdrToken (§10.4.5)."""
    now = clock.now()
    evse_uid, connector_id = place
    car = cpo.bays[evse_uid].car or cpo.settings.car
    return ChargingSession(
        id=str(len(cpo.sessions) + 1) if Quirk.SAME_IDS in cpo.quirks else uuid4().hex,
        emsp=emsp,
        token=token,
        auth_method=auth_method,
        authorization_reference=reference,
        evse_uid=evse_uid,
        connector_id=connector_id,
        created_at=now,
        car=car,
        soc=car.soc,
        speed=cpo.settings.speed,
        linger_s=cpo.settings.linger_s,
        script=script or Script(),
        last_updated=now,
    )


def scheduled(cpo: Cpo, session: ChargingSession) -> ChargingSession:
    """``session`` as it goes on by itself: soon, or when a car comes."""
    if cpo.bays[session.evse_uid].plugged:
        return station.plug(session, session.created_at, cpo.settings.start_delay_s)
    return waiting(cpo, session)


def waiting(cpo: Cpo, session: ChargingSession) -> ChargingSession:
    """``session`` until somebody plugs a car in, but not for ever."""
    patience = timedelta(seconds=cpo.settings.plug_in_timeout_s)
    return station.end(session, session.created_at + patience, "NOT_PLUGGED")
