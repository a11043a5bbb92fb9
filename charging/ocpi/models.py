"""The objects of OCPI 2.2.1 under the specification's field names.

Lenient on what comes in: unknown fields stay (``extra="allow"``), enums are plain strings so that unknown values
survive, a DateTime needs no ``Z``, a number may be a string, null means absent, and fields that only describe
(addresses, pictures) may miss. Strict on what goes out: ``to_wire``. Section numbers are those of OCPI 2.2.1.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from charging.ocpi.wire import MAX_ID, parse_datetime, plain

T = TypeVar("T")

DateTime = Annotated[datetime, BeforeValidator(parse_datetime)]
Whole = Annotated[int, Field(ge=-(10**15), le=10**15)]
Number = Annotated[Decimal, Field(allow_inf_nan=False, ge=-(10**15), le=10**15)]
Many = Annotated[list[T], BeforeValidator(lambda value: [] if value is None else value)]
Code = Annotated[str, Field(min_length=1, max_length=255)]  # an open enum
Id = Annotated[str, Field(min_length=1, max_length=MAX_ID)]
Country = Annotated[str, Field(min_length=2, max_length=2)]
PartyId = Annotated[str, Field(min_length=1, max_length=3)]


class OcpiModel(BaseModel):
    """Base of all OCPI objects."""

    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True, populate_by_name=True)


def to_wire(model: OcpiModel) -> dict[str, Any]:
    """``model`` as OCPI writes it: ``...Z``, numbers as JSON numbers, no nulls."""
    body: dict[str, Any] = plain(model.model_dump(exclude_none=True))
    return body


# ---- §16 Types ----------------------------------------------------------------------------------------------------


class Price(OcpiModel):
    """§16.5. ``incl_vat`` absent: unknown. A bare number, as 2.1.1 peers send it, is ``excl_vat``."""

    excl_vat: Number
    incl_vat: Number | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, value: Any) -> Any:
        return value if isinstance(value, dict | Price) else {"excl_vat": value}


class DisplayText(OcpiModel):
    """§16.3."""

    language: str = "en"
    text: str


class BusinessDetails(OcpiModel):
    """§8.4.2. ``name`` is what robots see as the network."""

    name: str
    website: str | None = None


# ---- §6, §7 Versions and credentials ------------------------------------------------------------------------------


class Version(OcpiModel):
    """§6.1.1."""

    version: str
    url: str


class Endpoint(OcpiModel):
    """§6.2.2. ``role`` is SENDER or RECEIVER; 2.1.1 has none."""

    identifier: str
    role: str | None = None
    url: str


class VersionDetail(OcpiModel):
    """§6.2.1."""

    version: str
    endpoints: list[Endpoint]


class CredentialsRole(OcpiModel):
    """§7.4.1."""

    role: Code
    business_details: BusinessDetails
    party_id: PartyId
    country_code: Country


class Credentials(OcpiModel):
    """§7.3.1. ``token`` is plain here; Base64 is for the header only. ``hub_party_id``: of 2.3.0."""

    token: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]
    url: Annotated[str, Field(min_length=1, max_length=255)]
    roles: Annotated[list[CredentialsRole], Field(min_length=1)]
    hub_party_id: Annotated[str, Field(min_length=3, max_length=5)] | None = None


# ---- §15 HubClientInfo --------------------------------------------------------------------------------------------


class ClientInfo(OcpiModel):
    """§15.4.1: a party behind a hub. ``status`` CONNECTED, OFFLINE, PLANNED or SUSPENDED."""

    party_id: PartyId
    country_code: Country
    role: Annotated[str, Field(min_length=1, max_length=10)]
    status: Annotated[str, Field(min_length=1, max_length=20)]
    last_updated: DateTime


# ---- §12 Tokens ---------------------------------------------------------------------------------------------------


class Token(OcpiModel):
    """§12.3.2. ``whitelist`` NEVER keeps a one-time token from being used offline."""

    country_code: Country
    party_id: PartyId
    uid: Id
    type: Code
    contract_id: Id
    visual_number: str | None = None
    issuer: str
    group_id: str | None = None
    valid: bool
    whitelist: Code
    language: str | None = None
    last_updated: DateTime


class CdrToken(OcpiModel):
    """§10.4.5. ``country_code`` and ``party_id`` (the eMSP's) are missing at 2.2 peers."""

    country_code: str | None = None
    party_id: str | None = None
    uid: Id
    type: Code | None = None
    contract_id: str | None = None


class LocationReferences(OcpiModel):
    """§12.4.3."""

    location_id: Id
    evse_uids: Many[str] = []


class AuthorizationInfo(OcpiModel):
    """§12.3.1. ``allowed``: ALLOWED, BLOCKED, EXPIRED, NO_CREDIT or NOT_ALLOWED."""

    allowed: Code
    token: Token
    location: LocationReferences | None = None
    authorization_reference: str | None = None
    info: DisplayText | None = None


# ---- §13 Commands -------------------------------------------------------------------------------------------------


class StartSession(OcpiModel):
    """§13.3.5. ``connector_id`` is new in 2.2.1; hubs want ``evse_uid`` always."""

    response_url: str
    token: Token
    location_id: Id
    evse_uid: Id | None = None
    connector_id: Id | None = None
    authorization_reference: Id | None = None


class StopSession(OcpiModel):
    """§13.3.6. ``session_id`` is the CPO's Session.id."""

    response_url: str
    session_id: Id


class ReserveNow(OcpiModel):
    """§13.3.4. The same ``reservation_id`` again replaces the reservation."""

    response_url: str
    token: Token
    expiry_date: DateTime
    reservation_id: Id
    location_id: Id
    evse_uid: Id | None = None
    authorization_reference: Id | None = None


class CancelReservation(OcpiModel):
    """§13.3.3. There may be a CDR all the same."""

    response_url: str
    reservation_id: Id


class UnlockConnector(OcpiModel):
    """§13.3.7: for a help desk."""

    response_url: str
    location_id: Id
    evse_uid: Id
    connector_id: Id


class CommandResponse(OcpiModel):
    """§13.3.2: the CPO understood, or did not. ``timeout`` (s) is 0 or missing at some peers."""

    result: Code
    timeout: int = 0
    message: Many[DisplayText] = []


class CommandResult(OcpiModel):
    """§13.3.1: the charge point's acknowledgement of a command; not proof that anything happened."""

    result: Code
    message: Many[DisplayText] = []


# ---- §14 Charging profiles ----------------------------------------------------------------------------------------


class ChargingProfilePeriod(OcpiModel):
    """§14.4.4. ``start_period`` s from the profile's start; ``limit`` in the profile's unit, one decimal."""

    start_period: Whole
    limit: Number


class ChargingProfile(OcpiModel):
    """§14.4.3. ``charging_rate_unit``: W in total, or A per phase. No start: from the start of charging."""

    start_date_time: DateTime | None = None
    duration: Whole | None = None
    charging_rate_unit: Code
    min_charging_rate: Number | None = None
    charging_profile_period: Many[ChargingProfilePeriod] = []


class SetChargingProfile(OcpiModel):
    """§14.3.5."""

    charging_profile: ChargingProfile
    response_url: str


class ChargingProfileResponse(OcpiModel):
    """§14.3.1: ACCEPTED, NOT_SUPPORTED, REJECTED, TOO_OFTEN or UNKNOWN_SESSION; ``timeout`` s."""

    result: Code
    timeout: int = 0


class ActiveChargingProfile(OcpiModel):
    """§14.4.1: the profile in force at the charge point."""

    start_date_time: DateTime
    charging_profile: ChargingProfile


class ChargingProfileResult(OcpiModel):
    """§14.3.2 to §14.3.4, whose bodies look the same; only a GET's result has a ``profile``."""

    result: Code
    profile: ActiveChargingProfile | None = None


# ---- §8 Locations -------------------------------------------------------------------------------------------------


class Connector(OcpiModel):
    """§8.3.3. Volts (line to neutral for three phases), amperes, watts."""

    id: Id
    standard: Code
    format: str | None = None
    power_type: Code
    max_voltage: Whole
    max_amperage: Whole
    max_electric_power: Whole | None = None
    tariff_ids: Many[str] = []
    last_updated: DateTime | None = None


class Evse(OcpiModel):
    """§8.3.2. ``uid`` is the CPO's key; ``evse_id`` is what stands on the charger, and may miss."""

    uid: Id
    evse_id: Annotated[str, Field(max_length=64)] | None = None
    status: Annotated[str, Field(min_length=1, max_length=20)]
    capabilities: Many[str] = []
    connectors: Many[Connector] = []
    physical_reference: str | None = None
    last_updated: DateTime


class GeoLocation(OcpiModel):
    """§8.4.10: strings, not numbers."""

    latitude: str
    longitude: str


class Location(OcpiModel):
    """§8.3.1. ``time_zone`` (IANA) is needed for tariffs."""

    country_code: Country
    party_id: PartyId
    id: Id
    publish: bool = True
    name: str | None = None
    address: str | None = None
    city: str | None = None
    postal_code: str | None = None
    country: str | None = None
    coordinates: GeoLocation | None = None
    evses: Many[Evse] = []
    operator: BusinessDetails | None = None
    time_zone: Annotated[str, Field(max_length=255)] | None = None
    last_updated: DateTime


# ---- §11 Tariffs --------------------------------------------------------------------------------------------------


class PriceComponent(OcpiModel):
    """§11.4.2. ``price`` excl. VAT per kWh, hour or once; ``step_size`` Wh or s; ``vat`` in percent."""

    type: Code
    price: Number
    vat: Number | None = None
    step_size: Whole = 1


class TariffRestrictions(OcpiModel):
    """§11.4.6. All given ones must hold. Times and dates are local to the Location."""

    start_time: str | None = None
    end_time: str | None = None
    start_date: str | None = None
    end_date: str | None = None
    min_kwh: Number | None = None
    max_kwh: Number | None = None
    min_current: Number | None = None
    max_current: Number | None = None
    min_power: Number | None = None
    max_power: Number | None = None
    min_duration: Whole | None = None
    max_duration: Whole | None = None
    day_of_week: Many[str] = []
    reservation: str | None = None


class TariffElement(OcpiModel):
    """§11.4.4."""

    price_components: list[PriceComponent]
    restrictions: TariffRestrictions | None = None


class Tariff(OcpiModel):
    """§11.3.1."""

    country_code: Country
    party_id: PartyId
    id: Id
    currency: Annotated[str, Field(min_length=3, max_length=3)]
    type: str | None = None
    tariff_alt_text: Many[DisplayText] = []
    tariff_alt_url: str | None = None
    min_price: Price | None = None
    max_price: Price | None = None
    elements: list[TariffElement]
    start_date_time: DateTime | None = None
    end_date_time: DateTime | None = None
    last_updated: DateTime


# ---- §9 Sessions, §10 CDRs ----------------------------------------------------------------------------------------


class CdrDimension(OcpiModel):
    """§10.4.3. ENERGY in kWh, TIME and PARKING_TIME in h, POWER in kW, STATE_OF_CHARGE in percent."""

    type: Code
    volume: Number


class ChargingPeriod(OcpiModel):
    """§10.4.6. Ends where the next one starts."""

    start_date_time: DateTime
    dimensions: Many[CdrDimension] = []
    tariff_id: str | None = None


class Session(OcpiModel):
    """§9.3.1. ``kwh`` so far; ``total_cost`` running or final, absent is not free."""

    country_code: Country
    party_id: PartyId
    id: Id
    start_date_time: DateTime
    end_date_time: DateTime | None = None
    kwh: Number
    cdr_token: CdrToken
    auth_method: str | None = None
    authorization_reference: str | None = None
    location_id: str
    evse_uid: str | None = None
    connector_id: str | None = None
    meter_id: str | None = None
    currency: Annotated[str, Field(min_length=3, max_length=3)]
    charging_periods: Many[ChargingPeriod] = []
    total_cost: Price | None = None
    status: Annotated[str, Field(min_length=1, max_length=20)]
    last_updated: DateTime


class ChargingPreferences(OcpiModel):
    """§9.3.2. ``profile_type``: CHEAP, FAST, GREEN or REGULAR; ``energy_need`` kWh."""

    profile_type: Code
    departure_time: DateTime | None = None
    energy_need: Number | None = None
    discharge_allowed: bool | None = None


class CdrLocation(OcpiModel):
    """§10.4.4. Has no time zone: the stored Location knows it."""

    id: str
    name: str | None = None
    address: str | None = None
    city: str | None = None
    country: str | None = None
    coordinates: GeoLocation | None = None
    evse_uid: str | None = None
    evse_id: str | None = None
    connector_id: str | None = None
    connector_standard: str | None = None
    connector_format: str | None = None
    connector_power_type: str | None = None


class Cdr(OcpiModel):
    """§10.3.1. Immutable; ``credit`` takes a former one back. ``total_time`` and ``total_parking_time`` in h."""

    country_code: Country
    party_id: PartyId
    id: Id
    start_date_time: DateTime
    end_date_time: DateTime
    session_id: str | None = None
    cdr_token: CdrToken
    auth_method: str | None = None
    authorization_reference: str | None = None
    cdr_location: CdrLocation
    meter_id: str | None = None
    currency: Annotated[str, Field(min_length=3, max_length=3)]
    tariffs: Many[dict[str, Any]] = []  # priced by charging.tariffs, which takes them as received
    charging_periods: Many[ChargingPeriod] = []
    total_cost: Price
    total_fixed_cost: Price | None = None
    total_energy: Number
    total_energy_cost: Price | None = None
    total_time: Number
    total_time_cost: Price | None = None
    total_parking_time: Number | None = None
    total_parking_cost: Price | None = None
    total_reservation_cost: Price | None = None
    remark: str | None = None
    invoice_reference_id: str | None = None
    credit: bool | None = None
    credit_reference_id: str | None = None
    home_charging_compensation: bool | None = None
    last_updated: DateTime


class InvoiceReconciliationRecord(OcpiModel):
    """OCPI 2.3.0, module invoicereconciliation: the CDRs that an invoice is about."""

    country_code: Country
    party_id: PartyId
    id: Id
    invoice_id: Annotated[str, Field(min_length=1, max_length=255)]
    cdrs: Annotated[list[Id], Field(min_length=1)]
    last_updated: DateTime
