"""Connections to CPOs, with the two tokens of each: what we send (encrypted) and what we expect (hash only).

A connection is ``invited`` (we gave out a TOKEN_A), ``registering`` (we are in the handshake), ``active``, or
``unregistered``. Its row is never deleted: sessions and CDRs point at it, and registering the name again revives it.
"""

import hashlib
import hmac
import logging
import secrets
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.fernet import InvalidToken
from pydantic import SecretStr
from sqlalchemy import Row, Select, bindparam, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.ocpi.models import Credentials, Endpoint
from charging.ocpi.versions import Dialect, dialect
from charging.ocpi.wire import Party, TokenForm, fold
from charging.store.engine import Database
from charging.store.quick import QuickRead
from charging.store.secrets import cipher
from charging.store.tables import client_infos, connections
from charging.tariffs.rules import TariffRules, rules_of

logger = logging.getLogger(__name__)

PREFIX_LENGTH: Final = 8
CACHE_S: Final = 2.0  # another process that unregisters a peer is heard so late
NO_SERVER_TOKEN: Final = {"server_token_prefix": None, "server_token_hash": None}
NO_NEXT_TOKEN: Final = {"next_token_prefix": None, "next_token_hash": None}


@dataclass(frozen=True)
class Caller:
    """Who calls us, with which token; ``is_next`` when it is one that a rotation handed out and nobody used yet."""

    connection: "Connection"
    token: str = field(repr=False)
    is_next: bool = False


@dataclass(frozen=True)
class Client:
    """A party behind a hub, as the hub's ClientInfo tells (OCPI 2.2.1 §15.4.1)."""

    party: Party
    role: str
    status: str


@dataclass(frozen=True)
class Connection:
    """One peer. ``roles`` and ``endpoints`` are OCPI objects as the peer gave them.

    ``network`` is the CPO's business name, as robots see it. ``client_token`` is what we send, decrypted; in the form
    ``token_form`` where that is not its version's own. ``sends_token_form``: how it writes the token that it sends us.
    ``start_token``: what a start shows, ``one_time`` or the ``user``'s stable token.
    ``clients``: the parties behind it, where it is a hub. ``max_profile_periods``: so many fit into one charging
    profile. ``hold_minimum``: it resumes badly from 0 W, so a pause is sent as the least power. ``pauses_are_parking``:
    it bills PARKING_TIME while a charging profile pauses, which OCPI does not call parking. ``differing_rules``: where
    it reads tariffs in another way than its version does.
    """

    id: str
    name: str
    network: str
    status: str
    version: str | None
    versions_url: str
    roles: list[dict[str, Any]]
    endpoints: list[dict[str, Any]]
    client_token: str | None = field(repr=False)
    power_factor: int
    locations_synced_at: datetime | None = None
    start_token: str = "one_time"  # noqa: S105 - which one, not the token
    hub_party_id: str | None = None
    clients: tuple[Client, ...] = ()
    token_form: TokenForm | None = None
    sends_token_form: TokenForm | None = None
    max_profile_periods: int = 24
    hold_minimum: bool = False
    pauses_are_parking: bool = False
    differing_rules: dict[str, Any] | None = None

    @property
    def tariff_rules(self) -> TariffRules:
        """How its tariffs are read."""
        return rules_of(self.version, self.differing_rules)

    @property
    def dialect(self) -> Dialect:
        """The version of OCPI that we speak with it."""
        return dialect(self.version)

    @property
    def client_token_form(self) -> TokenForm:
        """How to write the token that we send."""
        return self.token_form or form_of(self.dialect)

    @property
    def is_active(self) -> bool:
        """Whether the handshake is done and not undone."""
        return self.status == "active"

    @property
    def party(self) -> Party | None:
        """The CPO that this platform speaks for; the first, where it speaks for several."""
        roles = [r for r in self.roles if r.get("role") == "CPO"] or self.roles
        return Party(roles[0]["country_code"], roles[0]["party_id"]) if roles else None

    @property
    def hub(self) -> Party | None:
        """The hub that this platform is: its role HUB, since 2.3.0 its ``hub_party_id``; None where it is none."""
        if self.hub_party_id:
            return Party(self.hub_party_id[:2], self.hub_party_id[2:])
        hubs = (Party(r["country_code"], r["party_id"]) for r in self.roles if r.get("role") == "HUB")
        return next(hubs, None)

    @property
    def parties(self) -> list[Party]:
        """Whose objects are the peer's own (docs/ocpi.md, Q43).

        Those of its roles, bound at registration; of a hub also those of the CPOs that it has told us of.
        """
        roles = [Party(role["country_code"], role["party_id"]) for role in self.roles]
        return [*roles, *(client.party for client in self._cpos())]

    def owns(self, country_code: str, party_id: str) -> bool:
        """Whether objects of this party are the peer's own."""
        return any(party.is_same(country_code, party_id) for party in self.parties)

    def is_away(self, country_code: str, party_id: str) -> bool:
        """Whether the hub says that this CPO behind it is not connected: it is not to be called (§15.4.2)."""
        return any(c.status != "CONNECTED" for c in self._cpos() if c.party.is_same(country_code, party_id))

    def _cpos(self) -> Iterable[Client]:
        return (client for client in self.clients if client.role == "CPO") if self.hub else ()

    def endpoint(self, module: str, role: str | None = None) -> str | None:
        """The URL of a module's interface at the peer; ``role`` SENDER or RECEIVER, None where it has no meaning.

        An endpoint without a role, as in 2.1.1, is the one that is asked for.
        """
        for endpoint in self.endpoints:
            theirs = endpoint.get("role")
            if fold(endpoint["identifier"]) == fold(module) and (None in (role, theirs) or role == theirs):
                return str(endpoint["url"])
        return None

    def module_of(self, url: str) -> str:
        """The module that ``url`` belongs to, by the endpoints of the peer; ``other`` where it is none of them."""
        fitting = [endpoint for endpoint in self.endpoints if url.startswith(str(endpoint["url"]))]
        longest = max(fitting, key=lambda endpoint: len(str(endpoint["url"])), default=None)
        return str(longest["identifier"]).lower() if longest else "other"


