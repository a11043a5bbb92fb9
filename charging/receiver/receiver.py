"""``Receiver``: the one way in for whatever a CPO says about a session, pushed or pulled."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from charging import tracing
from charging.errors import UnusableMessage
from charging.group_commit import GroupCommit
from charging.log_lines import about_session
from charging.ocpi import wire
from charging.ocpi.models import ActiveChargingProfile, Cdr, DisplayText
from charging.ocpi.versions import dialect
from charging.receiver.cdr_matching import hand_over
from charging.receiver.pushes import Outcome, Push, store_pushes
from charging.session.drift import limited
from charging.session.plan_rules import active_watts
from charging.settings import Settings
from charging.store.connections import Connection
from charging.store.cpo_sessions import SessionKey, ask_for_unseen, read_cpo_session
from charging.store.engine import Database
from charging.store.events import add_event
from charging.store.inbox import Kind, add_message
from charging.store.received_cdrs import (
    IncomingCdr,
    KeptCdr,
    add_cdr,
    find_cdr,
    hold_session,
    match_cdr,
    read_cdr,
    session_of,
)
from charging.store.reservations import take_result
from charging.store.results import PlannedSession, SentCommand, keep_result, sent_command, session_of_profile

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoredCdr:
    """A CDR that is stored. ``created``: by this message. ``differs``: the stored one says something else."""

    public_id: str
    created: bool
    differs: bool = False


class Receiver:
    """Stores what CPOs push: when a method returns, it is durable and may be acknowledged.

    All raise ``UnusableMessage`` (OCPI 2001) or ``StoreUnavailable`` (nothing was stored). ``connection`` is the
    authenticated peer; it can touch only what is its own. Bodies are as OCPI 2.2.1 has them.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._silence = timedelta(seconds=settings.silence_s)
        self._pushes: GroupCommit[Push, Outcome | UnusableMessage] = GroupCommit(self._store_pushes)
        self.on_commit: Callable[[], None] = lambda: None  # the inbox of this process: ``Inbox.kick``

    async def put_session(
        self, connection: Connection, country_code: str, party_id: str, session_id: str, body: dict[str, Any]
    ) -> Outcome:
        """PUT of a Session (OCPI 2.2.1 §9.2.2.2). UNKNOWN: the party is not the peer's own."""
        return await self._push("PUT", connection, country_code, party_id, session_id, body)

    async def patch_session(
        self, connection: Connection, country_code: str, party_id: str, session_id: str, body: dict[str, Any]
    ) -> Outcome:
        """PATCH of a Session (§9.2.2.3). UNKNOWN: the party is not the peer's own, or there is no such Session."""
        return await self._push("PATCH", connection, country_code, party_id, session_id, body)

    async def session_object(self, connection: Connection, body: dict[str, Any]) -> Outcome:
        """A Session from the CPO's own list; the same as a PUT of it. UNUSABLE: nothing could be done with it."""
        country_code, party_id, session_id = (str(body.get(field)) for field in ("country_code", "party_id", "id"))
        try:
            return await self._push("PUT", connection, country_code, party_id, session_id, body)
        except UnusableMessage as error:
            logger.warning("unusable Session in a list", extra={"connection_id": connection.id, "problem": str(error)})
        except (ValueError, ArithmeticError):
            # A defect of ours; whoever reads the list goes on.
            logger.exception("a Session in a list cannot be stored", extra={"connection_id": connection.id})
        return Outcome.UNUSABLE

    async def get_session(
        self, connection: Connection, country_code: str, party_id: str, session_id: str
    ) -> dict[str, Any] | None:
        """The Session as we have it (§9.2.2.1), or None."""
        async with self._database.read() as store:
            stored = await read_cpo_session(store, _key(connection, country_code, party_id, session_id))
        return stored.body if stored else None

    async def command_result(self, connection: Connection, kind: str, command_id: str, body: dict[str, Any]) -> bool:
        """The result of a command or charging profile (§13.2.2.1, §14.2.2.1). False: this peer has no such command.

        May come before the command's own response, again, or years later; the first one counts.
        """
        async with self._database.read() as store:
            command = await sent_command(store, connection.id, kind, command_id)
        if command is None:
            return False
        if command.session_id is not None:
            about_session(command.session_id)
        if not isinstance(body.get("result"), str):
            raise UnusableMessage("missing: result")
        async with self._database.write() as store:
            await self._store_result(store, kind, command_id, command, body)
        self.on_commit()
        return True

    async def cdr(self, connection: Connection, raw: bytes, body: dict[str, Any], version: str) -> StoredCdr:
        """POST of a CDR (§10.2.2.2): stored once. The same again is acknowledged; another one of that id is not.

        ``raw`` is what came, in OCPI ``version``.
        """
        return await self._cdr(_incoming_cdr(connection, raw, body, version))

    async def cdr_object(self, connection: Connection, body: dict[str, Any]) -> StoredCdr | None:
        """A CDR from the CPO's own list, as received; the same as a POST of it. None: it cannot be used."""
        spoken = dialect(connection.version)
        try:
            read = spoken.read("cdr", body, connection.party)
            return await self._cdr(_incoming_cdr(connection, wire.dumps(body), read, spoken.version))
        except UnusableMessage as error:
            logger.warning("unusable CDR in a list", extra={"connection_id": connection.id, "problem": str(error)})
        except (ValueError, ArithmeticError):
            logger.exception("a CDR in a list cannot be stored", extra={"connection_id": connection.id})
        return None

    async def get_cdr(self, connection: Connection, public_id: str, version: str) -> Any:
        """The CDR at the URL that its POST was answered with (§10.2.2.1), or None. As received, if in ``version``."""
        async with self._database.read() as store:
            kept = await read_cdr(store, connection.id, public_id)
        if kept is None:
            return None
        return wire.loads(kept.raw) if kept.version == version else dialect(version).write("cdr", kept.body)

    async def active_profile(self, connection: Connection, ocpi_session_id: str, body: dict[str, Any]) -> bool:
        """PUT of an ActiveChargingProfile (§14.2.2.2), kept as an event. False: this peer has no such Session.

        The workflow hears of one that gives less than the plan in force, or again as much.
        """
        now = datetime.now(UTC)
        async with self._database.write() as store:
            planned = await session_of_profile(store, connection.id, ocpi_session_id)
            if planned is None:
                return False
            about_session(planned.session_id)
            await add_event(store, planned.session_id, "active_profile", body, now)
            if _changes_plan(planned, body, now):
                payload = {"command": "ACTIVE_PROFILE", "result": "ACCEPTED", **_active_limit(body, now)}
                trace = tracing.traceparent()
                await add_message(store, planned.session_id, Kind.COMMAND_RESULT, payload, now, traceparent=trace)
        self.on_commit()
        return True

    # --- Sessions ---

    async def _push(
        self,
        method: Literal["PUT", "PATCH"],
        connection: Connection,
        country_code: str,
        party_id: str,
        session_id: str,
        body: dict[str, Any],
    ) -> Outcome:
        if not connection.owns(country_code, party_id):
            return Outcome.UNKNOWN
        key = _key(connection, country_code, party_id, session_id)
        _check_identity(connection, key, body)
        if method == "PUT":
            body = {"id": session_id, **body}
        outcome = await self._pushes.submit(Push(method, key, body, datetime.now(UTC)))
        if isinstance(outcome, UnusableMessage):
            raise outcome
        return outcome

    async def _store_pushes(self, pushes: Sequence[Push]) -> list[Outcome | UnusableMessage]:
        try:
            outcomes, has_mail = await self._write_pushes(pushes)
        except IntegrityError:
            # Another process has stored the same new Session since we looked: now it is there to be updated.
            outcomes, has_mail = await self._write_pushes(pushes)
        if has_mail:
            self.on_commit()
        await self._ask_for_unseen(pushes, outcomes)
        return outcomes

    async def _ask_for_unseen(self, pushes: Sequence[Push], outcomes: Sequence[Outcome | UnusableMessage]) -> None:
        """A PATCH of a Session that we do not know: somebody asks for the list."""
        told = zip(pushes, outcomes, strict=True)
        for connection_id in sorted({push.key.connection_id for push, outcome in told if outcome is Outcome.UNKNOWN}):
            # By itself: within a batch that holds rows of its own, two processes would wait for each other.
            async with self._database.write() as store:
                await ask_for_unseen(store, connection_id, datetime.now(UTC))

    async def _write_pushes(self, pushes: Sequence[Push]) -> tuple[list[Outcome | UnusableMessage], bool]:
        async with self._database.write() as store:
            return await store_pushes(store, pushes, self._silence)

    # --- Results ---

    async def _store_result(
        self, store: AsyncConnection, kind: str, command_id: str, command: SentCommand, body: dict[str, Any]
    ) -> None:
        now = datetime.now(UTC)
        is_first = await keep_result(store, command_id, body, now)
        if command.reservation_id is not None:
            # Not the first one alone: a CPO cancels a reservation on the response_url of its RESERVE_NOW (§13.3.1).
            await take_result(store, command.reservation_id, kind, body["result"], now)
        if command.session_id is None or not is_first:
            return
        payload = {"command": kind, "command_id": command_id, "result": body["result"], "detail": _words(body)}
        if kind == "ACTIVE_PROFILE":
            payload |= _active_limit(body.get("profile"), now)
        trace = tracing.traceparent()
        await add_message(store, command.session_id, Kind.COMMAND_RESULT, payload, now, traceparent=trace)

    # --- CDRs ---

    async def _cdr(self, cdr: IncomingCdr) -> StoredCdr:
        try:
            stored = await self._store_cdr(cdr)
        except IntegrityError:
            stored = await self._store_cdr(cdr)  # the same CDR came twice at once; the other one was first
        self.on_commit()
        return stored

    async def _store_cdr(self, cdr: IncomingCdr) -> StoredCdr:
        now = datetime.now(UTC)
        async with self._database.write() as store:
            known = await find_cdr(store, cdr)
            if known is not None:
                return await _repeated(store, known, cdr, now)
            session_id = await session_of(store, cdr)
            kept = await add_cdr(store, cdr, session_id, now)
            if session_id is not None:
                await hand_over(store, session_id, kept.public_id, now, tracing.traceparent())
        return StoredCdr(kept.public_id, created=True)


