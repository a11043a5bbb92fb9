"""The handles of the sandbox, for people and tests. No authentication: it is a tool for loopback.

- ``GET /admin/records``  our own account: ``starts``, ``stops``, ``swipes``, ``commands``, ``reservations``,
  ``profiles``, ``sessions``, ``cdrs``, ``invoices``
- ``GET|POST|DELETE /admin/faults``  what will go wrong (see ``faults``); POST adds one or a list, PUT replaces
- ``GET|POST /admin/quirks`` ``{"quirks"}``  what this CPO is like (see ``quirks``); POST replaces
- ``GET|POST /admin/versions`` ``{"versions"}``  of OCPI at which an eMSP can register from now on
- ``POST /admin/plug``, ``POST /admin/unplug`` ``{"evse"}``  a car arrives; it is pulled off, which ends its session
- ``POST /admin/car`` ``{"evse"?, "soc"?, "capacity_kwh"?, "max_dc_kw"?, "max_ac_kw"?}``  the car of the sessions that
  start from now on, at one EVSE or everywhere; ``soc`` from 0 to 1
- ``GET /prices``, ``POST /admin/prices``  the power market next door (see ``serve_prices``)
- ``POST /admin/evse`` ``{"evse", "status"}``  an EVSE breaks, or is repaired
- ``POST /admin/swipe``, ``POST /admin/invoice``  a card is held to a charger (see ``serve_swipe``); CDRs are billed
  (see ``serve_invoices``)
- ``POST /admin/credit`` ``{"session_id", "set"?}``  the CDR of a session is taken back by a Credit CDR; with ``set``,
  and replaced by one with these other fields
- ``POST /admin/end`` ``{"session_id", "reason"?}``  the charger or the car ends a session
"""

from datetime import timedelta
from typing import Any, Literal

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from charging.ocpi import wire
from charging.sandbox import clock, station
from charging.sandbox.battery import Car
from charging.sandbox.faults import Fault
from charging.sandbox.locations import CHARGERS, find
from charging.sandbox.quirks import NO_SWITCH, Quirk
from charging.sandbox.speaking import cpo_of, driver_of

router = APIRouter()
_FAULTS = TypeAdapter(list[Fault])


class _Place(BaseModel):
    model_config = ConfigDict(extra="forbid")

    evse: str


class _Status(_Place):
    status: str


class _Quirks(BaseModel):
    model_config = ConfigDict(extra="forbid")

    quirks: list[Quirk]


class _Versions(BaseModel):
    model_config = ConfigDict(extra="forbid")

    versions: tuple[Literal["2.1.1", "2.2.1", "2.3.0"], ...] = Field(min_length=1)


class _NewCar(BaseModel):
    model_config = ConfigDict(extra="forbid")

    evse: str | None = None
    soc: float | None = Field(None, ge=0, le=1)
    capacity_kwh: float | None = Field(None, gt=0, le=1000)
    max_dc_kw: float | None = Field(None, gt=0, le=2000)
    max_ac_kw: float | None = Field(None, gt=0, le=100)


class _Credit(BaseModel):
    model_config = ConfigDict(extra="forbid")

    session_id: str
    set: dict[str, Any] = {}


class _End(BaseModel):
    model_config = ConfigDict(extra="forbid")

    session_id: str
    reason: str = "EV"


def _json(data: Any) -> Response:
    return Response(wire.dumps(data), media_type="application/json")


@router.get("/healthz")
async def healthz() -> Response:
    """Alive."""
    return _json({"status": "ok"})


@router.get("/admin/records")
async def records(request: Request) -> Response:
    """Our own account of what happened."""
    return _json(cpo_of(request).records())


@router.get("/admin/faults")
async def faults(request: Request) -> Response:
    """What will still go wrong."""
    return _json([fault.model_dump(exclude_none=True) for fault in cpo_of(request).faults.list()])


@router.post("/admin/faults")
async def add_faults(request: Request) -> Response:
    """Add one fault or several."""
    cpo_of(request).faults.add(await _faults(request))
    return await faults(request)


@router.put("/admin/faults")
async def replace_faults(request: Request) -> Response:
    """These and no others."""
    wanted = await _faults(request)
    cpo_of(request).faults.clear()
    cpo_of(request).faults.add(wanted)
    return await faults(request)


@router.delete("/admin/faults")
async def clear_faults(request: Request) -> Response:
    """Behave again."""
    cpo_of(request).faults.clear()
    return await faults(request)


