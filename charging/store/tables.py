"""All tables. Money is NUMERIC or integer minor units, times are aware UTC, energy kWh, power kW.

Two writers share the row of a session, each with its own columns but for three (ADR 0003): the receiver writes the
meter, the workflow its decisions. ``revision`` is raised by both, so a reader sees that something changed.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

from charging.ocpi.wire import MAX_ID

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime, also on SQLite, which forgets time zones. Refuses naive datetimes."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database: UTC."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a naive datetime must not be stored")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database: aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_TOO_MUCH: Final = Decimal(10) ** 16  # for the digits before the point of ``Exact``


class Exact(TypeDecorator[Decimal]):
    """An exact decimal: NUMERIC on PostgreSQL, text on SQLite, which would turn it into a float."""

    impl = Numeric(24, 8)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Text where the database has no exact decimals."""
        return dialect.type_descriptor(String(40) if dialect.name == "sqlite" else Numeric(24, 8))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """To the database."""
        return str(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """From the database, without trailing zeros that were never sent.

        None for what NUMERIC would not have taken: SQLite's text does, and one such row must not hide all others.
        """
        if value is None:
            return None
        exact = Decimal(value)
        if not exact.is_finite() or abs(exact) >= _TOO_MUCH:
            return None
        return exact.quantize(Decimal(1)) if exact == exact.to_integral_value() else exact.normalize()


HOLDS_EVSE = "status IN ('pending', 'reserved', 'cancelling')"  # of a reservation

Json = JSON().with_variant(JSONB(), "postgresql")
BigId = BigInteger().with_variant(Integer(), "sqlite")  # SQLite autoincrements INTEGER only

connections = Table(
    "connections",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(100), nullable=False, unique=True),  # given by the admin (`cpo_name`)
    Column("network", String(100), nullable=False),  # the CPO's business name, as robots see it
    Column("status", String(20), nullable=False),  # invited | registering | active | unregistered
    Column("version", String(10)),
    Column("versions_url", String(255), nullable=False),
    Column("roles", Json, nullable=False, default=list),  # CredentialsRole objects of the peer
    Column("endpoints", Json, nullable=False, default=list),  # Endpoint objects of the peer
    Column("client_token", Text),  # what we send, encrypted
    Column("token_form", String(10)),  # base64 | raw: how it wants what we send; null: as its version says
    Column("sends_token_form", String(10)),  # base64 | raw: how it writes what it sends us
    Column("server_token_prefix", String(8), index=True),  # what we expect: prefix and SHA-256 only
    Column("server_token_hash", String(64)),
    Column("next_token_prefix", String(8), index=True),  # handed out, replaces the one above at its first use
    Column("next_token_hash", String(64)),
    Column("power_factor", Integer, nullable=False, default=1),
    Column("start_token", String(10), nullable=False, server_default="one_time"),  # one_time | user
    Column("max_profile_periods", Integer, nullable=False, server_default="24"),  # of one charging profile
    Column("hold_minimum", Boolean, nullable=False, server_default=false()),  # a pause is sent as the least power
    Column("pauses_are_parking", Boolean, nullable=False, server_default=false()),  # it bills PARKING_TIME then
    Column("tariff_rules", Json),  # what differs from charging.tariffs.rules of its version
    Column("tokens_offered_at", UtcDateTime),  # since then each change of a stable token is written for this peer
    Column("hub_party_id", String(5)),  # country code and party id of the hub that this platform is (OCPI 2.3.0)
    Column("locations_synced_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

locations = Table(
    "locations",
    metadata,
    Column("connection_id", ForeignKey("connections.id"), primary_key=True),
    Column("country_code", String(2), primary_key=True),
    Column("party_id", String(3), primary_key=True),
    Column("id", String(MAX_ID), primary_key=True),
    Column("time_zone", String(255)),
    Column("body", Json, nullable=False),  # the Location as received, without its evses
    Column("last_updated", UtcDateTime, nullable=False),
    Column("content_hash", String(32)),  # charging.store.object_pages.content_hash(body)
    Column("seen_at", UtcDateTime),  # when its CPO last told of it, by a push or a full list
    Column("missing_since", UtcDateTime),  # a full list came to its end without it
)

evses = Table(
    "evses",
    metadata,
    Column("connection_id", String(36), primary_key=True),
    Column("country_code", String(2), primary_key=True),
    Column("party_id", String(3), primary_key=True),
    Column("location_id", String(MAX_ID), primary_key=True),
    Column("uid", String(MAX_ID), primary_key=True, index=True),
    Column("evse_id", String(64)),
    Column("lookup_key", String(64), index=True),  # charging.ocpi.evse_id.lookup_key(evse_id)
    Column("status", String(20), nullable=False),
    Column("body", Json, nullable=False),  # the EVSE as received, connectors included
    Column("last_updated", UtcDateTime, nullable=False),
    Column("content_hash", String(32)),
    # What the search by radius filters by, all taken from the bodies of EVSE and Location.
    Column("latitude", Double),
    Column("longitude", Double),
    Column("band", Integer),  # charging.ocpi.geo.Point.band; null: not in the search (no place, or publish false)
    Column("standards", Text, nullable=False, server_default=""),  # of its connectors: ",IEC_62196_T2_COMBO,CHADEMO,"
    Column("max_power_w", Integer, nullable=False, server_default="0"),  # of its strongest connector
    Index("ix_evses_place", "band", "longitude"),
)

tariffs = Table(
    "tariffs",
    metadata,
    Column("connection_id", ForeignKey("connections.id"), primary_key=True),
    Column("country_code", String(2), primary_key=True),
    Column("party_id", String(3), primary_key=True),
    Column("id", String(MAX_ID), primary_key=True),
    Column("body", Json, nullable=False),
    Column("last_updated", UtcDateTime, nullable=False),
    Column("content_hash", String(32)),  # these three as in locations
    Column("seen_at", UtcDateTime),
    Column("missing_since", UtcDateTime),
)

sync_state = Table(
    "sync_state",
    metadata,
    Column("connection_id", ForeignKey("connections.id"), primary_key=True),
    Column("module", String(20), primary_key=True),  # charging.pulling.Module
    Column("high_water", UtcDateTime),  # the newest last_updated seen, by the peer's clock
    Column("tried_at", UtcDateTime, nullable=False),  # when the last pull began; the next two: the last good ones
    Column("last_ok_at", UtcDateTime),
    Column("last_full_at", UtcDateTime),
    Column("last_error", Text),  # of the last pull; null where it went well
    Column("counts", Json),  # charging.pulling.Counts of the last pull
)

sessions = Table(
    "sessions",
    metadata,
    # Facts, written once by POST /v1/sessions/start.
    Column("id", String(36), primary_key=True),
    Column("user_id", String(255), nullable=False),
    Column("evse_id", String(64), nullable=False),  # as the caller spelled it
    Column("network", String(100), nullable=False),
    Column("robot_id", String(100)),
    Column("job_id", String(100)),
    Column("metadata", Json, nullable=False, default=dict),
    Column("target_kwh", Exact),
    Column("connection_id", ForeignKey("connections.id"), nullable=False),
    Column("authorization_reference", String(36), nullable=False, unique=True),  # stored in upper case
    Column("token_uid", String(36), nullable=False, index=True),  # a stable token has many sessions
    Column("token_type", String(20), nullable=False, server_default="AD_HOC_USER"),
    Column("token_contract", String(36), index=True),  # its contract_id in upper case: all that 2.1.1 tells of it
    Column("currency", String(3), nullable=False),
    Column("tariff", Json),  # snapshot of the connector's tariff at start
    Column("time_zone", String(255)),
    Column("spec", Json, nullable=False),  # SessionSpec: the workflow's input
    Column("created_at", UtcDateTime, nullable=False),
    Column("admission", String(10), nullable=False),  # accepted | running | abandoned
    # The meter, written by the receiver alone but for poll_at (charging.session.model.Meter).
    Column("meter_seq", Integer, nullable=False, default=0),
    Column("ocpi_session_id", String(MAX_ID)),
    Column("cpo_status", String(20)),
    Column("kwh", Exact, nullable=False, default=Decimal(0)),
    Column("cost", Exact),
    Column("estimate", Exact),
    Column("power_kw", Exact),
    Column("state_of_charge", Exact),
    Column("started_at", UtcDateTime),
    Column("cpo_ended_at", UtcDateTime),
    Column("meter_updated_at", UtcDateTime),
    Column("meter_received_at", UtcDateTime),
    Column("kwh_changed_at", UtcDateTime),
    Column("final_kwh", Exact),
    Column("poll_at", UtcDateTime),  # when to ask its CPO with one list call: set by receiver, workflow and sweeper
    # Decisions, written by the workflow; after a restore charging.store.restored sets which of them counts.
    Column("status", String(10), nullable=False),
    Column("phase", String(20)),
    Column("reason", Json),
    Column("start_outcome", String(20), nullable=False, default="not_sent"),
    Column("stop_sent_at", UtcDateTime),
    Column("stop_accepted_at", UtcDateTime),
    Column("closed_at", UtcDateTime),
    Column("watch_until", UtcDateTime),  # tombstone of a START of unknown outcome
    Column("wake_kwh", Exact),  # a push that reaches these wakes the workflow
    Column("wake_cost", Exact),
    Column("profile", Json),  # ChargingPlan in force
    Column("payment_status", String(20)),  # written by the settlement
    Column("ended_at", UtcDateTime),
    Column("decided_run", Integer, nullable=False, default=0),  # (run, history length, n): strictly greater wins
    Column("decided_length", Integer, nullable=False, default=0),
    Column("decided_n", Integer, nullable=False, default=0),
    # Both.
    Column("revision", Integer, nullable=False, default=1),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("ix_sessions_user_created", "user_id", "created_at", "id"),
    Index("ix_sessions_job", "job_id"),
    Index("ix_sessions_ocpi", "connection_id", "ocpi_session_id"),
    Index("ix_sessions_poll", "poll_at"),
    Index("ix_sessions_admission", "admission", "created_at"),
    Index(
        "ix_sessions_open",
        "network",
        "status",
        "phase",
        sqlite_where=text("status IN ('pending', 'active', 'stopping')"),
        postgresql_where=text("status IN ('pending', 'active', 'stopping')"),
    ),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user_id", String(255), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    Column("session_id", ForeignKey("sessions.id"), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

evse_claims = Table(
    "evse_claims",
    metadata,
    Column("connection_id", String(36), primary_key=True),
    Column("location_id", String(MAX_ID), primary_key=True),
    Column("evse_uid", String(MAX_ID), primary_key=True),
    Column("session_id", ForeignKey("sessions.id"), nullable=False, unique=True),
    Column("claimed_at", UtcDateTime, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("uid", String(36), primary_key=True),
    Column("type", String(20), primary_key=True),
    Column("session_id", ForeignKey("sessions.id")),  # of a one-time token, once a session has it
    Column("user_id", String(255), index=True),  # of a stable token: whose it is
    Column("valid", Boolean, nullable=False),
    Column("body", Json, nullable=False),  # the OCPI Token object
    Column("last_updated", UtcDateTime, nullable=False),
)

token_pushes = Table(
    "token_pushes",
    metadata,
    Column("connection_id", ForeignKey("connections.id"), primary_key=True),
    Column("uid", String(36), primary_key=True),
    Column("type", String(20), primary_key=True),
    Column("sent", Json),  # the Token as the peer has it; null: not yet
    Column("due_at", UtcDateTime),  # when to push what the token has become; null: nothing to do
    Column("attempts", Integer, nullable=False, default=0),
    Column("problem", Text),  # why the last attempt failed
    Index("ix_token_pushes_due", "due_at"),
)

reservations = Table(
    "reservations",
    metadata,
    Column("id", String(36), primary_key=True),  # reservation_id at the CPO, too
    Column("user_id", String(255), nullable=False),
    Column("key", String(255)),  # Idempotency-Key
    Column("body_hash", String(64), nullable=False),
    Column("evse_id", String(64), nullable=False),  # as the caller spelled it
    Column("network", String(100), nullable=False),
    Column("connection_id", ForeignKey("connections.id"), nullable=False),
    Column("country_code", String(2), nullable=False),
    Column("party_id", String(3), nullable=False),
    Column("location_id", String(MAX_ID), nullable=False),
    Column("evse_uid", String(MAX_ID), nullable=False),
    Column("authorization_reference", String(36), nullable=False, unique=True),  # upper case
    Column("token", Json, nullable=False),  # the OCPI Token that holds it; the START shows the same one
    Column("status", String(12), nullable=False),  # charging.session.reservation.ReservationStatus
    Column("result", String(100)),  # the CPO's word that decided the status
    Column("session_id", ForeignKey("sessions.id")),  # which session used it
    Column("expires_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("user_id", "key", name="uq_reservations_user_id_key"),
    # One that holds an EVSE at a time.
    Index(
        "uq_reservations_evse",
        "connection_id",
        "location_id",
        "evse_uid",
        unique=True,
        sqlite_where=text(HOLDS_EVSE),
        postgresql_where=text(HOLDS_EVSE),
    ),
)

commands = Table(
    "commands",
    metadata,
    Column("id", String(64), primary_key=True),  # unguessable; the last segment of response_url
    Column("session_id", ForeignKey("sessions.id"), index=True),  # null: not about a session
    Column("reservation_id", ForeignKey("reservations.id"), index=True),
    Column("connection_id", ForeignKey("connections.id"), nullable=False),
    Column("command", String(30), nullable=False),  # START_SESSION | STOP_SESSION | SET_PROFILE | CLEAR_PROFILE | …
    Column("state", String(10), nullable=False),  # ready | sending | answered
    Column("response", Json),  # CommandResponse or ChargingProfileResponse
    Column("result", Json),  # the first result received
    Column("created_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
    Column("result_at", UtcDateTime),
)

profile_requests = Table(
    "profile_requests",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("session_id", ForeignKey("sessions.id"), nullable=False, index=True),
    Column("wish", Json),  # ProfileWish; null asks to clear
    Column("state", String(20), nullable=False),  # open, or ProfileAnswer.state
    Column("result", String(100)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("answered_at", UtcDateTime),
)

plan_revisions = Table(
    "plan_revisions",
    metadata,
    Column("session_id", ForeignKey("sessions.id"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("made_at", UtcDateTime, nullable=False),
    Column("cause", String(20), nullable=False),  # charging.session.profile.PlanCause
    Column("state", String(10), nullable=False),  # charging.session.profile.PlanState
    Column("plan", Json, nullable=False),  # ChargingPlan
)

meter_points = Table(
    "meter_points",
    metadata,
    Column("session_id", ForeignKey("sessions.id"), primary_key=True),
    Column("at", UtcDateTime, primary_key=True),  # by our clock
    Column("kwh", Exact, nullable=False),
    Column("power_kw", Exact),
)

ocpi_sessions = Table(
    "ocpi_sessions",
    metadata,
    Column("connection_id", ForeignKey("connections.id"), primary_key=True),
    Column("country_code", String(2), primary_key=True),
    Column("party_id", String(3), primary_key=True),
    Column("id", String(MAX_ID), primary_key=True),  # upper case: CiString; the body has it as received
    Column("session_id", ForeignKey("sessions.id"), index=True),  # ours, where it matches one
    Column("parked", Boolean, nullable=False, default=False),  # a second Session for one authorization_reference
    Column("body", Json, nullable=False),  # the Session object, all periods appended, unknown fields kept
    Column("status", String(20), nullable=False),
    Column("last_updated", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Index("ix_ocpi_sessions_id", "connection_id", "id"),  # charging profiles name it without its owner
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("session_id", String(36), nullable=False),
    Column("kind", String(20), nullable=False),  # charging.store.inbox.Kind
    Column("payload", Json, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),  # when to try next
    Column("leased_until", UtcDateTime),
    Column("attempts", Integer, nullable=False, default=0),
    Column("error", Text),
    Column("state", String(10), nullable=False, default="waiting"),  # waiting | delivered | dead
    Column("traceparent", String(55)),  # of the request that it came with (W3C); null: there is no trace
    Index("ix_inbox_due", "state", "due_at"),
    Index("ix_inbox_session", "session_id", "state"),
)

odd_messages = Table(
    "odd_messages",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("connection_id", String(36)),
    Column("method", String(10), nullable=False),
    Column("path", String(512), nullable=False),
    Column("body", Text, nullable=False),  # whole, as received
    Column("problem", Text, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("size", Integer, nullable=False, server_default="0"),  # of the body, in characters
    Index("ix_odd_messages_connection", "connection_id", "id"),
)

cdrs = Table(
    "cdrs",
    metadata,
    Column("connection_id", ForeignKey("connections.id"), primary_key=True),
    Column("country_code", String(2), primary_key=True),
    Column("party_id", String(3), primary_key=True),
    Column("folded_id", String(MAX_ID), primary_key=True),  # upper case: CiString
    Column("id", String(MAX_ID), nullable=False),
    Column("public_id", String(36), nullable=False, unique=True),  # last segment of the Location header's URL
    Column("session_id", ForeignKey("sessions.id"), index=True),
    Column("ocpi_session_id", String(MAX_ID)),  # the CPO's Session that it bills, in upper case
    Column("raw", Text, nullable=False),  # the body, byte for byte
    Column("version", String(10), nullable=False, server_default="2.2.1"),  # of OCPI, in which raw is written
    Column("body", Json, nullable=False),  # as OCPI 2.2.1 has it
    Column("state", String(15), nullable=False),  # received | settled | quarantined | rejected
    Column("problem", Text),  # why it is quarantined, or waits
    Column("audit", Json),  # charging.tariffs.audit.CdrAudit; null: not yet, or a Credit CDR
    Column("dispute", String(10)),  # open | accepted | rejected; null: there is nothing to decide
    Column("decided_at", UtcDateTime),  # by a person
    Column("due_minor", BigInteger),  # what it adds to what is owed, once it is settled; a credit takes away
    Column("received_at", UtcDateTime, nullable=False),
    Index("ix_cdrs_ocpi", "connection_id", "ocpi_session_id"),
    Index("ix_cdrs_dispute", "dispute", "received_at"),
    Index(
        "ix_cdrs_unsettled",
        "received_at",
        sqlite_where=text("state = 'received'"),
        postgresql_where=text("state = 'received'"),
    ),
)

receipts = Table(
    "receipts",
    metadata,
    Column("session_id", ForeignKey("sessions.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("body", Json, nullable=False),  # charging.payments.receipt.Receipt
    Column("payment_status", String(20), nullable=False),  # pending|paid|failed|refunded|not_required
    Column("created_at", UtcDateTime, nullable=False),
)

payments = Table(
    "payments",
    metadata,
    Column("key", String(100), primary_key=True),  # what PaymentsPort is called with; stored before the call
    Column("session_id", ForeignKey("sessions.id"), nullable=False, index=True),
    Column("n", Integer, nullable=False),  # order within the session
    Column("kind", String(10), nullable=False),  # capture | refund
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("state", String(10), nullable=False),  # asked | done | declined
    Column("asked_at", UtcDateTime, nullable=False),
    Column("answered_at", UtcDateTime),
    UniqueConstraint("session_id", "n", name="uq_payments_session_id_n"),
)

intents = Table(
    "intents",
    metadata,
    Column("key", String(100), primary_key=True),  # payments.key: what the service Payments is called with
    Column("kind", String(10), nullable=False),  # capture | refund
    Column("booking_id", String(36), nullable=False),  # the session's id
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("partner_id", String(100)),  # Payments' id for it, once we know it
    Column("outcome", String(10)),  # done | declined; null: not decided, or not heard of
    Column("asked_at", UtcDateTime, nullable=False),  # before the first call
    Column("answered_at", UtcDateTime),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    # e.g. hold/{session}, capture/{session}/{digest of its CDRs}/{n}: once each
    Column("transfer_key", String(100), nullable=False),
    Column("leg", Integer, nullable=False),
    Column("account", String(300), nullable=False, index=True),
    Column("amount_minor", BigInteger, nullable=False),  # the legs of a transfer add up to 0
    Column("currency", String(3), nullable=False),
    Column("session_id", String(36), index=True),
    Column("at", UtcDateTime, nullable=False),
    UniqueConstraint("transfer_key", "leg", name="uq_ledger_transfer_key_leg"),
)

events = Table(
    "events",
    metadata,
    Column("session_id", ForeignKey("sessions.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("type", String(50), nullable=False),
    Column("data", Json, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("position", BigInteger),  # among all events; null until the outbox has numbered it (charging.store.outbox)
    Index("ix_events_position", "position", unique=True),
    Index(
        "ix_events_unnumbered",
        "session_id",
        "seq",
        sqlite_where=text("position IS NULL"),
        postgresql_where=text("position IS NULL"),
    ),
)

meter_readers = Table(
    "meter_readers",
    metadata,
    Column("user_id", String(255), primary_key=True),
    Column("until", UtcDateTime, nullable=False),  # meter events are written for whoever reads events
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("user_id", String(255), nullable=False, index=True),
    Column("url", String(255), nullable=False),
    Column("types", Json, nullable=False),  # of the events that it wants; empty: all
    Column("secret", Text, nullable=False),  # encrypted, as the next one
    Column("old_secret", Text),
    Column("old_secret_until", UtcDateTime),  # both sign until then
    Column("disabled_at", UtcDateTime),  # it answered 410
    Column("created_at", UtcDateTime, nullable=False),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("webhook_id", ForeignKey("webhooks.id"), nullable=False),
    Column("event_id", ForeignKey("events.id"), nullable=False),
    Column("session_id", String(36), nullable=False),
    Column("place", BigInteger, nullable=False),  # events.position
    Column("state", String(10), nullable=False),  # waiting | delivered | failed
    Column("attempts", Integer, nullable=False, default=0),
    Column("due_at", UtcDateTime, nullable=False),
    Column("http_status", Integer),  # of the last attempt; so the next
    Column("problem", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("webhook_id", "event_id", name="uq_webhook_deliveries_event"),
    Index("ix_webhook_deliveries_waiting", "webhook_id", "state", "place"),
    Index("ix_webhook_deliveries_due", "state", "due_at"),
    Index("ix_webhook_deliveries_event", "event_id"),  # for events that are to be deleted
)

job_reports = Table(
    "job_reports",
    metadata,
    Column("event_id", ForeignKey("events.id"), primary_key=True),  # a change of status; the key it is reported under
    Column("session_id", String(36), nullable=False),
    Column("place", BigInteger, nullable=False),  # events.position
    Column("state", String(10), nullable=False),  # waiting | delivered | refused
    Column("attempts", Integer, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("problem", Text),  # of the last attempt
    Index("ix_job_reports_waiting", "state", "session_id", "place"),
)

quotas = Table(
    "quotas",
    metadata,
    Column("name", String(300), primary_key=True),  # of a policy and who it is for, e.g. user/{sub}
    Column("ends_at", UtcDateTime, nullable=False),  # of the window
    Column("used", BigInteger, nullable=False),  # of the quota in it, by all processes
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(100), primary_key=True),  # e.g. ask/{connection}: one process at a time
    Column("until", UtcDateTime, nullable=False),
)

findings = Table(
    "findings",
    metadata,
    Column("connection_id", ForeignKey("connections.id"), primary_key=True),
    Column("rule", String(50), primary_key=True),  # charging.ocpi.findings.RULES, or "examined"
    Column("module", String(30), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("example", String(255), nullable=False),  # the path of a field, never what stands in it
)

peer_health = Table(
    "peer_health",
    metadata,
    Column("connection_id", ForeignKey("connections.id"), primary_key=True),
    Column("process", String(10), primary_key=True),  # api | worker
    Column("state", String(10), nullable=False),  # of the circuit breaker: closed | open | probing
    Column("failures", Integer, nullable=False),  # in a row
    Column("opened_at", UtcDateTime),
    Column("retry_at", UtcDateTime),
    Column("last_error", Text),
    Column("last_ok_at", UtcDateTime),
)

client_infos = Table(
    "client_infos",
    metadata,
    Column("connection_id", ForeignKey("connections.id"), primary_key=True),  # of the hub
    Column("country_code", String(2), primary_key=True),
    Column("party_id", String(3), primary_key=True),
    Column("role", String(10), primary_key=True),
    Column("status", String(20), nullable=False),  # CONNECTED | OFFLINE | PLANNED | SUSPENDED
    Column("last_updated", UtcDateTime, nullable=False),
)

invoices = Table(
    "invoices",
    metadata,
    Column("connection_id", ForeignKey("connections.id"), primary_key=True),
    Column("country_code", String(2), primary_key=True),
    Column("party_id", String(3), primary_key=True),
    Column("id", String(MAX_ID), primary_key=True),
    Column("body", Json, nullable=False),  # InvoiceReconciliationRecord (OCPI 2.3.0)
    Column("last_updated", UtcDateTime, nullable=False),
)

curves = Table(
    "curves",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("kind", String(10), nullable=False),  # price | carbon
    Column("currency", String(3)),
    Column("url", Text),  # where it is published; null: it was uploaded
    Column("connection_id", ForeignKey("connections.id")),  # of which it holds; null: of all
    Column("location_id", String(36)),  # upper case; of which it holds; null: of all of the connection
    Column("slots", Json, nullable=False),  # charging.planning.request.PriceSlot, in order
    Column("etag", Text),
    Column("fetched_at", UtcDateTime),  # when these slots came
    Column("checked_at", UtcDateTime),  # when its URL was last asked
    Column("last_error", Text),  # of that; null where it went well
)
