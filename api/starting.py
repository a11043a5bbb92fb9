"""From a user's order to a started session: find the charger, fix the facts, store them once, start the workflow."""

import asyncio
import hashlib
import json
import math
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from api.auth import User
from api.problems import unavailable
from api.schemas import StartRequest
from api.services import Services
from api.workflow_calls import start_workflow
from charging.errors import Problem
from charging.log_lines import about_session
from charging.ocpi.evse_id import EvseConnector, choose_connector
from charging.ocpi.own_tokens import one_time_token, user_key
from charging.ocpi.refresh import EvseRefresh
from charging.session.model import SessionSpec
from charging.settings import Settings
from charging.store.decisions import DecisionStore
from charging.store.evse_index import EvseIndex
from charging.store.evse_match import EvseMatch
from charging.store.obstacles import Holder, ObstacleStore
from charging.store.starts import NewSession, Started, StartStore
from charging.store.user_tokens import UserTokenStore
from charging.sweeper import NEVER_BEGUN_AFTER
from charging.tariffs.estimate import hold_amount, tariff_currency

STARTS_AT_ONCE = 8
OUT_OF_SERVICE = frozenset({"INOPERATIVE", "OUTOFORDER", "PLANNED", "REMOVED"})


class Starter:
    """Starts sessions. One per process."""

    def __init__(self, services: Services, starts: StartStore, evses: EvseIndex, refresh: EvseRefresh) -> None:
        self._services = services
        self._starts = starts
        self._evses = evses
        self._refresh = refresh
        self._obstacles = ObstacleStore(services.database)
        self._user_tokens = UserTokenStore(services.database)
        self._decisions = DecisionStore(services.database)
        # A crowd waits here, patiently; in the pool of connections it would be turned away after some seconds.
        self._gate = asyncio.Semaphore(STARTS_AT_ONCE)

    async def start(self, user: User, order: StartRequest, key: str | None) -> Started:
        """The session of ``order``: a new one, or the one that ``key`` has started before.

        Raises ``Problem`` 404, 409, 422, or 503 when Temporal is away; after a 503 nothing is left behind.
        """
        started = await self._store(user, order, key)
        # Not behind the gate: while a CPO is asked for its news, others start.
        if started is None and await self._refresh.look_for(order.evse_id):
            started = await self._store(user, order, key)
        if started is None:
            raise evse_not_found()
        await self._ensure_workflow(started)
        return started

    async def _store(self, user: User, order: StartRequest, key: str | None) -> Started | None:
        async with self._gate:
            return await self._store_at_once(user, order, key)

    async def _store_at_once(self, user: User, order: StartRequest, key: str | None) -> Started | None:
        """None where nobody has the EVSE."""
        digest = body_hash(order)
        repeated = await self._starts.repeat_of(user.sub, key, digest) if key else None
        if repeated is not None:
            return repeated
        match = await self._evses.find(order.evse_id, order.place)
        if match is None:
            return None
        now = datetime.now(UTC)
        obstacles = await self._obstacles.of(match.connection.id, match.location_id, match.evse_uid, now)
        held = _of_user(user, obstacles.holder)
        token = held.token if held else await self._token(user, match, now)
        new = new_session(order, user.sub, match, self._services.settings, now, token)
        _require_reachable(obstacles.left_alone_until, now)
        return await self._starts.begin(replace(new, reservation_id=held.reservation_id if held else None), key, digest)

    async def _token(self, user: User, match: EvseMatch, now: datetime) -> dict[str, Any]:
        """The user's stable token, where the CPO is to be shown that one and the user has one; else one of its own."""
        is_own = match.connection.start_token == "user"  # noqa: S105 - which one, not the token
        own = await self._user_tokens.of_user(user.sub) if is_own else None
        return own or one_time_token(self._services.settings, user.sub, now, user.contract_id)

    async def _ensure_workflow(self, started: Started) -> None:
        if started.admission != "accepted":
            return
        session_id = started.spec.session_id
        about_session(session_id)
        try:
            await start_workflow(self._services.temporal, started.spec)
        except Problem:
            # Who stored the session takes it back. A repeat does not: the first request may be getting through.
            if started.repeated or await self._starts.abandon(session_id):
                raise
        if not await self._stays(started):
            raise unavailable("The session was taken back while Temporal was away.")

    async def _stays(self, started: Started) -> bool:
        """Whether nobody can take the session back any more, now that its workflow has been started.

        Where it is fresh, only who stored it could, and that is us. A repeat, or one who comes late, takes the
        workflow's first step for it: else whoever stored it, or the sweeper, could still give it up behind our answer.
        """
        is_fresh = datetime.now(UTC) - started.spec.created_at < NEVER_BEGUN_AFTER / 2
        return (is_fresh and not started.repeated) or await self._decisions.admit(started.spec.session_id)


