"""What one batch of Session pushes does to the store: read what is there, apply each in turn, write the outcome.

A push never touches the meter of a session unless it comes over that session's own connection.
"""

import logging
from collections.abc import Iterable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from charging import tracing
from charging.errors import UnusableMessage
from charging.ocpi import session_object
from charging.ocpi.own_tokens import ONE_TIME
from charging.ocpi.wire import fold
from charging.receiver.cdr_matching import match_again
from charging.receiver.estimating import estimate_after
from charging.session.events import EventType, is_telling, meter_data
from charging.session.meter_points import is_point
from charging.session.metering import Anomaly, Reading, advance, has_missed_active
from charging.session.model import CpoStatus, Meter
from charging.session.wakes import WakeRow, wakes
from charging.store.cpo_sessions import (
    MeterChange,
    OwnSession,
    SessionKey,
    StoredSession,
    load_cpo_sessions,
    load_own_sessions,
    save_cpo_sessions,
    save_meters,
    save_points,
)
from charging.store.events import add_event
from charging.store.inbox import Kind, add_message, add_wakes

logger = logging.getLogger(__name__)


class Outcome(StrEnum):
    """What became of a push."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"  # the very same again
    IGNORED = "ignored"  # older than what is stored: acknowledged all the same
    UNKNOWN = "unknown"  # a PATCH of a Session that we do not have
    UNUSABLE = "unusable"  # of a list: left out, lists hold broken objects beside good ones


@dataclass(frozen=True)
class Push:
    """One PUT or PATCH of a Session, its owner already checked. ``context``: of the task that it came with."""

    method: Literal["PUT", "PATCH"]
    key: SessionKey
    body: dict[str, Any]
    received_at: datetime
    context: Context = field(default_factory=copy_context, compare=False)


@dataclass
class _Batch:
    """The rows that a batch of pushes concerns, as they stand after the pushes applied so far."""

    silence: timedelta
    stored: dict[SessionKey, StoredSession]
    own: dict[str, OwnSession]
    new: set[SessionKey] = field(default_factory=set)
    changed: set[SessionKey] = field(default_factory=set)
    meters: dict[str, MeterChange] = field(default_factory=dict)
    wakes: set[str] = field(default_factory=set)
    points: list[tuple[str, Meter]] = field(default_factory=list)
    parked: list[StoredSession] = field(default_factory=list)
    found: list[StoredSession] = field(default_factory=list)  # turned out to be ours just now
    events: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    traces: dict[str, str] = field(default_factory=dict)  # of sessions: the first traced push of each

    def apply(self, push: Push) -> Outcome:
        """Apply one push. Raises ``UnusableMessage`` and then leaves everything as it was."""
        before = self.stored.get(push.key)
        if before is None and push.method == "PATCH":
            return Outcome.UNKNOWN
        body = _merged(push, before)
        if body is None:
            return Outcome.IGNORED
        after = self._keep(push.key, before, body)
        if after.session_id is not None and (trace := tracing.traceparent()) is not None:
            self.traces.setdefault(after.session_id, trace)
        if after.session_id is not None and not after.parked:
            previous = session_object.reading(before.body) if before else None
            self._meter(self.own[after.session_id], after, previous, push)
        if before is None:
            return Outcome.CREATED
        return Outcome.UNCHANGED if after == before else Outcome.UPDATED

    def _keep(self, key: SessionKey, before: StoredSession | None, body: dict[str, Any]) -> StoredSession:
        if before is not None and before.session_id is not None:
            after = replace(before, body=body)
        else:
            after = self._matched(key, body)
        if before is None:
            self.new.add(key)
        elif after != before:
            self.changed.add(key)
        self.stored[key] = after
        return after

    def _matched(self, key: SessionKey, body: dict[str, Any]) -> StoredSession:
        own = self._own(key, body)
        if own is None:
            return StoredSession(key, None, False, body)
        first = own.meter.ocpi_session_id
        parked = first is not None and fold(first) != fold(key.id)
        session = StoredSession(key, own.id, parked, body)
        self.found.append(session)
        if parked:
            self._park(session, first)
        return session

    def _own(self, key: SessionKey, body: dict[str, Any]) -> OwnSession | None:
        """Ours, by ``authorization_reference``, else by the token."""
        reference, token = session_object.references(body)
        mine = [session for session in self.own.values() if session.connection_id == key.connection_id]
        by_reference = (session for session in mine if session.authorization_reference == reference)
        is_charge = not session_object.is_mere_reservation(body)
        named = mine if is_charge and token is not None else []
        one_time = (session for session in named if session.token_type == ONE_TIME and session.token_uid == token)
        stable = [session for session in named if token in (session.token_uid, session.token_contract)]
        return next(by_reference, None) or next(one_time, None) or _newest_start(stable, key, body)

    def _park(self, session: StoredSession, first: str | None) -> None:
        detail = {"ocpi_session_id": session.spelled_id, "first": first, "status": session.body["status"]}
        self.events.append((str(session.session_id), "second_session", detail))
        logger.error("second CPO Session for one start", extra={"session_id": session.session_id, **detail})
        status = session_object.reading(session.body).status
        if status is None or not status.is_final:
            self.parked.append(session)

    def _meter(self, own: OwnSession, session: StoredSession, previous: Reading | None, push: Push) -> None:
        reading, now = session_object.reading(session.body), push.received_at
        meter, anomalies = advance(own.meter, reading, own.spec, now)
        meter = meter.model_copy(update={"ocpi_session_id": own.meter.ocpi_session_id or session.spelled_id})
        if reading.status is CpoStatus.COMPLETED and _is_last_word(push, session):
            # A meter that was reset, or that leaps, says nothing at the end that its CDR should be held to.
            is_sane = reading.kwh is not None and reading.kwh > 0 and Anomaly.ENERGY_LEAPT not in anomalies
            meter = meter.model_copy(update={"final_kwh": reading.kwh if is_sane else meter.kwh})
        meter = meter.model_copy(update={"estimate": estimate_after(own, meter, now)})
        known = advance(own.meter, previous, own.spec, now)[1] if previous else set()
        for anomaly in sorted(anomalies - known):  # a CPO that keeps saying it is one event, not hundreds
            detail = {"anomaly": anomaly.value, "kwh": _text(reading.kwh), "kept_kwh": _text(meter.kwh)}
            self.events.append((own.id, "meter_anomaly", detail | {"cost": _text(reading.cost)}))
        if own.meter_read_until and own.meter_read_until > now and is_telling(own.meter, meter):
            self.events.append((own.id, EventType.METER, meter_data(meter, own.spec.currency)))
        limits = {"wake_kwh": own.wake_kwh, "wake_cost": own.wake_cost}
        if wakes(WakeRow(meter=own.meter, plan=own.plan, policy=own.spec.policy, **limits), meter):
            self.wakes.add(own.id)
        if own.plan is not None and is_point(own.meter, meter):
            self.points.append((own.id, meter))
        changed = meter.seq != own.meter.seq or (own.id in self.meters and self.meters[own.id].changed)
        self.meters[own.id] = MeterChange(own.id, meter, changed, self._poll_at(own, meter, now))
        self.own[own.id] = replace(own, meter=meter)

    def _poll_at(self, own: OwnSession, meter: Meter, now: datetime) -> datetime | None:
        """When to ask the CPO: when it has been silent for long. At once where it says less than it should.

        Pushes that go on saying so do not put the question off, nor hurry it: None leaves the date as it stands.
        """
        if not has_missed_active(meter):
            return now + self.silence
        if not has_missed_active(own.meter):
            return now
        return self.meters[own.id].poll_at if own.id in self.meters else None


async def store_pushes(
    connection: AsyncConnection, pushes: Sequence[Push], silence: timedelta
) -> tuple[list[Outcome | UnusableMessage], bool]:
    """Store ``pushes`` in order within the caller's transaction. One that is unusable leaves the others alone.

    Also whether the inbox has something to deliver once that is committed.
    """
    batch = await _load(connection, pushes, silence)
    # Each as if its own task did it, so that log lines and traces are those of its request.
    outcomes = [push.context.run(_applied, batch, push) for push in pushes]
    now = max(push.received_at for push in pushes)
    await _save(connection, batch, now)
    has_cdrs = await match_again(connection, batch.found, now, batch.traces)
    return outcomes, bool(batch.wakes or batch.parked or has_cdrs)


def _newest_start(sessions: Sequence[OwnSession], key: SessionKey, body: dict[str, Any]) -> OwnSession | None:
    """Of those that were started with one stable token, the newest that may have become this Session.

    A Session that names another reference is another one: of the same user, who held a card to the charger.
    """
    if session_object.references(body)[0] is not None:
        return None
    waiting = [
        session
        for session in sessions
        if session.token_type != ONE_TIME
        and session.meter.ocpi_session_id in (None, key.id)
        and session_object.may_be_at(body, session.spec.location_id, session.spec.evse_uid)
        and session_object.may_have_begun_after(body, session.spec.created_at)
    ]
    return max(waiting, key=lambda session: session.spec.created_at, default=None)


def _applied(batch: _Batch, push: Push) -> Outcome | UnusableMessage:
    try:
        return batch.apply(push)
    except UnusableMessage as error:
        return error


def _is_last_word(push: Push, session: StoredSession) -> bool:
    """Whether it says what energy stands now: a PATCH may leave it out, and an older push may give an older one."""
    return "kwh" in push.body and push.body["kwh"] == session.body.get("kwh")


def _merged(push: Push, before: StoredSession | None) -> dict[str, Any] | None:
    if push.method == "PUT":
        return session_object.put(before.body if before else None, push.body, push.received_at)
    assert before is not None  # noqa: S101 - apply() has turned it away
    return session_object.patch(before.body, push.body, push.received_at)


async def _load(connection: AsyncConnection, pushes: Sequence[Push], silence: timedelta) -> _Batch:
    stored = await load_cpo_sessions(connection, {push.key for push in pushes})
    matched = {session.session_id for session in stored.values() if session.session_id}
    unmatched = [push.body for push in pushes if not _is_matched(stored.get(push.key))]
    references, tokens = _references(unmatched)
    own = await load_own_sessions(connection, ids=matched, references=references, tokens=tokens)
    return _Batch(silence, stored, {session.id: session for session in own})


def _is_matched(session: StoredSession | None) -> bool:
    return session is not None and session.session_id is not None


def _references(bodies: Iterable[dict[str, Any]]) -> tuple[set[str], set[str]]:
    pairs = [session_object.references(body) for body in bodies]
    return {reference for reference, _ in pairs if reference}, {token for _, token in pairs if token}


async def _save(connection: AsyncConnection, batch: _Batch, now: datetime) -> None:
    new = [batch.stored[key] for key in sorted(batch.new)]
    changed = [batch.stored[key] for key in sorted(batch.changed - batch.new)]
    await save_cpo_sessions(connection, new, changed, now)
    await save_meters(connection, [batch.meters[key] for key in sorted(batch.meters)], now)
    await add_wakes(connection, batch.wakes, now, traces=batch.traces)
    await save_points(connection, batch.points)
    for session in batch.parked:
        payload = {"connection_id": session.key.connection_id, "ocpi_session_id": session.spelled_id}
        session_id = str(session.session_id)
        trace = batch.traces.get(session_id)
        await add_message(connection, session_id, Kind.PARKED, payload, now, traceparent=trace)
    for session_id, event_type, data in batch.events:
        await add_event(connection, session_id, event_type, data, now)


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)
