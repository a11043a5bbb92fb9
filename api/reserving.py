"""From an order to a reservation, and back: stored first, then asked of the CPO."""

import hashlib
import json
import uuid
from datetime import UTC, datetime
from typing import Any

from api.auth import User
from api.problems import unavailable
from api.schemas import ReservationRequest
from api.services import Services
from api.starting import OUT_OF_SERVICE
from charging.errors import PeerError, PeerNotReached, PeerRefused, Problem
from charging.ocpi.commander import Commander
from charging.ocpi.own_tokens import one_time_token
from charging.ocpi.refresh import EvseRefresh
from charging.session.reservation import HOLDING, ReservationStatus
from charging.store.commands import CommandStore
from charging.store.evse_match import EvseMatch
from charging.store.leases import LeaseStore
from charging.store.reservations import Reservation, ReservationStore
from charging.store.user_tokens import UserTokenStore

_S = ReservationStatus


def build_commander(services: Services) -> Commander:
    """What sends commands, on top of ``services``."""
    commands = CommandStore(services.database, services.connections)
    return Commander(commands, LeaseStore(services.database), services.peers, services.settings)


class Reserver:
    """Makes and cancels reservations. One per process."""

    def __init__(self, services: Services, refresh: EvseRefresh) -> None:
        self._services = services
        self._store = ReservationStore(services.database)
        self._user_tokens = UserTokenStore(services.database)
        self._refresh = refresh
        self._commander = build_commander(services)

    async def reserve(self, user: User, order: ReservationRequest, key: str | None) -> Reservation:
        """The reservation of ``order``: a new one, or the one that ``key`` has made before.

        Raises ``Problem`` 404, 409, 422, or 503 where the CPO cannot be reached; then nothing is left behind.
        """
        digest = hashlib.sha256(json.dumps(order.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()
        repeated = await self._store.repeat_of(user.sub, key, digest) if key else None
        if repeated is not None:
            return repeated
        match = await self._refresh.find(order.evse_id)
        if match is None:
            raise Problem(404, "evse_not_found", "No connected network has this EVSE.")
        if match.status in OUT_OF_SERVICE:
            raise Problem(409, "evse_out_of_service", f"The EVSE is {match.status}.", evse_status=match.status)
        new = self._new(user, order, match, digest, await self._token(user, match))
        stored = await self._store.begin(new, key)
        if stored.id == new.id:
            await self._ask(stored)
        return await self._fresh(stored)

    async def _token(self, user: User, match: EvseMatch) -> dict[str, Any]:
        is_own = match.connection.start_token == "user"  # noqa: S105 - which one, not the token
        own = await self._user_tokens.of_user(user.sub) if is_own else None
        return own or one_time_token(self._services.settings, user.sub, datetime.now(UTC), user.contract_id)

    def _new(
        self, user: User, order: ReservationRequest, match: EvseMatch, digest: str, token: dict[str, Any]
    ) -> Reservation:
        return Reservation(
            id=str(uuid.uuid4()),
            user_id=user.sub,
            body_hash=digest,
            evse_id=order.evse_id,
            network=match.connection.network,
            connection_id=match.connection.id,
            country_code=match.country_code,
            party_id=match.party_id,
            location_id=match.location_id,
            evse_uid=match.evse_uid,
            authorization_reference=uuid.uuid4().hex.upper(),
            token=token,
            status=_S.PENDING,
            result=None,
            session_id=None,
            expires_at=order.expires_at,
            created_at=datetime.now(UTC),
        )

    async def _ask(self, reservation: Reservation) -> None:
        try:
            response = await self._commander.reserve(reservation)
        except (PeerNotReached, Problem) as error:
            await self._store.take_back(reservation.id)
            if isinstance(error, Problem):
                raise
            raise unavailable("The CPO cannot be reached.") from error
        except PeerRefused as error:
            await self._store.turn(reservation.id, {_S.PENDING}, _S.REJECTED, str(error)[:100])
        except PeerError:
            return  # the CPO may have it: its result will tell, or it is asked again (charging.unanswered)
        else:
            if response.result != "ACCEPTED":
                await self._store.turn(reservation.id, {_S.PENDING}, _S.REJECTED, response.result[:100])

    async def cancel(self, reservation: Reservation) -> Reservation:
        """Give it back. Repeatable; what is over stays as it is. Raises ``Problem`` 409 or 503: it is still held."""
        before = reservation.status_at(datetime.now(UTC))
        if before not in HOLDING:
            return reservation
        await self._store.turn(reservation.id, {_S.PENDING, _S.RESERVED}, _S.CANCELLING)
        try:
            response = await self._commander.cancel(reservation)
            refusal = None if response.result == "ACCEPTED" else response.result
        except PeerRefused as error:
            refusal = str(error)
        except (PeerError, Problem) as error:
            await self._store.turn(reservation.id, {_S.CANCELLING}, before)
            if isinstance(error, Problem):
                raise
            raise unavailable("The CPO does not answer.") from error
        if refusal is not None:
            await self._store.turn(reservation.id, {_S.CANCELLING}, before, refusal[:100])
            raise Problem(409, "cancel_rejected", "The CPO does not cancel the reservation.", result=refusal[:100])
        return await self._fresh(reservation)

    async def own(self, reservation_id: str, user: User) -> Reservation | None:
        """The user's reservation of this id; None also for somebody else's."""
        return await self._store.own(reservation_id, user.sub)

    async def _fresh(self, reservation: Reservation) -> Reservation:
        return await self._store.own(reservation.id, reservation.user_id) or reservation
