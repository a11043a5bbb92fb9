"""OCPI 2.1.1: where it differs from 2.2.1."""

from typing import Final

from charging.ocpi.versions.fields.table import Tables, table, values
from charging.ocpi.versions.fields.v221 import V221

_SAME: Final = (
    "DisplayText",
    "BusinessDetails",
    "Image",
    "GeoLocation",
    "AdditionalGeoLocation",
    "EnergyMix",
    "EnergySource",
    "RegularHours",
    "ExceptionalPeriod",
    "StatusSchedule",
    "Version",
    "VersionDetail",
    "CdrDimension",
    "TariffElement",
)

_TEXT: Final = {
    "EnvironmentalImpact": "source EnvironmentalImpactCategory 1, amount number 1",
    "Hours": """twentyfourseven bool ?, regular_hours RegularHours *, exceptional_openings ExceptionalPeriod *
        exceptional_closings ExceptionalPeriod *""",
    "Endpoint": "identifier ModuleID 1, url URL 1",
    "Credentials": """token secret64 1, url URL 1, business_details BusinessDetails 1, party_id id3 1
        country_code id2 1""",
    "Location": """id id39 1, type LocationType 1, name s255 ?, address s45 1, city s45 1, postal_code s10 1
        country s3 1, coordinates GeoLocation 1, related_locations AdditionalGeoLocation *, evses Evse *
        directions DisplayText *, operator BusinessDetails ?
        suboperator BusinessDetails ?, owner BusinessDetails ?, facilities Facility *
        time_zone id255 ?, opening_times Hours ?, charging_when_closed bool ?, images Image *, energy_mix EnergyMix ?
        last_updated DateTime 1""",
    "Evse": """uid id39 1, evse_id id48 ?, status Status 1, status_schedule StatusSchedule *, capabilities Capability *
        connectors Connector +, floor_level s4 ?, coordinates GeoLocation ?, physical_reference s16 ?
        directions DisplayText *, parking_restrictions ParkingRestriction *, images Image *, last_updated DateTime 1""",
    "Connector": """id id36 1, standard ConnectorType 1, format ConnectorFormat 1, power_type PowerType 1, voltage int 1
        amperage int 1, tariff_id id36 ?, terms_and_conditions URL ?, last_updated DateTime 1""",
    "Session": """id Ci36 1, start_datetime DateTime 1, end_datetime DateTime ?, kwh number 1, auth_id id36 1
        auth_method AuthMethod 1, location Location 1, meter_id id255 ?, currency id3 1
        charging_periods ChargingPeriod *, total_cost number ?, status SessionStatus 1, last_updated DateTime 1""",
    "ChargingPeriod": "start_date_time DateTime 1, dimensions CdrDimension +",
    "Cdr": """id Ci36 1, start_date_time DateTime 1, stop_date_time DateTime 1, auth_id id36 1, auth_method AuthMethod 1
        location Location 1, meter_id id255 ?, currency id3 1, tariffs Tariff *, charging_periods ChargingPeriod +
        total_cost number 1, total_energy number 1, total_time number 1, total_parking_time number ?, remark s255 ?
        last_updated DateTime 1""",
    "Tariff": """id id36 1, currency id3 1, tariff_alt_text DisplayText *, tariff_alt_url URL ?
        elements TariffElement +, energy_mix EnergyMix ?, last_updated DateTime 1""",
    "PriceComponent": "type TariffDimensionType 1, price number 1, step_size int 1",
    "TariffRestrictions": """start_time id5 ?, end_time id5 ?, start_date id10 ?, end_date id10 ?, min_kwh number ?
        max_kwh number ?, min_power number ?, max_power number ?, min_duration int ?, max_duration int ?
        day_of_week DayOfWeek *""",
    "Token": """uid id36 1, type TokenType 1, auth_id id36 1, visual_number s64 ?, issuer s64 1, valid bool 1
        whitelist WhitelistType 1, language s2 ?, last_updated DateTime 1""",
    "LocationReferences": "location_id id39 1, evse_uids id39 *, connector_ids id36 *",
    "AuthorizationInfo": "allowed AllowedType 1, location LocationReferences ?, info DisplayText ?",
    "StartSession": "response_url URL 1, token Token 1, location_id id39 1, evse_uid id39 ?",
    "StopSession": "response_url URL 1, session_id id36 1",
    "ReserveNow": """response_url URL 1, token Token 1, expiry_date DateTime 1, reservation_id int 1, location_id id39 1
        evse_uid id39 ?""",
    "UnlockConnector": "response_url URL 1, location_id id39 1, evse_uid id39 1, connector_id id36 1",
    "CommandResponse": "result CommandResponseType 1",
    "CommandResult": "result CommandResponseType 1",
}

_ENUMS: Final = {
    "AuthMethod": "AUTH_REQUEST WHITELIST",
    "Capability": """CHARGING_PROFILE_CAPABLE CREDIT_CARD_PAYABLE REMOTE_START_STOP_CAPABLE RESERVABLE RFID_READER
        UNLOCK_CAPABLE""",
    "CdrDimensionType": "ENERGY FLAT MAX_CURRENT MIN_CURRENT PARKING_TIME TIME",
    "CommandResponseType": "NOT_SUPPORTED REJECTED ACCEPTED TIMEOUT UNKNOWN_SESSION",
    "ConnectorType": """CHADEMO DOMESTIC_A DOMESTIC_B DOMESTIC_C DOMESTIC_D DOMESTIC_E DOMESTIC_F DOMESTIC_G DOMESTIC_H
        DOMESTIC_I DOMESTIC_J DOMESTIC_K DOMESTIC_L IEC_60309_2_single_16 IEC_60309_2_three_16 IEC_60309_2_three_32
        IEC_60309_2_three_64 IEC_62196_T1 IEC_62196_T1_COMBO IEC_62196_T2 IEC_62196_T2_COMBO IEC_62196_T3A
        IEC_62196_T3C TESLA_R TESLA_S""",
    "Facility": """HOTEL RESTAURANT CAFE MALL SUPERMARKET SPORT RECREATION_AREA NATURE MUSEUM BUS_STOP TAXI_STAND
        TRAIN_STATION AIRPORT CARPOOL_PARKING FUEL_STATION WIFI""",
    "LocationType": "ON_STREET PARKING_GARAGE UNDERGROUND_GARAGE PARKING_LOT OTHER UNKNOWN",
    "ModuleID": "cdrs commands credentials locations sessions tariffs tokens",
    "PowerType": "AC_1_PHASE AC_3_PHASE DC",
    "SessionStatus": "ACTIVE COMPLETED INVALID PENDING",
    "TokenType": "OTHER RFID",
}

V211: Final = Tables(
    objects={
        **{name: V221.objects[name] for name in _SAME},
        **{name: table(text) for name, text in _TEXT.items()},
    },
    enums={**V221.enums, **{name: values(text) for name, text in _ENUMS.items()}},
    open=frozenset(("ConnectorType", "ModuleID", "VersionNumber")),  # ConnectorType: a plug that it lacks is a plug
)
