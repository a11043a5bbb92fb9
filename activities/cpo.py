"""``CpoActivities``: the CPO, as the workflow of a session uses it, over OCPI.

START_SESSION is sent at most once unless it provably never left: the command's row in the store says ``sending``
before the first byte goes out, and whoever finds it ``sending`` later answers "unknown" instead of sending again.
Everything else here is safe to repeat.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict
from temporalio import activity

from activities.heartbeats import heartbeats
from charging.errors import PeerError, PeerNotReached, PeerOutcomeUnknown, PeerRefused
from charging.ocpi.client import CpoClient
from charging.ocpi.models import (
    ChargingPreferences,
    ChargingProfile,
    ChargingProfilePeriod,
    ChargingProfileResponse,
    SetChargingProfile,
    StartSession,
    StopSession,
)
from charging.ocpi.our_urls import module_url
from charging.ocpi.peers import Peers
from charging.ocpi.wire import Party
from charging.planning.sending import Conversion, Sending, Station, sending
from charging.receiver import Receiver
from charging.session.answers import ProfileSent, StartAnswer, StopAnswer
from charging.session.model import Meter, SessionSpec, StartOutcome
from charging.session.preferences import Preferences
from charging.session.profile import ChargingPlan
from charging.store.commands import CommandStore, PreparedStart
from charging.store.connections import Connection
from charging.store.decisions import DecisionStore
from charging.store.evse_turns import EvseTurns, turn_of

ASK_AHEAD_S = 60  # of the active profile only what holds now matters

# How far behind a session's beginning its CPO is asked: clocks differ by minutes.
CLOCK_SKEW = timedelta(minutes=30)


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True)


class CpoCommand(_Input):
    """What every command about a running Session carries: which Session, at which CPO, in which session of ours.

    ``command_id`` is the unguessable end of its ``response_url``.
    """

    session_id: str
    connection_id: str
    ocpi_session_id: str
    command_id: str


class SendProfile(CpoCommand):
    """A plan to be set as ChargingProfile from ``now`` on, in W or in A per phase (``voltage`` V, line to neutral)."""

    plan: ChargingPlan
    now: datetime
    max_power_kw: Decimal
    rate_unit: Literal["W", "A"]
    phases: int
    voltage: int


class SendPreferences(CpoCommand):
    """What the CPO is told where it plans by itself."""

    preferences: Preferences


class CpoActivities:
    """Commands, charging profiles and lists at CPOs."""

    def __init__(
        self,
        commands: CommandStore,
        decisions: DecisionStore,
        turns: EvseTurns,
        peers: Peers,
        receiver: Receiver,
        public_url: str,
    ) -> None:
        self._commands = commands
        self._decisions = decisions
        self._turns = turns
        self._peers = peers
        self._receiver = receiver
        self._public_url = public_url.rstrip("/")

    @activity.defn
    async def start_session(self, session_id: str) -> StartAnswer:
        """Send the one START_SESSION (OCPI 2.2.1 §13.2.1). Raises ``PeerNotReached`` where nothing left: retry."""
        async with heartbeats():
            return await self._start_once(session_id)

    async def _start_once(self, session_id: str) -> StartAnswer:
        start = await self._commands.start_of(session_id)
        if told := _told_before(start):
            return told
        # All that can fail without having sent comes first: what fails between may have been sent.
        client = await self._peers.client(start.connection_id, start.party)
        command = self._start_command(client, start)
        start = await self._commands.begin_start(session_id)
        if told := _told_before(start):
            return told
        try:
            answer = await _send_start(client, command)
        except PeerNotReached as error:
            await self._commands.not_sent(start)
            # Temporal knows an error by its class; the workflow knows this one, whatever kind of it this was.
            raise PeerNotReached(str(error)) from error
        await self._commands.started(start, answer)
        return answer

    def _start_command(self, client: CpoClient, start: PreparedStart) -> StartSession:
        return StartSession.model_validate(
            {
                "response_url": self._command_url(client, "START_SESSION", start.command_id),
                "token": start.token,
                "location_id": start.location_id,
                "evse_uid": start.evse_uid,
                "connector_id": start.connector_id,
                "authorization_reference": start.authorization_reference,
            }
        )

    @activity.defn
    async def stop_session(self, command: CpoCommand) -> StopAnswer:
        """Send STOP_SESSION (OCPI 2.2.1 §13.2.1): safe to repeat. No usable answer is an answer without a verdict."""
        async with heartbeats():
            return await self._stop(command)

    async def _stop(self, command: CpoCommand) -> StopAnswer:
        await self._commands.note(command.command_id, command.session_id, command.connection_id, "STOP_SESSION")
        try:
            spec = await self._commands.spec_of(command.session_id)
            async with self._turns.turn(turn_of(spec), goes_anyway=True):
                client = await self._client(command.connection_id, spec)
                url = self._command_url(client, "STOP_SESSION", command.command_id)
                response = await client.stop_session(StopSession(response_url=url, session_id=command.ocpi_session_id))
        except PeerRefused as error:
            return StopAnswer(refused=True, detail=str(error))
        except PeerError as error:
            return StopAnswer(detail=str(error))
        await self._commands.responded(command.command_id, response)
        accepted = response.result == "ACCEPTED"
        return StopAnswer(accepted=accepted, refused=not accepted, detail=f"CommandResponse {response.result}")

    @activity.defn
    async def set_charging_profile(self, command: SendProfile) -> ProfileSent:
        """PUT the plan as a ChargingProfile (OCPI 2.2.1 §14.2.1): it replaces the one before, so it may repeat.

        It is cut to what this CPO takes; the answer says when the rest must follow.
        """
        cut: Sending | None = None

        async def put(client: CpoClient, response_url: str) -> ChargingProfileResponse:
            nonlocal cut
            cut = sending(command.plan, _station(command, client.connection), command.now)
            body = SetChargingProfile(charging_profile=_charging_profile(command, cut), response_url=response_url)
            return await client.set_charging_profile(command.ocpi_session_id, body)

        sent = await self._profile_call("SET_PROFILE", command, put)
        return sent if cut is None else sent.model_copy(update=cut.model_dump(include={"limit_w", "send_again_at"}))

    @activity.defn
    async def set_charging_preferences(self, command: SendPreferences) -> ProfileSent:
        """PUT what the driver wants (OCPI 2.2.1 §9.2.1.2): the last one counts, so it may repeat. No result follows."""
        try:
            async with heartbeats():
                client = await self._client(command.connection_id, await self._commands.spec_of(command.session_id))
                body = ChargingPreferences.model_validate(command.preferences.model_dump())
                result = await client.set_charging_preferences(command.ocpi_session_id, body)
        except PeerRefused as error:
            result = f"HTTP {error.http_status}"
        except PeerError:
            result = "UNREACHABLE"
        return ProfileSent(command_id=command.command_id, result=result)

    @activity.defn
    async def clear_charging_profile(self, command: CpoCommand) -> ProfileSent:
        """DELETE the ChargingProfile (OCPI 2.2.1 §14.2.1): full speed again."""

        async def delete(client: CpoClient, response_url: str) -> ChargingProfileResponse:
            return await client.clear_charging_profile(command.ocpi_session_id, response_url)

        return await self._profile_call("CLEAR_PROFILE", command, delete)

    @activity.defn
    async def ask_active_profile(self, command: CpoCommand) -> ProfileSent:
        """GET the ActiveChargingProfile (OCPI 2.2.1 §14.2.1); it comes as an asynchronous result."""

        async def get(client: CpoClient, response_url: str) -> ChargingProfileResponse:
            return await client.active_charging_profile(command.ocpi_session_id, ASK_AHEAD_S, response_url)

        return await self._profile_call("ACTIVE_PROFILE", command, get)

    async def _profile_call(
        self, kind: str, command: CpoCommand, call: Callable[[CpoClient, str], Awaitable[ChargingProfileResponse]]
    ) -> ProfileSent:
        async with heartbeats():
            await self._commands.note(command.command_id, command.session_id, command.connection_id, kind)
            try:
                client = await self._client(command.connection_id, await self._commands.spec_of(command.session_id))
                response = await call(client, self._profile_url(client, kind, command.command_id))
            except PeerRefused as error:
                return ProfileSent(command_id=command.command_id, result=f"HTTP {error.http_status}")
            except PeerError:
                return ProfileSent(command_id=command.command_id, result="UNREACHABLE")
            await self._commands.responded(command.command_id, response)
            return ProfileSent(command_id=command.command_id, result=response.result)

    @activity.defn
    async def list_sessions(self, session_id: str) -> Meter:
        """List the CPO's sessions since this one began and take each like a push; answers the stored meter then."""
        async with heartbeats():
            connection, since = await self._commands.connection_of(session_id)
            client = await self._peers.client(connection.id)
            async for body in client.sessions(date_from=since - CLOCK_SKEW):
                await self._receiver.session_object(connection, body)
            return await self._decisions.meter(session_id)

    async def _client(self, connection_id: str, spec: SessionSpec) -> CpoClient:
        return await self._peers.client(connection_id, Party(spec.country_code, spec.party_id))

    def _command_url(self, client: CpoClient, command: str, command_id: str) -> str:
        return module_url(self._public_url, client.version, "commands", command, command_id)

    def _profile_url(self, client: CpoClient, kind: str, command_id: str) -> str:
        return module_url(self._public_url, client.version, "chargingprofiles", kind, command_id)