def form_of(spoken: Dialect) -> TokenForm:
    """How a version writes the credentials token in the header."""
    return "base64" if spoken.encodes_token else "raw"


def network_of(credentials: Credentials, fallback: str) -> str:
    """The business name of the CPO among the roles of a peer."""
    roles = [role for role in credentials.roles if role.role == "CPO"] or credentials.roles
    return (roles[0].business_details.name or fallback)[:100]


class ConnectionStore:
    """Reads and writes connections. ``secret_keys``: comma separated, newest first; all decrypt, the first encrypts."""

    def __init__(self, database: Database, secret_keys: SecretStr) -> None:
        self._database = database
        self._callers: dict[str, tuple[float, Caller]] = {}
        self._recent: dict[str, tuple[float, Connection]] = {}
        self._fernet = cipher(secret_keys, "charging/ocpi-client-token")
        self._by_id = QuickRead(database, select(connections).where(connections.c.id == bindparam("wanted")))
        self._clients_of = QuickRead(database, _CLIENTS)

    async def get(self, connection_id: str) -> Connection | None:
        """The connection with this id, whatever its status."""
        values = await self._by_id.one(wanted=connection_id)
        if values is None:
            return None
        row = dict(zip(connections.columns.keys(), values, strict=True))
        clients = await self._clients_of.all(wanted=connection_id) if _may_be_hub(row) else []
        return self._connection(row, [_client(*client) for client in clients])

    async def recent(self, connection_id: str) -> Connection | None:
        """As ``get``, but up to ``CACHE_S`` old."""
        expires, connection = self._recent.get(connection_id, (0.0, None))
        if connection is None or expires < time.monotonic():
            connection = await self.get(connection_id)
            if connection is not None:
                self._recent[connection_id] = (time.monotonic() + CACHE_S, connection)
        return connection

    def forget(self) -> None:
        """Connections have changed: what was remembered of them is old."""
        self._callers.clear()
        self._recent.clear()

    async def by_name(self, name: str) -> Connection | None:
        """The connection that the admin calls ``name``."""
        return await self._one(select(connections).where(connections.c.name == name))

    async def list(self) -> list[Connection]:
        """All connections, by name."""
        return [
            self._connection(row._mapping, clients)
            for row, clients in await self._rows(select(connections).order_by(connections.c.name))
        ]

    async def _rows(self, query: Select[Any]) -> Sequence[tuple[Row[Any], Sequence[Client]]]:
        """Rows of connections, each with the parties behind it."""
        async with self._database.read() as store:
            rows = (await store.execute(query)).all()
            return [(row, await _clients(store, row.id) if _may_be_hub(row._mapping) else []) for row in rows]

    async def by_server_token(self, candidates: Sequence[str]) -> Caller | None:
        """The peer that calls us with one of ``candidates``.

        A token handed out by a rotation is good beside the former one until ``adopt``, for OCPI does not say when
        the peer changes over (ocpi#568). Answers are remembered for ``CACHE_S``: every push asks.
        """
        hashes = {candidate: _hash(candidate) for candidate in candidates}
        for digest in hashes.values():
            expires, caller = self._callers.get(digest, (0.0, None))
            if caller is not None and expires > time.monotonic():
                return caller
        rows = await self._with_token_prefix({candidate[:PREFIX_LENGTH] for candidate in candidates})
        # Every pair is compared, each in constant time: how long this takes tells nothing about a token.
        matches = [
            Caller(self._connection(row._mapping, clients), candidate, is_next)
            for row, clients in rows
            for candidate, digest in hashes.items()
            for is_next, expected in ((False, row.server_token_hash), (True, row.next_token_hash))
            if hmac.compare_digest(digest, expected or "")
        ]
        if matches and matches[0].connection.is_active and not matches[0].is_next:
            self._callers[hashes[matches[0].token]] = (time.monotonic() + CACHE_S, matches[0])
        return matches[0] if matches else None

    async def _with_token_prefix(self, prefixes: set[str]) -> Sequence[tuple[Row[Any], Sequence[Client]]]:
        columns = connections.c
        has_prefix = or_(columns.server_token_prefix.in_(prefixes), columns.next_token_prefix.in_(prefixes))
        return await self._rows(select(connections).where(has_prefix))

    async def adopt(self, caller: Caller) -> None:
        """The peer has begun to use the token of its last rotation: the former one is dead."""
        self.forget()
        async with self._database.write() as store:
            await store.execute(
                update(connections)
                .where(connections.c.id == caller.connection.id, connections.c.next_token_hash == _hash(caller.token))
                .values(**_as_server_token(caller.token), **NO_NEXT_TOKEN)
            )

    async def invite(self, name: str, *, power_factor: int = 1) -> str:
        """Make or revive ``name`` as ``invited`` and return the TOKEN_A to hand over out of band.

        Raises ``ValueError`` where the name is active.
        """
        existing = await self.by_name(name)
        if existing is not None and existing.is_active:
            raise ValueError("a connection of that name is active")
        token = new_token()
        await self._save(
            name,
            status="invited",
            power_factor=power_factor,
            **_as_server_token(token),
            **NO_NEXT_TOKEN,
        )
        return token

    async def begin(self, name: str, versions_url: str, *, power_factor: int) -> tuple[str, str]:
        """Before our handshake with ``name``: its id, and the TOKEN_B that our server accepts from now on.

        A connection that is active stays so, with its former tokens, until ``activate``.
        """
        token = new_token()
        existing = await self.by_name(name)
        if existing is not None and existing.is_active:
            connection_id = await self._save(name, **_as_next_token(token))
        else:
            connection_id = await self._save(
                name,
                status="registering",
                versions_url=versions_url,
                power_factor=power_factor,
                **_as_server_token(token),
                **NO_NEXT_TOKEN,
            )
        return connection_id, token

    async def abandon(self, name: str) -> None:
        """Our handshake failed: the TOKEN_B that was handed out is worth nothing any more."""
        existing = await self.by_name(name)
        if existing is None or existing.is_active:
            await self._save(name, **NO_NEXT_TOKEN)
        else:
            await self._save(name, status="unregistered", **NO_SERVER_TOKEN, **NO_NEXT_TOKEN)

    async def activate(
        self,
        name: str,
        credentials: Credentials,
        *,
        version: str,
        endpoints: Sequence[Endpoint],
        server_token: str,
        replaces_at_once: bool = True,
        power_factor: int | None = None,
        token_form: TokenForm | None = None,
    ) -> Connection:
        """The handshake is done: keep the peer's credentials; ``server_token`` is what it shall send.

        ``replaces_at_once`` False keeps the peer's former token good until it first uses the new one (rotation).
        ``token_form``: the one that it wants, where that is not its version's own.
        """
        values: dict[str, Any] = {
            "status": "active",
            "network": network_of(credentials, name),
            "version": version,
            "versions_url": credentials.url,
            "roles": [role.model_dump(mode="json", exclude_none=True) for role in credentials.roles],
            "endpoints": [endpoint.model_dump(mode="json", exclude_none=True) for endpoint in endpoints],
            "client_token": self._fernet.encrypt(credentials.token.encode()).decode(),
            "hub_party_id": credentials.hub_party_id,
            "token_form": token_form,
        }
        existing = await self.by_name(name)
        if existing is None or not existing.is_active:
            values["tokens_offered_at"] = None  # a peer that is new, or comes back: it is told of all our tokens
        if power_factor is not None:
            values["power_factor"] = power_factor
        if replaces_at_once:
            values |= {**_as_server_token(server_token), **NO_NEXT_TOKEN}
        else:
            values |= _as_next_token(server_token)
        connection_id = await self._save(name, **values)
        connection = await self.get(connection_id)
        assert connection is not None  # noqa: S101 - saved a line above, and rows are never deleted
        return connection

    async def unregister(self, connection_id: str) -> None:
        """Forget both tokens; the row stays, for its sessions and CDRs."""
        self.forget()
        values = {"status": "unregistered", "client_token": None, **NO_SERVER_TOKEN, **NO_NEXT_TOKEN}
        async with self._database.write() as store:
            await store.execute(
                update(connections)
                .where(connections.c.id == connection_id)
                .values(**values, updated_at=datetime.now(UTC))
            )

    async def change(self, connection_id: str, **settings: Any) -> None:
        """How this CPO is worked with from now on: any of ``start_token``, ``max_profile_periods``, ``hold_minimum``,
        ``pauses_are_parking``, as ``Connection`` has them, and ``tariff_rules``, those that differ.
        """
        await self._change(connection_id, **settings)

    async def heard_token_form(self, connection_id: str, form: TokenForm) -> None:
        """Remember how the peer writes the token that it sends us."""
        await self._change(connection_id, sends_token_form=form)

    async def _change(self, connection_id: str, **values: Any) -> None:
        self.forget()
        async with self._database.write() as store:
            await store.execute(
                update(connections)
                .where(connections.c.id == connection_id)
                .values(**values, updated_at=datetime.now(UTC))
            )

    async def locations_synced(self, connection_id: str, at: datetime) -> None:
        """Remember that all locations of the peer, as of ``at``, are stored."""
        async with self._database.write() as store:
            await store.execute(
                update(connections).where(connections.c.id == connection_id).values(locations_synced_at=at)
            )

    async def _save(self, name: str, **values: Any) -> str:
        self.forget()
        now = datetime.now(UTC)
        async with self._database.write() as store:
            row = (await store.execute(select(connections.c.id).where(connections.c.name == name))).first()
            if row is not None:
                await store.execute(
                    update(connections).where(connections.c.id == row.id).values(**values, updated_at=now)
                )
                return str(row.id)
            connection_id = str(uuid.uuid4())
            new = {"network": name, "versions_url": "", "roles": [], "endpoints": [], "power_factor": 1, **values}
            await store.execute(
                insert(connections).values(id=connection_id, name=name, created_at=now, updated_at=now, **new)
            )
            return connection_id

    async def _one(self, query: Select[Any]) -> Connection | None:
        rows = await self._rows(query)
        return self._connection(rows[0][0]._mapping, rows[0][1]) if rows else None

    def _connection(self, row: Mapping[Any, Any], clients: Sequence[Client]) -> Connection:
        return Connection(
            id=row["id"],
            name=row["name"],
            network=row["network"],
            status=row["status"],
            version=row["version"],
            versions_url=row["versions_url"],
            roles=row["roles"],
            endpoints=row["endpoints"],
            client_token=self._decrypt(row["client_token"], row["name"]),
            power_factor=row["power_factor"],
            locations_synced_at=row["locations_synced_at"],
            start_token=row["start_token"],
            hub_party_id=row["hub_party_id"],
            clients=tuple(clients),
            token_form=row["token_form"],
            sends_token_form=row["sends_token_form"],
            max_profile_periods=row["max_profile_periods"],
            hold_minimum=row["hold_minimum"],
            pauses_are_parking=row["pauses_are_parking"],
            differing_rules=row["tariff_rules"],
        )

    def _decrypt(self, encrypted: str | None, name: str) -> str | None:
        try:
            return None if encrypted is None else self._fernet.decrypt(encrypted).decode()
        except InvalidToken:
            logger.error(
                "the token of a connection does not decrypt: CHARGING_SECRET_KEYS changed?", extra={"cpo": name}
            )
            return None


