"""OCPI 2.2.1, §6 to §16."""

from typing import Final

from charging.ocpi.versions.fields.table import Tables, table, values

_TEXT: Final = {
    # §16 Types, §8.4 of Locations
    "DisplayText": "language s2 1, text s512 1",
    "Price": "excl_vat number 1, incl_vat number ?",
    "BusinessDetails": "name s100 1, website URL ?, logo Image ?",
    "Image": "url URL 1, thumbnail URL ?, category ImageCategory 1, type Ci4 1, width int ?, height int ?",
    "GeoLocation": "latitude s10 1, longitude s11 1",
    "AdditionalGeoLocation": "latitude s10 1, longitude s11 1, name DisplayText ?",
    "EnergyMix": """is_green_energy bool 1, energy_sources EnergySource *, environ_impact EnvironmentalImpact *
        supplier_name s64 ?, energy_product_name s64 ?""",
    "EnergySource": "source EnergySourceCategory 1, percentage number 1",
    "EnvironmentalImpact": "category EnvironmentalImpactCategory 1, amount number 1",
    "Hours": """twentyfourseven bool 1, regular_hours RegularHours *, exceptional_openings ExceptionalPeriod *
        exceptional_closings ExceptionalPeriod *""",
    "RegularHours": "weekday int 1, period_begin s5 1, period_end s5 1",
    "ExceptionalPeriod": "period_begin DateTime 1, period_end DateTime 1",
    "StatusSchedule": "period_begin DateTime 1, period_end DateTime ?, status Status 1",
    "PublishTokenType": "uid Ci36 ?, type TokenType ?, visual_number s64 ?, issuer s64 ?, group_id Ci36 ?",
    # §6, §7 Versions and credentials
    "Version": "version VersionNumber 1, url URL 1",
    "VersionDetail": "version VersionNumber 1, endpoints Endpoint +",
    "Endpoint": "identifier ModuleID 1, role InterfaceRole 1, url URL 1",
    "Credentials": "token id64 1, url URL 1, roles CredentialsRole +",
    "CredentialsRole": "role Role 1, business_details BusinessDetails 1, party_id Ci3 1, country_code Ci2 1",
    # §8 Locations
    "Location": """country_code Ci2 1, party_id Ci3 1, id Ci36 1, publish bool 1, publish_allowed_to PublishTokenType *
        name s255 ?, address s255 1, city s45 1, postal_code s10 ?, state s45 ?, country s3 1, coordinates GeoLocation 1
        related_locations AdditionalGeoLocation *, parking_type ParkingType ?, evses Evse *, directions DisplayText *
        operator BusinessDetails ?, suboperator BusinessDetails ?, owner BusinessDetails ?, facilities Facility *
        time_zone id255 1, opening_times Hours ?, charging_when_closed bool ?, images Image *, energy_mix EnergyMix ?
        last_updated DateTime 1""",
    "Evse": """uid Ci36 1, evse_id Ci48 ?, status Status 1, status_schedule StatusSchedule *, capabilities Capability *
        connectors Connector +, floor_level s4 ?, coordinates GeoLocation ?, physical_reference s16 ?
        directions DisplayText *, parking_restrictions ParkingRestriction *, images Image *, last_updated DateTime 1""",
    "Connector": """id Ci36 1, standard ConnectorType 1, format ConnectorFormat 1, power_type PowerType 1
        max_voltage int 1, max_amperage int 1, max_electric_power int ?, tariff_ids Ci36 *
        terms_and_conditions URL ?, last_updated DateTime 1""",
    # §9 Sessions, §10 CDRs
    "Session": """country_code Ci2 1, party_id Ci3 1, id Ci36 1, start_date_time DateTime 1, end_date_time DateTime ?
        kwh number 1, cdr_token CdrToken 1, auth_method AuthMethod 1, authorization_reference Ci36 ?, location_id Ci36 1
        evse_uid Ci36 1, connector_id Ci36 1, meter_id id255 ?, currency id3 1, charging_periods ChargingPeriod *
        total_cost Price ?, status SessionStatus 1, last_updated DateTime 1""",
    "ChargingPreferences": """profile_type ProfileType 1, departure_time DateTime ?, energy_need number ?
        discharge_allowed bool ?""",
    "CdrToken": "country_code Ci2 1, party_id Ci3 1, uid Ci36 1, type TokenType 1, contract_id Ci36 1",
    "ChargingPeriod": "start_date_time DateTime 1, dimensions CdrDimension +, tariff_id Ci36 ?",
    "CdrDimension": "type CdrDimensionType 1, volume number 1",
    "Cdr": """country_code Ci2 1, party_id Ci3 1, id Ci39 1, start_date_time DateTime 1, end_date_time DateTime 1
        session_id Ci36 ?, cdr_token CdrToken 1, auth_method AuthMethod 1, authorization_reference Ci36 ?
        cdr_location CdrLocation 1, meter_id id255 ?, currency id3 1, tariffs Tariff *
        charging_periods ChargingPeriod +, signed_data SignedData ?, total_cost Price 1, total_fixed_cost Price ?
        total_energy number 1, total_energy_cost Price ?, total_time number 1, total_time_cost Price ?
        total_parking_time number ?, total_parking_cost Price ?, total_reservation_cost Price ?, remark s255 ?
        invoice_reference_id Ci39 ?, credit bool ?, credit_reference_id Ci39 ?, home_charging_compensation bool ?
        last_updated DateTime 1""",
    "CdrLocation": """id Ci36 1, name s255 ?, address s45 1, city s45 1, postal_code s10 ?, state s20 ?, country s3 1
        coordinates GeoLocation 1, evse_uid Ci36 1, evse_id Ci48 1, connector_id Ci36 1
        connector_standard ConnectorType 1, connector_format ConnectorFormat 1, connector_power_type PowerType 1""",
    "SignedData": """encoding_method Ci36 1, encoding_method_version int ?, public_key id512 ?
        signed_values SignedValue +, url id512 ?""",
    "SignedValue": "nature Ci32 1, plain_data id5000 1, signed_data id5000 1",
    # §11 Tariffs
    "Tariff": """country_code Ci2 1, party_id Ci3 1, id Ci36 1, currency id3 1, type TariffType ?
        tariff_alt_text DisplayText *, tariff_alt_url URL ?, min_price Price ?, max_price Price ?
        elements TariffElement +, start_date_time DateTime ?, end_date_time DateTime ?, energy_mix EnergyMix ?
        last_updated DateTime 1""",
    "TariffElement": "price_components PriceComponent +, restrictions TariffRestrictions ?",
    "PriceComponent": "type TariffDimensionType 1, price number 1, vat number ?, step_size int 1",
    "TariffRestrictions": """start_time id5 ?, end_time id5 ?, start_date id10 ?, end_date id10 ?
        min_kwh number ?, max_kwh number ?, min_current number ?, max_current number ?, min_power number ?
        max_power number ?, min_duration int ?, max_duration int ?, day_of_week DayOfWeek *
        reservation ReservationRestrictionType ?""",
    # §12 Tokens
    "Token": """country_code Ci2 1, party_id Ci3 1, uid Ci36 1, type TokenType 1, contract_id Ci36 1
        visual_number s64 ?, issuer s64 1, group_id Ci36 ?, valid bool 1, whitelist WhitelistType 1, language s2 ?
        default_profile_type ProfileType ?, energy_contract EnergyContract ?, last_updated DateTime 1""",
    "EnergyContract": "supplier_name s64 1, contract_id id64 ?",
    "LocationReferences": "location_id Ci36 1, evse_uids Ci36 *",
    "AuthorizationInfo": """allowed AllowedType 1, token Token 1, location LocationReferences ?
        authorization_reference Ci36 ?, info DisplayText ?""",
    # §13 Commands
    "StartSession": """response_url URL 1, token Token 1, location_id Ci36 1, evse_uid Ci36 ?, connector_id Ci36 ?
        authorization_reference Ci36 ?""",
    "StopSession": "response_url URL 1, session_id Ci36 1",
    "ReserveNow": """response_url URL 1, token Token 1, expiry_date DateTime 1, reservation_id Ci36 1
        location_id Ci36 1, evse_uid Ci36 ?, authorization_reference Ci36 ?""",
    "CancelReservation": "response_url URL 1, reservation_id Ci36 1",
    "UnlockConnector": "response_url URL 1, location_id Ci36 1, evse_uid Ci36 1, connector_id Ci36 1",
    "CommandResponse": "result CommandResponseType 1, timeout int 1, message DisplayText *",
    "CommandResult": "result CommandResultType 1, message DisplayText *",
    # §14 Charging profiles
    "SetChargingProfile": "charging_profile ChargingProfile 1, response_url URL 1",
    "ChargingProfile": """start_date_time DateTime ?, duration int ?, charging_rate_unit ChargingRateUnit 1
        min_charging_rate number1 ?, charging_profile_period ChargingProfilePeriod *""",
    "ChargingProfilePeriod": "start_period int 1, limit number1 1",
    "ChargingProfileResponse": "result ChargingProfileResponseType 1, timeout int 1",
    "ActiveChargingProfile": "start_date_time DateTime 1, charging_profile ChargingProfile 1",
    # §15 Hub client info
    "ClientInfo": """party_id Ci3 1, country_code Ci2 1, role Role 1, status ConnectionStatus 1
        last_updated DateTime 1""",
}

