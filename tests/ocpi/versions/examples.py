"""Objects as CPOs and we send them: the canonical (2.2.1) ones, and the same in the words of 2.1.1 and 2.3.0."""

from decimal import Decimal
from typing import Any, Final

from charging.ocpi.wire import Party

Body = dict[str, Any]

VIRTA: Final = Party("FI", "VRT")
ROBOTS: Final = Party("FI", "RBT")
NOW: Final = "2026-06-01T10:00:00Z"

TOKEN: Final[Body] = {
    "country_code": "FI",
    "party_id": "RBT",
    "uid": "R7K2M9QX4T1ZC8VB",
    "type": "AD_HOC_USER",
    "contract_id": "FI-RBT-C00000001",
    "issuer": "Robot Charging",
    "valid": True,
    "whitelist": "NEVER",
    "last_updated": NOW,
}

CONNECTOR: Final[Body] = {
    "id": "1",
    "standard": "IEC_62196_T2",
    "format": "CABLE",
    "power_type": "AC_3_PHASE",
    "max_voltage": 230,
    "max_amperage": 32,
    "tariff_ids": ["VRT-AC"],
    "last_updated": NOW,
}
EVSE: Final[Body] = {
    "uid": "3257",
    "evse_id": "FI*VRT*E12346",
    "status": "AVAILABLE",
    "capabilities": ["REMOTE_START_STOP_CAPABLE"],
    "connectors": [CONNECTOR],
    "last_updated": NOW,
}
LOCATION: Final[Body] = {
    "country_code": "FI",
    "party_id": "VRT",
    "id": "LOC1",
    "publish": True,
    "name": "Market Square",
    "address": "Eteläranta 1",
    "city": "Helsinki",
    "postal_code": "00130",
    "country": "FIN",
    "coordinates": {"latitude": "60.167500", "longitude": "24.953800"},
    "parking_type": "ON_STREET",
    "evses": [EVSE],
    "operator": {"name": "Virta"},
    "time_zone": "Europe/Helsinki",
    "opening_times": {
        "twentyfourseven": False,
        "regular_hours": [{"weekday": 1, "period_begin": "08:00", "period_end": "20:00"}],
    },
    "energy_mix": {
        "is_green_energy": True,
        "environ_impact": [{"category": "CARBON_DIOXIDE", "amount": Decimal("12.5")}],
    },
    "last_updated": NOW,
}

TARIFF: Final[Body] = {
    "country_code": "FI",
    "party_id": "VRT",
    "id": "VRT-AC",
    "currency": "EUR",
    "elements": [
        {
            "price_components": [{"type": "ENERGY", "price": Decimal("0.24"), "step_size": 1}],
            "restrictions": {"start_time": "07:00", "end_time": "22:00"},
        },
        {"price_components": [{"type": "ENERGY", "price": Decimal("0.16"), "step_size": 1}]},
    ],
    "last_updated": NOW,
}

PERIODS: Final[list[Body]] = [
    {
        "start_date_time": "2026-06-01T10:00:00Z",
        "dimensions": [{"type": "ENERGY", "volume": Decimal("5.5")}, {"type": "TIME", "volume": Decimal("0.5")}],
    },
    {"start_date_time": "2026-06-01T10:30:00Z", "dimensions": [{"type": "ENERGY", "volume": Decimal("4.5")}]},
]

SESSION: Final[Body] = {
    "country_code": "FI",
    "party_id": "VRT",
    "id": "S1",
    "start_date_time": "2026-06-01T10:00:00Z",
    "end_date_time": "2026-06-01T11:00:00Z",
    "kwh": Decimal(10),
    "cdr_token": {
        "country_code": "FI",
        "party_id": "RBT",
        "uid": TOKEN["uid"],
        "type": "AD_HOC_USER",
        "contract_id": TOKEN["contract_id"],
    },
    "auth_method": "COMMAND",
    "authorization_reference": "ref-1",
    "location_id": "LOC1",
    "evse_uid": "3257",
    "connector_id": "1",
    "meter_id": "M1",
    "currency": "EUR",
    "charging_periods": PERIODS,
    "total_cost": {"excl_vat": Decimal("2.40"), "incl_vat": Decimal("2.98")},
    "status": "COMPLETED",
    "last_updated": "2026-06-01T11:00:00Z",
}

CDR_LOCATION: Final[Body] = {
    "id": "LOC1",
    "name": "Market Square",
    "address": "Eteläranta 1",
    "city": "Helsinki",
    "postal_code": "00130",
    "country": "FIN",
    "coordinates": {"latitude": "60.167500", "longitude": "24.953800"},
    "evse_uid": "3257",
    "evse_id": "FI*VRT*E12346",
    "connector_id": "1",
    "connector_standard": "IEC_62196_T2",
    "connector_format": "CABLE",
    "connector_power_type": "AC_3_PHASE",
}
CDR: Final[Body] = {
    "country_code": "FI",
    "party_id": "VRT",
    "id": "CDR1",
    "start_date_time": "2026-06-01T10:00:00Z",
    "end_date_time": "2026-06-01T11:00:00Z",
    "session_id": "S1",
    "cdr_token": SESSION["cdr_token"],
    "auth_method": "COMMAND",
    "authorization_reference": "ref-1",
    "cdr_location": CDR_LOCATION,
    "currency": "EUR",
    "tariffs": [TARIFF],
    "charging_periods": PERIODS,
    "total_cost": {"excl_vat": Decimal("2.40"), "incl_vat": Decimal("2.98")},
    "total_energy": Decimal(10),
    "total_energy_cost": {"excl_vat": Decimal("2.40"), "incl_vat": Decimal("2.98")},
    "total_time": Decimal(1),
    "last_updated": "2026-06-01T11:00:05Z",
}


def without(body: Body, *names: str) -> Body:
    return {name: value for name, value in body.items() if name not in names}
