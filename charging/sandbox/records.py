"""The sandbox's own account of what reached it and what it did: ``GET /admin/records``."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str
    received_at: datetime
    response: str  # the synchronous answer, or how it was spoiled
    result: str | None = None  # the asynchronous one


class Start(_Record):
    """A START_SESSION that reached us. ``session_ids``: what it made, one for each time that it was executed."""

    authorization_reference: str | None = None
    token_uid: str | None = None
    evse_uid: str | None = None
    connector_id: str | None = None
    response_url: str | None = None
    session_ids: list[str] = []


class Stop(_Record):
    """A STOP_SESSION that reached us."""

    session_id: str


class ProfileCall(_Record):
    """A charging profile set, cleared or asked for, or charging preferences told.

    ``kind``: SET_PROFILE, CLEAR_PROFILE, ACTIVE_PROFILE or PREFERENCES.
    """

    kind: str
    session_id: str
    charging_profile: dict[str, Any] | None = None
    charging_preferences: dict[str, Any] | None = None


class OtherCommand(_Record):
    """A RESERVE_NOW, CANCEL_RESERVATION or UNLOCK_CONNECTOR (``kind``) that reached us."""

    kind: str
    evse_uid: str | None = None
    connector_id: str | None = None
    reservation_id: str | None = None


class Swipe(BaseModel):
    """A card that was held to a charger. ``asked``: its eMSP; ``allowed``: an AllowedType of OCPI."""

    id: str
    at: datetime
    evse_uid: str
    token_uid: str
    emsp: str | None
    allowed: str
    asked: bool
    session_id: str | None


class Invoice(BaseModel):
    """An invoice to an eMSP with the CDRs on it. ``sent``: the eMSP took the word of it."""

    id: str
    emsp: str
    invoice_id: str
    cdrs: list[str]
    at: datetime
    sent: bool = False


class Cdr(BaseModel):
    """A CDR: its OCPI object as JSON text, and when it is due. ``done``: nothing more will be tried; ``sent``: the
    eMSP took it; ``issued``: the list shows it; ``changes``: what a fault makes of it, as it is sent and shown;
    ``follows``: the CDR that it credits or corrects.
    """

    id: str
    session_id: str
    emsp: str
    body: str
    due_at: datetime
    done: bool = False
    sent: bool = False
    issued: bool = False
    changes: dict[str, Any] = {}
    follows: str | None = None


class Job(BaseModel):
    """A result that is owed to a ``response_url``, posted once when due; gone after that, answered or not.

    ``evse_uid``: where the command is to have its effect.
    """

    id: str
    emsp: str
    url: str
    body: dict[str, Any]
    due_at: datetime
    evse_uid: str | None = None
