"""RESERVE_NOW, CANCEL_RESERVATION and UNLOCK_CONNECTOR (OCPI 2.2.1 §13.2.1): commands that need no session.

All are safe to repeat. At most one of them is under way at an EVSE.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from charging.errors import Problem
from charging.ocpi.client import CpoClient
from charging.ocpi.models import CancelReservation, CommandResponse, ReserveNow, UnlockConnector
from charging.ocpi.our_urls import module_url
from charging.ocpi.peers import Peers
from charging.settings import Settings
from charging.store.commands import CommandStore
from charging.store.evse_match import EvseMatch
from charging.store.evse_turns import HELD_FOR, turn_name
from charging.store.leases import LeaseStore
from charging.store.reservations import Reservation


class Commander:
    """Sends commands. Every method raises ``PeerError``'s three kinds, and ``Problem`` 409 ``command_in_flight``."""

    def __init__(self, commands: CommandStore, leases: LeaseStore, peers: Peers, settings: Settings) -> None:
        self._commands = commands
        self._leases = leases
        self._peers = peers
        self._settings = settings

    async def reserve(self, reservation: Reservation) -> CommandResponse:
        """RESERVE_NOW: the EVSE until the reservation expires."""
        async with self._alone(reservation.connection_id, reservation.location_id, reservation.evse_uid):
            command_id = await self._noted("RESERVE_NOW", reservation.connection_id, reservation.id)
            client = await self._peers.client(reservation.connection_id)
            body = {
                "response_url": self._url(client, "RESERVE_NOW", command_id),
                "token": reservation.token,
                "expiry_date": reservation.expires_at,
                "reservation_id": reservation.id,
                "location_id": reservation.location_id,
                "evse_uid": reservation.evse_uid,
                "authorization_reference": reservation.authorization_reference,
            }
            response = await client.reserve_now(ReserveNow.model_validate(body))
        await self._commands.responded(command_id, response)
        return response

    async def cancel(self, reservation: Reservation) -> CommandResponse:
        """CANCEL_RESERVATION."""
        async with self._alone(reservation.connection_id, reservation.location_id, reservation.evse_uid):
            command_id = await self._noted("CANCEL_RESERVATION", reservation.connection_id, reservation.id)
            client = await self._peers.client(reservation.connection_id)
            url = self._url(client, "CANCEL_RESERVATION", command_id)
            response = await client.cancel_reservation(
                CancelReservation(response_url=url, reservation_id=reservation.id)
            )
        await self._commands.responded(command_id, response)
        return response

    async def unlock(self, match: EvseMatch, connector_id: str) -> tuple[str, CommandResponse]:
        """UNLOCK_CONNECTOR; the command's id, under which its result comes, and the response."""
        async with self._alone(match.connection.id, match.location_id, match.evse_uid):
            command_id = await self._noted("UNLOCK_CONNECTOR", match.connection.id, None)
            client = self._peers.of(match.connection)
            command = UnlockConnector(
                response_url=self._url(client, "UNLOCK_CONNECTOR", command_id),
                location_id=match.location_id,
                evse_uid=match.evse_uid,
                connector_id=connector_id,
            )
            response = await client.unlock_connector(command)
        await self._commands.responded(command_id, response)
        return command_id, response

    async def _noted(self, command: str, connection_id: str, reservation_id: str | None) -> str:
        command_id = secrets.token_urlsafe(24)
        await self._commands.note(command_id, None, connection_id, command, reservation_id=reservation_id)
        return command_id

    def _url(self, client: CpoClient, command: str, command_id: str) -> str:
        return module_url(self._settings.public_url, client.version, "commands", command, command_id)

    @asynccontextmanager
    async def _alone(self, connection_id: str, location_id: str, evse_uid: str) -> AsyncIterator[None]:
        lease, now = turn_name(connection_id, location_id, evse_uid), datetime.now(UTC)
        if not await self._leases.take(lease, now=now, until=now + HELD_FOR):
            raise Problem(409, "command_in_flight", "Another command to this EVSE is under way.")
        try:
            yield
        finally:
            await self._leases.give_back(lease, datetime.now(UTC))