def _of_user(user: User, holder: Holder | None) -> Holder | None:
    """The user's reservation of the EVSE: the charge point lets its token in. Another's is 409."""
    if holder is not None and holder.user_id != user.sub:
        raise Problem(409, "evse_reserved", "The EVSE is reserved for somebody else.")
    return holder


def _require_reachable(left_alone_until: datetime | None, now: datetime) -> None:
    """503 where workers leave this CPO alone: a robot that hears so at once can go elsewhere."""
    if left_alone_until is not None:
        seconds = str(math.ceil((left_alone_until - now).total_seconds()))
        raise Problem(503, "cpo_unavailable", "The CPO does not answer.", headers={"Retry-After": seconds})


def new_session(
    order: StartRequest,
    user_id: str,
    match: EvseMatch,
    settings: Settings,
    now: datetime,
    token: dict[str, Any],
) -> NewSession:
    """The session that ``order`` makes at the EVSE that was found, started with ``token``.

    Raises ``Problem`` where it cannot be charged at.
    """
    if match.connection.is_away(match.country_code, match.party_id):
        raise Problem(409, "cpo_offline", "The hub says that this CPO is not connected.")
    if match.status in OUT_OF_SERVICE:
        raise Problem(409, "evse_out_of_service", f"The EVSE is {match.status}.", evse_status=match.status)
    connector = require_connector(order.connector_type, match)
    tariff = match.tariff_of(connector, now)
    return NewSession(
        spec=_spec(order, match, connector, tariff, settings, user_key(settings, user_id), now),
        user_id=user_id,
        metadata=order.metadata,
        target_kwh=order.battery_target_kwh,
        tariff=tariff,
        time_zone=match.time_zone,
        token=token,
    )


def evse_not_found() -> Problem:
    """404: no spelling, no connection and no refresh has led to an EVSE."""
    return Problem(404, "evse_not_found", "No connected network has this EVSE.")


def require_connector(wanted: str | None, match: EvseMatch) -> EvseConnector:
    """The connector that is meant. Raises ``Problem`` 422 where there is none such, or several and none is named."""
    connector = choose_connector(match.connectors, wanted)
    if connector is None:
        plugs = sorted({c.plug for c in match.connectors})
        raise Problem(
            422,
            "connector_not_available",
            f"The EVSE has {', '.join(plugs) or 'no usable connector'}; name one of them.",
            connectors=plugs,
        )
    return connector


def _spec(
    order: StartRequest,
    match: EvseMatch,
    connector: EvseConnector,
    tariff: dict[str, Any] | None,
    settings: Settings,
    hashed_user: str,
    now: datetime,
) -> SessionSpec:
    max_power_kw = connector.max_power_w / 1000
    currency = tariff_currency(tariff) or settings.default_currency
    hold = hold_amount(
        tariff,
        need_kwh=order.need_kwh,
        max_cost=order.max_cost,
        default_hold=settings.default_hold_in(currency),
        max_power_kw=max_power_kw if connector.is_power_told else Decimal(0),  # a guess would hold too little
        now=now,
        time_zone=match.time_zone,
        rules=match.connection.tariff_rules,
    )
    if hold is None:
        raise Problem(422, "max_cost_required", f"How much {currency} to hold is not known: give a max_cost.")
    return SessionSpec(
        session_id=str(uuid.uuid4()),
        evse_id=order.evse_id,
        network=match.connection.network,
        user_key=hashed_user,
        job_id=order.job_id,
        robot_id=order.robot_id,
        connection_id=match.connection.id,
        country_code=match.country_code,
        party_id=match.party_id,
        location_id=match.location_id,
        evse_uid=match.evse_uid,
        connector_id=connector.id,
        authorization_reference=uuid.uuid4().hex.upper(),
        max_power_kw=max_power_kw,
        rate_unit=connector.rate_unit,
        phases=connector.phases,
        voltage=connector.voltage,
        profile_capable=match.takes_profiles,
        preferences_capable=match.takes_preferences,
        power_factor=match.connection.power_factor,
        currency=currency,
        need_kwh=order.need_kwh,
        hold=hold,
        cost_limit=hold if order.max_cost is None else min(order.max_cost, hold),
        policy=settings.policy,
        created_at=now,
    )


def body_hash(order: StartRequest) -> str:
    """What a request means, not how it was written: the same for 60 and 60.0."""
    return hashlib.sha256(json.dumps(order.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()