async def _repeated(store: AsyncConnection, known: KeptCdr, cdr: IncomingCdr, now: datetime) -> StoredCdr:
    """A CDR never changes (§10.3.1): the first one stays, and one that differs is for people to look at."""
    if known.session_id is None and (session_id := await session_of(store, cdr)) is not None:
        await match_cdr(store, known.public_id, session_id)
        await hand_over(store, session_id, known.public_id, now, tracing.traceparent())
    differs = _differ(known, cdr)
    if differs and known.session_id is not None:
        await hold_session(store, known.session_id)
        await add_event(store, known.session_id, "cdr_differs", {"cdr_id": cdr.body["id"]}, now)
    return StoredCdr(known.public_id, created=False, differs=differs)


def _differ(known: KeptCdr, cdr: IncomingCdr) -> bool:
    if known.version == cdr.version:
        return bool(wire.loads(known.raw) != wire.loads(cdr.raw))  # exact numbers; spelling and order do not matter
    # A peer that has moved to another version: what both can say is what is billed.
    return _billed(known.body) != _billed(cdr.body)


def _billed(body: dict[str, Any]) -> tuple[Any, ...]:
    cdr = Cdr.model_validate(body)
    return cdr.currency, cdr.total_energy, cdr.total_cost.excl_vat


def _incoming_cdr(connection: Connection, raw: bytes, body: dict[str, Any], version: str) -> IncomingCdr:
    try:
        cdr = Cdr.model_validate(body)
    except ValidationError as error:
        fields = sorted({str(problem["loc"][0]) for problem in error.errors() if problem["loc"]})
        raise UnusableMessage(f"missing or unusable: {', '.join(fields)}") from None
    if not connection.owns(cdr.country_code, cdr.party_id):
        raise UnusableMessage("not a CDR of this peer")
    if not 1 <= len(wire.fold(cdr.id)) <= wire.MAX_ID:
        raise UnusableMessage(f"a CDR.id has 1 to {wire.MAX_ID} characters")
    owner = (wire.fold(cdr.country_code), wire.fold(cdr.party_id))
    return IncomingCdr(connection.id, *owner, raw.decode("utf-8-sig"), {**body, "id": cdr.id}, version)


