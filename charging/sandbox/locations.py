"""The one site of this CPO: a row of chargers in Helsinki (OCPI 2.2.1 §8).

``E12345`` (uid 3256) charges cars by CCS with up to 150 kW, ``E12346`` (uid 3257) by Type 2 with up to 22 kW. The
others are there so that tests and benches can run side by side, and for what is special: no profiles, out of
order, two connectors, charging preferences in place of profiles (``E12357``). A ``uid`` says nothing about the
``evse_id``: it is a key in somebody's database.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from charging.sandbox.pricing import DayNightTariff

COUNTRY_CODE: Final = "FI"
PARTY_ID: Final = "VRT"
BUSINESS_NAME: Final = "Virta"
LOCATION_ID: Final = "LOC1"
CAPABILITIES: Final = ("REMOTE_START_STOP_CAPABLE", "RESERVABLE", "RFID_READER", "UNLOCK_CAPABLE")  # of all chargers
BUILT: Final = datetime(2026, 1, 1, tzinfo=UTC)

DC_TARIFF: Final = DayNightTariff("VRT-DC", day=Decimal("0.40"), night=Decimal("0.28"), parking=Decimal("6.00"))
AC_TARIFF: Final = DayNightTariff("VRT-AC", day=Decimal("0.24"), night=Decimal("0.16"))
TARIFFS: Final = {tariff.id: tariff for tariff in (DC_TARIFF, AC_TARIFF)}

_PHASES: Final = {"AC_1_PHASE": 1, "AC_2_PHASE": 2, "AC_3_PHASE": 3, "DC": 1}


@dataclass(frozen=True)
class Outlet:
    """A connector. ``volts`` line to neutral for AC; the cap is what cable and charger can do together."""

    id: str
    standard: str
    power_type: str
    volts: int
    amps: int
    max_kw: float
    tariff: DayNightTariff
    format: str = "CABLE"

    @property
    def is_dc(self) -> bool:
        """Whether the charger, not the car, turns AC into DC."""
        return self.power_type == "DC"

    def kw(self, limit: Decimal, unit: str) -> float:
        """A profile's ``limit`` as kW in total: W is in total, A is per phase (OCPI 2.2.1 §14.4.6)."""
        watts = limit if unit == "W" else limit * self.volts * _PHASES[self.power_type]
        return float(watts) / 1000


@dataclass(frozen=True)
class Charger:
    """An EVSE: one car at a time."""

    uid: str
    evse_id: str
    outlets: tuple[Outlet, ...]
    takes_profiles: bool = True
    takes_preferences: bool = False
    status: str = "AVAILABLE"

    def outlet(self, connector_id: str | None) -> Outlet | None:
        """The connector asked for; the first one where none was. None: there is no such connector."""
        if connector_id is None:
            return self.outlets[0]
        return next((outlet for outlet in self.outlets if outlet.id == connector_id), None)


def _ccs(kw: int, connector_id: str = "1") -> Outlet:
    return Outlet(connector_id, "IEC_62196_T2_COMBO", "DC", 500, kw * 2, float(kw), DC_TARIFF)


def _type2(kw: int, amps: int, connector_id: str = "1") -> Outlet:
    return Outlet(connector_id, "IEC_62196_T2", "AC_3_PHASE", 230, amps, float(kw), AC_TARIFF)


def _chademo(kw: int, connector_id: str) -> Outlet:
    return Outlet(connector_id, "CHADEMO", "DC", 500, kw * 2, float(kw), DC_TARIFF)


def _charger(number: int, *outlets: Outlet, **special: Any) -> Charger:
    return Charger(str(number - 9089), f"FI*VRT*E{number}", outlets, **special)


_ALL: Final = (
    _charger(12345, _ccs(150)),
    _charger(12346, _type2(22, 32)),
    _charger(12347, _ccs(150)),
    _charger(12348, _type2(22, 32)),
    _charger(12349, _ccs(150), takes_profiles=False),
    _charger(12350, _ccs(150), status="OUTOFORDER"),
    _charger(12351, _ccs(150, "1"), _chademo(50, "2")),
    _charger(12352, _type2(11, 16)),
    _charger(12357, _type2(22, 32), takes_profiles=False, takes_preferences=True),
    *(_charger(number, _ccs(150)) for number in range(12353, 12357)),
)
CHARGERS: Final[Mapping[str, Charger]] = {charger.uid: charger for charger in _ALL}


def find(evse: str) -> Charger | None:
    """The charger with this uid or this evse_id, in any spelling."""
    if evse in CHARGERS:
        return CHARGERS[evse]
    plain = _plain(evse)
    return next((charger for charger in _ALL if _plain(charger.evse_id) == plain), None)


def _plain(evse_id: str) -> str:
    return "".join(character for character in evse_id.upper() if character.isalnum())


# ---- As OCPI writes it --------------------------------------------------------------------------------------------


def location_object(statuses: Mapping[str, tuple[str, datetime]]) -> dict[str, Any]:
    """The Location with the present status of each EVSE (uid → status, since when)."""
    evses = [evse_object(charger, *statuses.get(charger.uid, (charger.status, BUILT))) for charger in _ALL]
    return {
        "country_code": COUNTRY_CODE,
        "party_id": PARTY_ID,
        "id": LOCATION_ID,
        "publish": True,
        "name": "Market Square",
        "address": "Eteläranta 1",
        "city": "Helsinki",
        "postal_code": "00130",
        "country": "FIN",
        "coordinates": {"latitude": "60.167500", "longitude": "24.953800"},
        "parking_type": "ON_STREET",
        "evses": evses,
        "operator": {"name": BUSINESS_NAME},
        "time_zone": "Europe/Helsinki",
        "opening_times": {"twentyfourseven": True},
        "last_updated": max(evse["last_updated"] for evse in evses),
    }


def evse_object(charger: Charger, status: str, since: datetime) -> dict[str, Any]:
    """``charger`` as an OCPI EVSE (§8.3.2)."""
    profiles = ["CHARGING_PROFILE_CAPABLE"] if charger.takes_profiles else []
    preferences = ["CHARGING_PREFERENCES_CAPABLE"] if charger.takes_preferences else []
    return {
        "uid": charger.uid,
        "evse_id": charger.evse_id,
        "status": status,
        "capabilities": [*profiles, *preferences, *CAPABILITIES],
        "connectors": [_connector_object(outlet) for outlet in charger.outlets],
        "physical_reference": charger.evse_id[-2:],
        "last_updated": since,
    }


def _connector_object(outlet: Outlet) -> dict[str, Any]:
    return {
        "id": outlet.id,
        "standard": outlet.standard,
        "format": outlet.format,
        "power_type": outlet.power_type,
        "max_voltage": outlet.volts,
        "max_amperage": outlet.amps,
        "max_electric_power": int(outlet.max_kw * 1000),
        "tariff_ids": [outlet.tariff.id],
        "last_updated": BUILT,
    }


def cdr_location_object(charger: Charger, outlet: Outlet) -> dict[str, Any]:
    """Where a session took place, as an OCPI CdrLocation (§10.4.4)."""
    return {
        "id": LOCATION_ID,
        "name": "Market Square",
        "address": "Eteläranta 1",
        "city": "Helsinki",
        "postal_code": "00130",
        "country": "FIN",
        "coordinates": {"latitude": "60.167500", "longitude": "24.953800"},
        "evse_uid": charger.uid,
        "evse_id": charger.evse_id,
        "connector_id": outlet.id,
        "connector_standard": outlet.standard,
        "connector_format": outlet.format,
        "connector_power_type": outlet.power_type,
    }