ENUMS: Final = {
    "AllowedType": "ALLOWED BLOCKED EXPIRED NO_CREDIT NOT_ALLOWED",
    "AuthMethod": "AUTH_REQUEST COMMAND WHITELIST",
    "Capability": """CHARGING_PROFILE_CAPABLE CHARGING_PREFERENCES_CAPABLE CHIP_CARD_SUPPORT CONTACTLESS_CARD_SUPPORT
        CREDIT_CARD_PAYABLE DEBIT_CARD_PAYABLE PED_TERMINAL REMOTE_START_STOP_CAPABLE RESERVABLE RFID_READER
        START_SESSION_CONNECTOR_REQUIRED TOKEN_GROUP_CAPABLE UNLOCK_CAPABLE""",
    "CdrDimensionType": """CURRENT ENERGY ENERGY_EXPORT ENERGY_IMPORT MAX_CURRENT MIN_CURRENT MAX_POWER MIN_POWER
        PARKING_TIME POWER RESERVATION_TIME STATE_OF_CHARGE TIME""",
    "ChargingProfileResponseType": "ACCEPTED NOT_SUPPORTED REJECTED TOO_OFTEN UNKNOWN_SESSION",
    "ChargingRateUnit": "W A",
    "CommandResponseType": "NOT_SUPPORTED REJECTED ACCEPTED UNKNOWN_SESSION",
    "CommandResultType": """ACCEPTED CANCELED_RESERVATION EVSE_OCCUPIED EVSE_INOPERATIVE FAILED NOT_SUPPORTED REJECTED
        TIMEOUT UNKNOWN_RESERVATION""",
    "ConnectionStatus": "CONNECTED OFFLINE PLANNED SUSPENDED",
    "ConnectorFormat": "SOCKET CABLE",
    "ConnectorType": """CHADEMO CHAOJI DOMESTIC_A DOMESTIC_B DOMESTIC_C DOMESTIC_D DOMESTIC_E DOMESTIC_F DOMESTIC_G
        DOMESTIC_H DOMESTIC_I DOMESTIC_J DOMESTIC_K DOMESTIC_L DOMESTIC_M DOMESTIC_N DOMESTIC_O GBT_AC GBT_DC
        IEC_60309_2_single_16 IEC_60309_2_three_16 IEC_60309_2_three_32 IEC_60309_2_three_64 IEC_62196_T1
        IEC_62196_T1_COMBO IEC_62196_T2 IEC_62196_T2_COMBO IEC_62196_T3A IEC_62196_T3C NEMA_5_20 NEMA_6_30 NEMA_6_50
        NEMA_10_30 NEMA_10_50 NEMA_14_30 NEMA_14_50 PANTOGRAPH_BOTTOM_UP PANTOGRAPH_TOP_DOWN TESLA_R TESLA_S""",
    "DayOfWeek": "MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY SUNDAY",
    "EnergySourceCategory": "NUCLEAR GENERAL_FOSSIL COAL GAS GENERAL_GREEN SOLAR WIND WATER",
    "EnvironmentalImpactCategory": "NUCLEAR_WASTE CARBON_DIOXIDE",
    "Facility": """HOTEL RESTAURANT CAFE MALL SUPERMARKET SPORT RECREATION_AREA NATURE MUSEUM BIKE_SHARING BUS_STOP
        TAXI_STAND TRAM_STOP METRO_STATION TRAIN_STATION AIRPORT PARKING_LOT CARPOOL_PARKING FUEL_STATION WIFI""",
    "ImageCategory": "CHARGER ENTRANCE LOCATION NETWORK OPERATOR OTHER OWNER",
    "InterfaceRole": "SENDER RECEIVER",
    "ModuleID": "cdrs chargingprofiles commands credentials hubclientinfo locations sessions tariffs tokens",
    "ParkingRestriction": "EV_ONLY PLUGGED DISABLED CUSTOMERS MOTORCYCLES",
    "ParkingType": "ALONG_MOTORWAY PARKING_GARAGE PARKING_LOT ON_DRIVEWAY ON_STREET UNDERGROUND_GARAGE",
    "PowerType": "AC_1_PHASE AC_2_PHASE AC_2_PHASE_SPLIT AC_3_PHASE DC",
    "ProfileType": "CHEAP FAST GREEN REGULAR",
    "ReservationRestrictionType": "RESERVATION RESERVATION_EXPIRES",
    "Role": "CPO EMSP HUB NAP NSP OTHER SCSP",
    "SessionStatus": "ACTIVE COMPLETED INVALID PENDING RESERVATION",
    "Status": "AVAILABLE BLOCKED CHARGING INOPERATIVE OUTOFORDER PLANNED REMOVED RESERVED UNKNOWN",
    "TariffDimensionType": "ENERGY FLAT PARKING_TIME TIME",
    "TariffType": "AD_HOC_PAYMENT PROFILE_CHEAP PROFILE_FAST PROFILE_GREEN REGULAR",
    "TokenType": "AD_HOC_USER APP_USER OTHER RFID",
    "VersionNumber": "2.0 2.1 2.1.1 2.2 2.2.1 2.3.0",
    "WhitelistType": "ALWAYS ALLOWED ALLOWED_OFFLINE NEVER",
}

V221: Final = Tables(
    objects={name: table(text) for name, text in _TEXT.items()},
    enums={name: values(text) for name, text in ENUMS.items()},
    open=frozenset(("ModuleID", "VersionNumber")),  # custom modules have ids of their own (§6.2.4)
)