async def _faults(request: Request) -> list[Fault]:
    try:
        wanted = wire.loads(await request.body())
        return _FAULTS.validate_python(wanted if isinstance(wanted, list) else [wanted])
    except ValidationError as error:
        raise HTTPException(422, [{"loc": e["loc"], "msg": e["msg"]} for e in error.errors()]) from error
    except wire.MalformedJson as error:
        raise HTTPException(400, "no JSON") from error


@router.get("/admin/quirks")
async def quirks(request: Request) -> Response:
    """What this CPO is like, and could be."""
    known = {quirk: quirk.text for quirk in Quirk}
    return _json({"quirks": [*cpo_of(request).quirks], "known": known, "not_to_be_switched": NO_SWITCH})


@router.post("/admin/quirks")
async def replace_quirks(request: Request, wanted: _Quirks) -> Response:
    """These and no others."""
    cpo_of(request).quirks.replace(wanted.quirks)
    return await quirks(request)


@router.get("/admin/versions")
async def versions(request: Request) -> Response:
    """What is offered."""
    return _json({"versions": cpo_of(request).versions})


@router.post("/admin/versions")
async def replace_versions(request: Request, wanted: _Versions) -> Response:
    """These and no others, for registrations from now on."""
    cpo_of(request).offer(wanted.versions)
    return await versions(request)


@router.post("/admin/plug")
async def plug(request: Request, place: _Place) -> Response:
    """A car arrives."""
    cpo, uid = cpo_of(request), _uid(place.evse)
    bay = cpo.set_bay(uid, plugged=True)
    for session in cpo.live_at(uid):
        cpo.replace(station.plug(session, clock.now(), cpo.settings.start_delay_s))
        driver_of(request).poke(session.id)
    return _json(bay.model_dump())


@router.post("/admin/unplug")
async def unplug(request: Request, place: _Place) -> Response:
    """The cable is pulled."""
    cpo, uid = cpo_of(request), _uid(place.evse)
    bay = cpo.set_bay(uid, plugged=False)
    for session in cpo.live_at(uid):
        _end(request, session.id, "UNPLUGGED")
    return _json(bay.model_dump())


@router.post("/admin/car")
async def car(request: Request, new: _NewCar) -> Response:
    """Another kind of car from now on."""
    cpo = cpo_of(request)
    changes = new.model_dump(exclude={"evse"}, exclude_none=True)
    for uid in [_uid(new.evse)] if new.evse is not None else [*CHARGERS]:
        before = cpo.bays[uid].car or cpo.settings.car
        cpo.set_bay(uid, car=Car(**{**before.model_dump(), **changes}))
    return _json({bay.uid: (bay.car or cpo.settings.car).model_dump() for bay in cpo.bays.values()})


@router.post("/admin/evse")
async def evse(request: Request, wanted: _Status) -> Response:
    """An EVSE breaks, or is repaired."""
    uid = _uid(wanted.evse)
    cpo_of(request).set_bay(uid, status=wanted.status)
    driver_of(request).show(uid)
    return _json(cpo_of(request).bays[uid].model_dump())


@router.post("/admin/end")
async def end(request: Request, wanted: _End) -> Response:
    """A session ends at the charger."""
    if wanted.session_id not in cpo_of(request).sessions:
        raise HTTPException(404, "no such session")
    return _json({"state": _end(request, wanted.session_id, wanted.reason)})


@router.post("/admin/credit")
async def credit(request: Request, wanted: _Credit) -> Response:
    """The CPO corrects itself, now."""
    cpo = cpo_of(request)
    cdr = cpo.cdrs.get(f"CDR-{wanted.session_id}")
    if cdr is None or not cdr.done:
        raise HTTPException(404, "no CDR of that session was sent")
    if any(other.follows == cdr.id for other in cpo.cdrs.values()):
        raise HTTPException(409, "it is credited already")
    cpo.credit(cdr, wanted.set)
    driver_of(request).drive(wanted.session_id)
    return _json({"cdrs": [other.id for other in cpo.cdrs.values() if other.follows == cdr.id]})


def _end(request: Request, session_id: str, reason: str) -> str:
    cpo, now = cpo_of(request), clock.now()
    session = station.end(cpo.advance(session_id, now), now + timedelta(milliseconds=1), reason)
    cpo.replace(session)
    driver_of(request).poke(session_id)
    return session.state


def _uid(evse: str) -> str:
    charger = find(evse)
    if charger is None:
        raise HTTPException(404, "no such EVSE")
    return charger.uid
