"""The tables of the specification, as data: which fields each object has in each version, and what may stand there."""

from typing import Final

from charging.ocpi.versions.fields.table import Field, Tables
from charging.ocpi.versions.fields.v211 import V211
from charging.ocpi.versions.fields.v221 import V221
from charging.ocpi.versions.fields.v230 import V230

__all__ = ["OBJECTS", "TABLES", "Field", "Tables"]

TABLES: Final[dict[str, Tables]] = {"2.1.1": V211, "2.2.1": V221, "2.3.0": V230}

# Which table is that of a kind of body. Not every version has every object.
OBJECTS: Final[dict[str, str]] = {
    "location": "Location",
    "evse": "Evse",
    "connector": "Connector",
    "tariff": "Tariff",
    "session": "Session",
    "cdr": "Cdr",
    "token": "Token",
    "location_references": "LocationReferences",
    "authorization_info": "AuthorizationInfo",
    "credentials": "Credentials",
    "version": "Version",
    "version_detail": "VersionDetail",
    "start_session": "StartSession",
    "stop_session": "StopSession",
    "reserve_now": "ReserveNow",
    "cancel_reservation": "CancelReservation",
    "unlock_connector": "UnlockConnector",
    "command_response": "CommandResponse",
    "command_result": "CommandResult",
    "set_charging_profile": "SetChargingProfile",
    "charging_profile_response": "ChargingProfileResponse",
    "active_charging_profile": "ActiveChargingProfile",
    "charging_preferences": "ChargingPreferences",
    "client_info": "ClientInfo",
    "invoice_reconciliation": "InvoiceReconciliationRecord",
}
