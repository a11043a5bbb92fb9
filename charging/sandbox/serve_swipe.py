"""``POST /admin/swipe``: somebody holds a card to a charger, without any command (OCPI 2.2.1 §12.2.1.2).

``{"evse", "uid", "type"?, "connector_id"?, "ask"?}``. Who issued the card is asked whether it may charge, unless its
whitelist says otherwise; ``ask`` (default true): also where we are free to choose. A card that nobody has pushed is
asked for at every eMSP. Answers ``{"allowed", "asked", "emsp", "session_id"}``.
"""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict

from charging.ocpi import wire
from charging.sandbox import clock
from charging.sandbox.beginning import TOKEN_FIELDS, new_session, scheduled
from charging.sandbox.cpo import Cpo
from charging.sandbox.locations import Charger, Outlet, find
from charging.sandbox.records import Swipe
from charging.sandbox.registration import Peer
from charging.sandbox.speaking import cpo_of, driver_of, pusher_of
from charging.sandbox.station import ChargingSession
from charging.sandbox.whitelisting import allowed_without, needs_asking

router = APIRouter()


class _Card(BaseModel):
    model_config = ConfigDict(extra="forbid")

    evse: str
    uid: str
    type: str = "RFID"
    connector_id: str | None = None
    ask: bool = True


@dataclass(frozen=True)
class _Verdict:
    """``peer``: whose card it is; None: nobody's. ``token``: a CdrToken."""

    allowed: str
    asked: bool
    peer: Peer | None
    token: dict[str, Any]
    reference: str | None = None


@router.post("/admin/swipe")
async def swipe(request: Request, card: _Card) -> Response:
    """A card is held to a charger. 404: no such charger; 409: it is taken."""
    cpo, charger = cpo_of(request), find(card.evse)
    outlet = charger.outlet(card.connector_id) if charger is not None else None
    if charger is None or outlet is None:
        raise HTTPException(404, "no such EVSE or connector")
    if cpo.bays[charger.uid].status != "AVAILABLE" or cpo.live_at(charger.uid):
        raise HTTPException(409, "the EVSE is occupied or out of order")
    verdict = await _judge(request, card, charger)
    session = _begun(cpo, verdict, charger, outlet)
    record = Swipe(
        id=uuid4().hex,
        at=clock.now(),
        evse_uid=charger.uid,
        token_uid=card.uid,
        emsp=verdict.peer.key if verdict.peer else None,
        allowed=verdict.allowed,
        asked=verdict.asked,
        session_id=session.id if session else None,
    )
    cpo.record_swipe(record, session)
    if session is not None:
        driver_of(request).drive(session.id)
    told = record.model_dump(include={"allowed", "asked", "emsp", "session_id"})
    return Response(wire.dumps(told), media_type="application/json")


async def _judge(request: Request, card: _Card, charger: Charger) -> _Verdict:
    """Whether the card may charge, and for whom."""
    cpo = cpo_of(request)
    pushed = cpo.pushed_token(card.uid, card.type)
    known = pushed.body if pushed is not None else None
    issuer = cpo.peers.get(pushed.emsp) if pushed is not None else None
    if not needs_asking(known, ask=card.ask):
        return _Verdict(allowed_without(known, was_asked=False), False, issuer, _cdr_token(known, card, issuer))
    verdict = _Verdict(allowed_without(known, was_asked=True), True, issuer, _cdr_token(known, card, issuer))
    for peer in [issuer] if issuer is not None else [*cpo.peers.values()]:
        info = await pusher_of(request).authorization(peer, card.uid, card.type, charger.uid)
        if info is None:
            continue
        token, allowed = _cdr_token(info.get("token") or known, card, peer), str(info.get("allowed", "NOT_ALLOWED"))
        verdict = _Verdict(allowed, True, peer if info else issuer, token, info.get("authorization_reference"))
        if allowed == "ALLOWED":
            break
    return verdict


def _cdr_token(token: dict[str, Any] | None, card: _Card, issuer: Peer | None) -> dict[str, Any]:
    """What Session and CDR say of the card; an AuthorizationInfo of 2.1.1 has no Token."""
    owner = {"country_code": issuer.country_code, "party_id": issuer.party_id} if issuer is not None else {}
    whole = {**owner, "uid": card.uid, "type": card.type, "contract_id": card.uid, **(token or {})}
    return {name: whole[name] for name in TOKEN_FIELDS if name in whole}


def _begun(cpo: Cpo, verdict: _Verdict, charger: Charger, outlet: Outlet) -> ChargingSession | None:
    """The session that begins; None where it may not, or where the charger is held for another card."""
    held = cpo.held_at(charger.uid, clock.now())
    is_kept_out = held is not None and not held.lets_in(verdict.token["uid"], verdict.reference)
    if verdict.allowed != "ALLOWED" or verdict.peer is None or is_kept_out:
        return None
    auth_method = "AUTH_REQUEST" if verdict.asked else "WHITELIST"
    place = (charger.uid, outlet.id)
    session = new_session(cpo, verdict.peer.key, verdict.token, verdict.reference, place, auth_method=auth_method)
    return scheduled(cpo, session)