def _told_before(start: PreparedStart) -> StartAnswer | None:
    """What an earlier attempt got before its worker died, or that it may have sent; None: nothing has left."""
    if start.was_sending:
        return StartAnswer(outcome=StartOutcome.UNKNOWN, detail="START_SESSION may have been sent before a crash.")
    return start.answer


async def _send_start(client: CpoClient, command: StartSession) -> StartAnswer:
    try:
        response = await client.start_session(command)
    except PeerOutcomeUnknown as error:
        return StartAnswer(outcome=StartOutcome.UNKNOWN, detail=str(error))
    except PeerRefused as error:
        return _start_refused(error)
    if response.result == "ACCEPTED":
        return StartAnswer(outcome=StartOutcome.UNDERSTOOD, detail="The CPO understood START_SESSION.")
    return StartAnswer(
        outcome=StartOutcome.REFUSED,
        code="not_supported" if response.result == "NOT_SUPPORTED" else "cpo_rejected",
        detail=f"The CPO answered {response.result} to START_SESSION.",
        retryable=response.result == "REJECTED",
    )


def _start_refused(error: PeerRefused) -> StartAnswer:
    code = "cpo_unavailable" if error.http_status in (401, 403) else "cpo_rejected"
    return StartAnswer(outcome=StartOutcome.REFUSED, code=code, detail=str(error), retryable=False)


def _station(command: SendProfile, connection: Connection) -> Station:
    return Station(
        conversion=Conversion(unit=command.rate_unit, phases=command.phases, voltage=command.voltage),
        max_power_kw=command.max_power_kw,
        max_periods=connection.max_profile_periods,
        hold_minimum=connection.hold_minimum,
    )


def _charging_profile(command: SendProfile, cut: Sending) -> ChargingProfile:
    return ChargingProfile(
        start_date_time=cut.start_date_time,
        charging_rate_unit=command.rate_unit,
        min_charging_rate=cut.min_charging_rate,
        charging_profile_period=[
            ChargingProfilePeriod(start_period=p.start_period, limit=p.limit) for p in cut.periods
        ],
    )
