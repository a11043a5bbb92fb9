"""Messages that reach a session: one model each. Every one carries ``message_id``; a repeat is dropped.

All fields have defaults: operators send these from Temporal UI, and a handler must never throw (docs/adr/0002).
"""

from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict

from charging.session.model import Meter, Word
from charging.session.profile import ProfileWish


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    message_id: str | None = None


class StopRequest(_Message):
    """``stop``: end the session. From the API, from Temporal UI, or from the command line."""

    by: Literal["user", "operator"] = "operator"


class ProfileRequest(_Message):
    """``change_profile``: a newer request supersedes an open one. ``message_id`` is the profile request's id."""

    wish: ProfileWish = ProfileWish()


class ClearProfileRequest(_Message):
    """``clear_profile``: full speed again. ``message_id`` is the profile request's id."""


class CommandResultMessage(_Message):
    """``command_result``: the asynchronous result of a command or a charging profile (OCPI 2.2.1 §13.2, §14.2).

    ``command`` is ``START_SESSION``, ``STOP_SESSION``, ``SET_PROFILE``, ``CLEAR_PROFILE`` or ``ACTIVE_PROFILE``;
    ``result`` is the CommandResultType or ChargingProfileResultType, cut. ``active_limit`` (W, or A per phase,
    as ``active_unit`` says) is what an ActiveChargingProfileResult allows now.
    """

    command: str = ""
    command_id: str = ""
    result: Word = ""
    detail: str | None = None
    active_limit: Decimal | None = None
    active_unit: str | None = None


class SessionUpdated(_Message):
    """``session_updated``: the stored meter, because it would change the workflow's mind."""

    meter: Meter = Meter()


class CdrReceived(_Message):
    """``cdr_received``: a CDR is stored (``settled`` False) or settled and its receipt exists (``settled`` True)."""

    settled: bool = False
    payment_status: str | None = None


class PricesChanged(_Message):
    """``prices_changed``: the curve that the session's plan rests on is another."""


class LateSession(_Message):
    """Input of ``LateSessionWorkflow``: a CPO Session that nobody waits for any more, to be stopped at once.

    ``ocpi_session_id`` is the CPO's Session.id, ``session_id`` ours.
    """

    session_id: str = ""
    connection_id: str = ""
    ocpi_session_id: str = ""
