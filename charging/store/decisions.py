"""The workflow's columns of a session: its decisions, with events and profile answers, in one transaction."""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    Column,
    Integer,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from charging.ocpi.wire import dumps, fold
from charging.session.answers import Publication
from charging.session.events import EventType
from charging.session.model import Meter, ProfileAnswer, Status, TimelineEntry
from charging.session.profile import PlanRecord
from charging.session.rules import ahead
from charging.store.engine import Database
from charging.store.meter_row import METER_COLUMNS, meter_of_values
from charging.store.quick import QuickRead, QuickWrite, write_at_once
from charging.store.tables import events, evse_claims, ocpi_sessions, plan_revisions, profile_requests, sessions


def _new(column: Column[Any]) -> BindParameter[Any]:
    # Prefixed: the bare names are SQLAlchemy's own for the columns of an UPDATE.
    return bindparam(f"new_{column.name}", type_=column.type)


_OF_SESSION: Final = sessions.c.id == bindparam("of")
_METER: Final = select(*METER_COLUMNS).where(_OF_SESSION)
_ADMISSION: Final = select(sessions.c.admission).where(_OF_SESSION)
_ADMIT: Final = update(sessions).where(_OF_SESSION, sessions.c.admission == "accepted").values(admission="running")
_FREE_EVSE: Final = delete(evse_claims).where(evse_claims.c.session_id == bindparam("of"))
_ORDER: Final = (sessions.c.decided_run, sessions.c.decided_length, sessions.c.decided_n)
_DECIDED: Final = (
    "status phase reason start_outcome stop_sent_at stop_accepted_at closed_at watch_until wake_kwh wake_cost profile "
    "ended_at decided_run decided_length decided_n updated_at"
).split()
_TOLD: Final = ("status", "phase", "reason", "ended_at")
# What was told stays true. A workflow task that dies after it has published is run again, and knows nothing of what it
# told: with other messages beside it, it may come to a step that it had left behind.
_AHEAD: Final = case({status.value: len(ahead(status)) for status in Status}, value=sessions.c.status)
_IS_AHEAD: Final = _AHEAD > bindparam("new_ahead", type_=Integer)
_IS_LIVE_STILL: Final = and_(sessions.c.status == _new(sessions.c.status), _AHEAD > 0)
_MAY_FOLLOW: Final = or_(_IS_AHEAD, _IS_LIVE_STILL)
# Changes nothing; whoever has the row gives the session's next events their numbers.
_TAKE: Final = update(sessions).where(_OF_SESSION).values(revision=sessions.c.revision)
_DECIDE: Final = (
    update(sessions)
    .where(_OF_SESSION, tuple_(*_ORDER) < tuple_(*(_new(column) for column in _ORDER)))
    .values({name: _new(sessions.c[name]) for name in _DECIDED if name not in _TOLD})
    .values({name: case((_MAY_FOLLOW, _new(sessions.c[name])), else_=sessions.c[name]) for name in _TOLD})
    .values(revision=sessions.c.revision + 1)
)
_ANSWER: Final = (
    update(profile_requests)
    .where(profile_requests.c.id == bindparam("request_id"), profile_requests.c.state == "open")
    .values({name: _new(profile_requests.c[name]) for name in ("state", "result", "answered_at")})
)


def _append(database: Database) -> QuickWrite:
    """Append an event under the session's next number, unless one of its id is there, or it tells of a status that
    cannot follow what was told (``new_status``; None: it tells of none).
    """
    make: Any = sqlite.insert if database.is_sqlite else postgresql.insert
    last = select(func.coalesce(func.max(events.c.seq), 0)).where(events.c.session_id == bindparam("of"))
    new = {name: _new(events.c[name]) for name in ("id", "type", "data", "at")}
    row = select(sessions.c.id, last.scalar_subquery() + 1, *new.values())
    row = row.where(_OF_SESSION, or_(_new(sessions.c.status).is_(None), _MAY_FOLLOW))
    statement = make(events).from_select(["session_id", "seq", *new], row, include_defaults=False)
    return QuickWrite(database, statement.on_conflict_do_nothing(index_elements=["id"]))


def _keep_plan(database: Database) -> QuickWrite:
    """Write a revision of the plan; one that is there becomes what the newest publication says."""
    make: Any = sqlite.insert if database.is_sqlite else postgresql.insert
    names = ("made_at", "cause", "state", "plan")
    of = bindparam("of", type_=plan_revisions.c.session_id.type)
    new = {name: _new(plan_revisions.c[name]) for name in ("revision", *names)}
    statement = make(plan_revisions).values(session_id=of, **new)
    order = zip(_ORDER, (_new(column) for column in _ORDER), strict=True)
    is_newest = exists().where(and_(sessions.c.id == of, *(column == told for column, told in order)))
    changed = {name: statement.excluded[name] for name in names}
    keys = ["session_id", "revision"]
    return QuickWrite(database, statement.on_conflict_do_update(index_elements=keys, set_=changed, where=is_newest))


