"""OCPI 2.3.0: what it adds to 2.2.1 and what it changes."""

from typing import Final

from charging.ocpi.versions.fields.table import Tables, table, values
from charging.ocpi.versions.fields.v221 import ENUMS, V221

_CHANGED: Final = {
    "Price": "before_taxes number 1, taxes TaxAmount *",
    "TaxAmount": "name id255 1, account_number id255 ?, percentage number ?, amount number 1",
    "PriceLimit": "before_taxes number 1, after_taxes number ?",
    "InvoiceReconciliationRecord": """country_code Ci2 1, party_id Ci3 1, id Ci36 1, invoice_id Ci255 1, cdrs Ci36 +
        last_updated DateTime 1""",
    "Parking": """id Ci36 1, vehicle_types VehicleType +, max_vehicle_weight number ?, max_vehicle_height number ?
        max_vehicle_length number ?, max_vehicle_width number ?, parking_space_length number ?
        parking_space_width number ?, dangerous_goods_allowed bool ?, direction ParkingDirection ?, drive_through bool ?
        restricted_to_type bool 1, reservation_required bool 1, time_limit number ?, roofed bool ?, images Image *
        lighting bool ?, refrigeration_outlet bool ?, standards Ci36 *, apds_reference Ci255 ?""",
    "EvseParking": "parking_id Ci36 1, evse_position EvsePosition ?",
}

_ADDED: Final = {
    "Credentials": "hub_party_id Ci5 ?",
    "Location": "parking_places Parking *, help_phone Ci25 ?",
    "Evse": "parking EvseParking *, accepted_service_providers s50 *",
    "Connector": "capabilities ConnectorCapability *",
    "Tariff": "tax_included TaxIncluded 1, min_price PriceLimit ?, max_price PriceLimit ?",
}

_ENUMS: Final = {
    "ConnectorCapability": "ISO_15118_2_PLUG_AND_CHARGE ISO_15118_20_PLUG_AND_CHARGE",
    "ConnectorType": f"{ENUMS['ConnectorType']} MCS SAE_J3400",
    "EvsePosition": "LEFT RIGHT CENTER",
    "ModuleID": f"{ENUMS['ModuleID']} invoicereconciliation",
    "ParkingDirection": "PARALLEL PERPENDICULAR ANGLE",
    "ParkingRestriction": f"{ENUMS['ParkingRestriction']} EMPLOYEES TAXIS TENANTS",
    "Role": "CPO EMSP NAP NSP OTHER SCSP",
    "TaxIncluded": "YES NO N/A",
    "TokenType": f"{ENUMS['TokenType']} EMAID",
    "VehicleType": """MOTORCYCLE PERSONAL_VEHICLE PERSONAL_VEHICLE_WITH_TRAILER VAN SEMI_TRACTOR RIGID
        TRUCK_WITH_TRAILER BUS DISABLED""",
}

V230: Final = Tables(
    objects={
        **V221.objects,
        **{name: table(text) for name, text in _CHANGED.items()},
        **{name: {**V221.objects[name], **table(text)} for name, text in _ADDED.items()},
    },
    enums={**V221.enums, **{name: values(text) for name, text in _ENUMS.items()}},
    open=frozenset(
        """ModuleID VersionNumber TokenType Capability ConnectorCapability ConnectorType EnvironmentalImpactCategory
        Facility ImageCategory ParkingRestriction ParkingType VehicleType""".split()
    ),
)