def _may_be_hub(row: Mapping[Any, Any]) -> bool:
    return bool(row["hub_party_id"]) or any(role.get("role") == "HUB" for role in row["roles"])


async def _clients(store: AsyncConnection, connection_id: str) -> list[Client]:
    return [_client(*row) for row in await store.execute(_CLIENTS, {"wanted": connection_id})]


def _client(country_code: str, party_id: str, role: str, status: str) -> Client:
    return Client(Party(country_code, party_id), role, status)


_CLIENTS: Final = select(*(client_infos.c[name] for name in ("country_code", "party_id", "role", "status"))).where(
    client_infos.c.connection_id == bindparam("wanted")
)


def new_token() -> str:
    """A fresh credentials token, 256 bits, in characters that OCPI allows (2.2.1 §7.3.1)."""
    return secrets.token_urlsafe(32)


def _hash(token: str) -> str:
    # No slow hash: the tokens are random, 256 bits, so there is nothing to guess.
    return hashlib.sha256(token.encode()).hexdigest()


def _as_server_token(token: str) -> dict[str, str]:
    return {"server_token_prefix": token[:PREFIX_LENGTH], "server_token_hash": _hash(token)}


def _as_next_token(token: str) -> dict[str, str]:
    return {"next_token_prefix": token[:PREFIX_LENGTH], "next_token_hash": _hash(token)}