class DecisionStore:
    """What the workflow writes, and the one thing that it reads: the meter."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._meter = QuickRead(database, _METER)
        self._admission = QuickRead(database, _ADMISSION)
        self._admit = QuickWrite(database, _ADMIT)
        self._take = QuickWrite(database, _TAKE)
        self._decide = QuickWrite(database, _DECIDE)
        self._decide_and_ask = QuickWrite(database, _DECIDE.values(poll_at=_new(sessions.c.updated_at)))
        self._append = _append(database)
        self._keep_plan = _keep_plan(database)
        self._answer = QuickWrite(database, _ANSWER)
        self._free_evse = QuickWrite(database, _FREE_EVSE)

    async def admit(self, session_id: str) -> bool:
        """Turn ``accepted`` into ``running``, once; True also when it runs already, False when it was abandoned."""
        await write_at_once(self._database, [self._admit.of({"of": session_id})])
        return await self._admission.one(of=session_id) == ["running"]

    async def publish(self, publication: Publication) -> None:
        """Write the decisions unless newer ones are stored; events and answers are written once, whatever the order.

        A status that cannot follow the stored one is not written, nor is its event.
        """
        now = datetime.now(UTC)
        decide = self._decide_and_ask if publication.ask_cpo else self._decide
        statements = [self._take.of({"of": publication.session_id})]
        # Events before decisions: they are held against what stood before.
        statements += [self._append.of(_event(publication, entry)) for entry in publication.entries]
        statements += [decide.of(_decisions(publication, now))]
        statements += [self._keep_plan.of(_revision(publication, record)) for record in publication.plans]
        statements += [self._answer.of(_answered(answer, now)) for answer in publication.answers]
        if publication.closed_at:
            statements.append(self._free_evse.of({"of": publication.session_id}))
        await write_at_once(self._database, statements)

    async def meter(self, session_id: str) -> Meter:
        """The stored meter."""
        values = await self._meter.one(of=session_id)
        if values is None:
            raise LookupError(f"no session {session_id}")
        return meter_of_values(values)

    async def ocpi_session_is_over(self, session_id: str, connection_id: str, ocpi_session_id: str) -> bool:
        """Whether the CPO's Session is COMPLETED or INVALID in the store."""
        query = select(ocpi_sessions.c.status).where(
            ocpi_sessions.c.connection_id == connection_id,
            ocpi_sessions.c.id == fold(ocpi_session_id),
            # Behind a hub another party may have a Session of the same id.
            ocpi_sessions.c.session_id == session_id,
        )
        async with self._database.read() as connection:
            statuses = (await connection.scalars(query)).all()
        return any(status in ("COMPLETED", "INVALID") for status in statuses)


def _decisions(publication: Publication, now: datetime) -> dict[str, Any]:
    values = {
        "status": publication.status,
        "phase": publication.phase,
        "reason": publication.reason.model_dump(mode="json") if publication.reason else None,
        "start_outcome": publication.start_outcome,
        "stop_sent_at": publication.stop_sent_at,
        "stop_accepted_at": publication.stop_accepted_at,
        "closed_at": publication.closed_at,
        "watch_until": publication.watch_until,
        "wake_kwh": publication.wake_kwh,
        "wake_cost": publication.wake_cost,
        "profile": publication.profile.model_dump(mode="json") if publication.profile else None,
        "ended_at": publication.ended_at,
        "decided_run": publication.run,
        "decided_length": publication.length,
        "decided_n": publication.n,
        "updated_at": now,
        "ahead": len(ahead(publication.status)),
    }
    return {"of": publication.session_id, **_prefixed(values.items())}


def _event(publication: Publication, entry: TimelineEntry) -> dict[str, Any]:
    data = entry.data or {"detail": entry.detail}
    # The id follows from the entry, so a repeat is known; not from its count alone: a workflow task that is run again
    # may have something else to tell under it.
    event_id = str(
        uuid.uuid5(uuid.UUID(publication.session_id), f"workflow/{entry.n}/{entry.type}/{dumps(data).decode()}")
    )
    says = Status(data["status"]) if entry.type == EventType.STATUS else None
    values = {"id": event_id, "type": entry.type, "data": data, "at": entry.at}
    values |= {"status": says, "ahead": len(ahead(says)) if says else None}
    return {"of": publication.session_id, **_prefixed(values.items())}


def _revision(publication: Publication, record: PlanRecord) -> dict[str, Any]:
    values = {
        "revision": record.plan.revision,
        "made_at": record.plan.starts_at,
        "cause": record.plan.cause,
        "state": record.state,
        "plan": record.plan.model_dump(mode="json"),
        "decided_run": publication.run,
        "decided_length": publication.length,
        "decided_n": publication.n,
    }
    return {"of": publication.session_id, **_prefixed(values.items())}


def _answered(answer: ProfileAnswer, now: datetime) -> dict[str, Any]:
    values = {"state": answer.state, "result": answer.result, "answered_at": now}
    return {"request_id": answer.request_id, **_prefixed(values.items())}


def _prefixed(values: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in values}