def _key(connection: Connection, country_code: str, party_id: str, session_id: str) -> SessionKey:
    return SessionKey(connection.id, wire.fold(country_code), wire.fold(party_id), wire.fold(session_id))


def _check_identity(connection: Connection, key: SessionKey, body: dict[str, Any]) -> None:
    """What the body says about who it is must fit the URL (OCPI 2.2.1 §9.2.2.2)."""
    if not 1 <= len(key.id) <= wire.MAX_ID:
        raise UnusableMessage(f"a Session.id has 1 to {wire.MAX_ID} characters")
    if "id" in body and not (isinstance(body["id"], str) and wire.fold(body["id"]) == wire.fold(key.id)):
        raise UnusableMessage("id is not the one in the URL")
    country_code, party_id = body.get("country_code", key.country_code), body.get("party_id", key.party_id)
    if not (isinstance(country_code, str) and isinstance(party_id, str) and connection.owns(country_code, party_id)):
        raise UnusableMessage("not a Session of this peer")


def _changes_plan(planned: PlannedSession, active: dict[str, Any], now: datetime) -> bool:
    told = _active_limit(active, now)
    if planned.plan is None or not told:
        return False
    watts = active_watts(planned.spec, Decimal(told["active_limit"]), told["active_unit"])
    return limited(planned.plan, watts, now) is not None


def _active_limit(active: Any, now: datetime) -> dict[str, Any]:
    """What an ActiveChargingProfile (§14.4.1) allows now; nothing where it cannot be read."""
    try:
        read = ActiveChargingProfile.model_validate(active)
    except ValidationError:
        return {}
    profile, started_at = read.charging_profile, read.charging_profile.start_date_time or read.start_date_time
    if not profile.charging_profile_period:
        return {}
    first, *later = profile.charging_profile_period
    elapsed_s = (now - started_at).total_seconds()  # compared in seconds: no date is as far away as a CPO can write
    begun = [period for period in later if period.start_period <= elapsed_s]
    return {"active_limit": str((begun or [first])[-1].limit), "active_unit": profile.charging_rate_unit}


def _words(body: dict[str, Any]) -> str | None:
    """The first DisplayText of a CommandResult, for people."""
    message = body.get("message")
    first = message[0] if isinstance(message, list) and message else message
    try:
        return None if first is None else DisplayText.model_validate(first).text[:512]
    except ValidationError:
        return None
