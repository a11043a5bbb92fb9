"""The CPO's Session as we keep it: what PUT and PATCH make of it, and what it says (OCPI 2.2.1 §9.2.2, §9.3.1).

Pure. Bodies are dicts as received, unknown fields and enum values included, fractions as ``Decimal``.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Any, Final

from charging.errors import UnusableMessage
from charging.ocpi import wire
from charging.session.metering import FUTURE, Reading
from charging.session.model import CpoStatus

Body = dict[str, Any]

CLOCK_SKEW: Final = timedelta(minutes=5)  # between a CPO's clock and ours, where a token is all that there is
# Of one Session: weeks of them, at one a few minutes. A peer must not fill the disk.
MAX_PERIODS: Final = 5_000
MAX_PERIODS_CHARACTERS: Final = 1_000_000
# Of kWh, kW, percent and money of a session; what the meter's columns hold has more digits before the point, and
# ``_PLACES`` after it.
_TOO_MUCH: Final = Decimal(10) ** 9
_PLACES: Final = 8

_FINAL: Final = frozenset(status.value for status in CpoStatus if status.is_final)
_ORDER: Final = ("RESERVATION", "PENDING", "ACTIVE")  # and then the final ones
_NEEDED: Final = ("status", "kwh", "last_updated")
_REQUIRED: Final = frozenset(
    "country_code party_id id start_date_time kwh cdr_token auth_method location_id evse_uid connector_id currency "
    "status last_updated".split()
)


def put(stored: Body | None, body: Body, now: datetime) -> Body | None:
    """The Session after a PUT: ``body`` replaces what is stored. None: too old to change anything.

    Raises ``UnusableMessage`` where a field that we cannot do without is missing or unreadable. Of the fields that
    OCPI requires, only those are insisted on: a meter value from a careless CPO is better than none.
    """
    missing = [field for field in _NEEDED if body.get(field) is None]
    if missing:
        raise UnusableMessage(f"missing: {', '.join(missing)}")
    _check(body)
    body = _bounded(_spelled(body))
    if stored is None:
        return body
    if _is_older(body, stored, now):
        return _overtaken(stored, body)
    return {**body, "status": _status(stored, body)}


def patch(stored: Body, changes: Body, now: datetime) -> Body | None:
    """The Session after a PATCH: given fields change, ``charging_periods`` are appended. None: too old.

    ``last_updated`` is mandatory in every PATCH (§9.2.2.3). null clears an optional field; of a required one it is
    ignored, since the specification leaves its meaning open.
    """
    if changes.get("last_updated") is None:
        raise UnusableMessage("missing: last_updated")
    _check(changes)
    changes = _spelled(changes)
    if _is_older(changes, stored, now):
        return _overtaken(stored, changes)
    kept = {key: value for key, value in stored.items() if key not in changes or key in _REQUIRED}
    given = {key: value for key, value in changes.items() if value is not None}
    merged = {**kept, **given, "status": _status(stored, changes)}
    if "charging_periods" in changes:
        merged["charging_periods"] = _appended(periods(stored), periods(changes))
    return _bounded(merged)


def periods(body: Body) -> list[Body]:
    """Its charging periods; empty where there are none."""
    return [period for period in body.get("charging_periods") or [] if isinstance(period, dict)]


def reading(body: Body) -> Reading:
    """What the Session says, in our units; None where it says nothing usable, such as a cost of 1e40."""
    newest, kwh = _newest(periods(body)), _number(body.get("kwh"))
    return Reading(
        status=_engine_status(body.get("status"), kwh),
        kwh=kwh,
        cost=_price(body.get("total_cost")),
        currency=body["currency"].upper() if isinstance(body.get("currency"), str) else None,
        power_kw=_dimension(newest, "POWER", "MAX_POWER"),
        state_of_charge=_dimension(newest, "STATE_OF_CHARGE"),
        started_at=_moment(body.get("start_date_time")),
        ended_at=_moment(body.get("end_date_time")),
        updated_at=wire.parse_datetime(body["last_updated"]),
        has_absurd_number=any(said is not None and _number(said) is None for said in _numbers(body, newest)),
    )


def references(body: Body) -> tuple[str | None, str | None]:
    """``authorization_reference`` (folded: a CiString) and ``cdr_token.uid`` of a Session or CDR."""
    token = body.get("cdr_token")
    uid = token.get("uid") if isinstance(token, dict) else None
    # Gireve's 2.1.1 calls it authorization_id (docs/ocpi.md, Q40); the specification's 2.1.1 has none.
    reference = body.get("authorization_reference") or body.get("authorization_id")
    return (
        wire.fold(reference) if isinstance(reference, str) and reference else None,
        wire.fold(uid) if isinstance(uid, str) and uid else None,
    )


def is_mere_reservation(body: Body) -> bool:
    """Whether nobody charges here: a RESERVATION, or the end of one that no energy came of.

    Its token is that of the start that follows, its reference is not.
    """
    is_over = body.get("status") in _FINAL and references(body)[0] is not None
    return body.get("status") == "RESERVATION" or (is_over and not wire.decimal(body.get("kwh")))


def may_be_at(body: Body, location_id: str, evse_uid: str) -> bool:
    """Whether a Session takes place at this EVSE; a CPO that does not say where (``#NA``) may mean it."""
    wanted = {"location_id": location_id, "evse_uid": evse_uid}
    said = {name: body.get(name) for name in wanted}
    return all(_says_nothing(said[name]) or wire.fold(str(said[name])) == wire.fold(wanted[name]) for name in wanted)


def says_where(body: Body) -> bool:
    """Whether a Session names its EVSE."""
    return not _says_nothing(body.get("evse_uid"))


def _says_nothing(value: Any) -> bool:
    return not isinstance(value, str) or value in ("", "#NA")


def may_have_begun_after(body: Body, moment: datetime) -> bool:
    """Whether a Session or CDR began after ``moment``, as far as clocks can be trusted."""
    started = _moment(body.get("start_date_time"))
    return started is None or started >= moment - CLOCK_SKEW


def _check(body: Body) -> None:
    """Raises where a field that the meter is read from cannot be read."""
    for field in ("last_updated", "start_date_time", "end_date_time"):
        if body.get(field) is not None and _moment(body[field]) is None:
            raise UnusableMessage(f"{field} is not a DateTime")
    if body.get("kwh") is not None and wire.decimal(body["kwh"]) is None:
        raise UnusableMessage("kwh is not a number")
    status = body.get("status")
    if status is not None and not (isinstance(status, str) and status):
        raise UnusableMessage("status is not a string")
    if not isinstance(body.get("charging_periods") or [], list):
        raise UnusableMessage("charging_periods is not a list")


def _spelled(body: Body) -> Body:
    """``body`` with its status as OCPI spells it, where it is one of OCPI's."""
    known = _known(body.get("status"))
    return body if known is None or known == body["status"] else {**body, "status": known.value}


def _known(status: Any) -> CpoStatus | None:
    word = wire.fold(status) if isinstance(status, str) else ""
    return CpoStatus(word) if word in CpoStatus.__members__ else None


def _engine_status(status: Any, kwh: Decimal | None) -> CpoStatus | None:
    """The status, None where nobody knows the word; where energy has flowed, such a one is charging."""
    return _known(status) or (CpoStatus.ACTIVE if kwh is not None and kwh > 0 else None)


def _is_older(body: Body, stored: Body, now: datetime) -> bool:
    # Equal is not older: some CPOs never bump it. Far ahead is a wrong clock: nothing would ever come after it.
    last = wire.parse_datetime(stored["last_updated"])
    return wire.parse_datetime(body["last_updated"]) < last <= now + FUTURE


def _status(stored: Body, body: Body) -> Any:
    """A final status is never left: "no more modifications will be made" (§9.4.2)."""
    return stored["status"] if stored["status"] in _FINAL else body.get("status") or stored["status"]


def _overtaken(stored: Body, late: Body) -> Body | None:
    """An older message is ignored, unless its status is ahead: a Session never goes back, so that one is still true.

    The push that said ACTIVE may be lost, and the list that says it be overtaken by the next PATCH, which says nothing.
    """
    if not _is_ahead(late.get("status"), stored["status"]):
        return None
    moved = {**stored, "status": late["status"]}
    # start_date_time changes when a Session becomes ACTIVE (§9.3.1).
    moved |= {name: late[name] for name in ("start_date_time", "end_date_time") if late.get(name) is not None}
    if (wire.decimal(late.get("kwh")) or Decimal(0)) > (wire.decimal(stored.get("kwh")) or Decimal(0)):
        moved["kwh"] = late["kwh"]
    return moved


def _is_ahead(status: Any, stored: Any) -> bool:
    if status in _FINAL:
        return stored not in _FINAL
    return status in _ORDER and stored in _ORDER and _ORDER.index(status) > _ORDER.index(stored)


def _appended(stored: list[Body], new: Iterable[Body]) -> list[Body]:
    # A period that comes again is the same one with newer volumes: CPOs repeat the running period (ocpi#325).
    by_start = {_start(period): period for period in stored}
    by_start.update((_start(period), period) for period in new)
    return list(by_start.values())


def _bounded(body: Body) -> Body:
    """``body`` with no more charging periods than we keep: the newest ones, and what they add up to has a limit too."""
    if not body.get("charging_periods"):
        return body
    newest = sorted(periods(body), key=_spelled_start)[-MAX_PERIODS:]
    sizes = accumulate(len(str(period)) for period in reversed(newest))
    kept = sum(size <= MAX_PERIODS_CHARACTERS for size in sizes)
    return body if kept == len(body["charging_periods"]) else {**body, "charging_periods": newest[len(newest) - kept :]}


def _start(period: Body) -> Any:
    start = period.get("start_date_time")
    return _moment(start) or str(start)


def _newest(all_periods: list[Body]) -> Body:
    # Compared as text: one CPO writes all its DateTimes alike, and parsing hundreds would cost each push.
    return max(all_periods, key=_spelled_start, default={})


def _spelled_start(period: Body) -> str:
    return str(period.get("start_date_time"))


def _dimension(period: Body, *types: str) -> Decimal | None:
    known = [d for d in _dimensions(period) if isinstance(d.get("type"), str)]
    volumes = {d["type"]: _number(d.get("volume")) for d in known}
    return next((volumes[kind] for kind in types if volumes.get(kind) is not None), None)


def _dimensions(period: Body) -> list[Body]:
    dimensions = period.get("dimensions")
    return [d for d in dimensions if isinstance(d, dict)] if isinstance(dimensions, list) else []


def _price(price: Any) -> Decimal | None:
    """A Price incl. VAT where it says so, else excl. (§16.5); a bare number as 2.1.1 peers send it."""
    if not isinstance(price, dict):
        return _number(price)
    with_vat = _number(price.get("incl_vat"))
    return with_vat if with_vat is not None else _number(price.get("excl_vat"))


def _number(value: Any) -> Decimal | None:
    """A number of a session, as fine as it is stored; None for what is none, or more than any session has."""
    number = wire.decimal(value)
    if number is None or abs(number) >= _TOO_MUCH:
        return None
    exponent = number.as_tuple().exponent
    return round(number, _PLACES) if isinstance(exponent, int) and exponent < -_PLACES else number


def _numbers(body: Body, newest: Body) -> list[Any]:
    """All that the meter is read from, as it is said."""
    cost = body.get("total_cost")
    costs = [cost.get("excl_vat"), cost.get("incl_vat")] if isinstance(cost, dict) else [cost]
    return [body.get("kwh"), *costs, *(dimension.get("volume") for dimension in _dimensions(newest))]


def _moment(value: Any) -> datetime | None:
    try:
        return wire.parse_datetime(value)
    except ValueError:
        return None
