"""Requests and answers of the REST API, as the OpenAPI document shows them to robots (``/docs``).

Requests are strict: a number is a JSON number (never ``true`` or ``"60"``), unknown fields are refused, text holds no
NUL. Answers describe what is sent; numbers are JSON numbers. Units: kWh, kW, W, whole minutes, money in ``currency``.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictInt,
    StrictStr,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from api.plan_schemas import PlanAnswer
from charging.ocpi.wire import MAX_ID
from charging.planning.request import Strategy
from charging.session.costs import CostSource
from charging.session.model import Phase, Status
from charging.session.profile import ProfilePeriod, ProfileWish
from charging.session.reading import NextAction
from charging.store.evse_index import Place

MAX_KWH = 1000
MAX_KW = 10_000
MAX_MONEY = 100_000
MAX_PERIODS = 100

_DECIMAL_PLACES = Decimal("0.000001")


def _number(value: Any) -> Decimal:
    """A JSON number as an exact decimal of at most six places, which hides the noise of binary fractions."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise PydanticCustomError("number_type", "Must be a JSON number.")
    number = Decimal(value)
    if not number.is_finite():
        raise PydanticCustomError("finite_number", "Must be a finite number.")
    if abs(number) > 10**12:
        raise PydanticCustomError("out_of_range", "Must be a number of ordinary size.")
    return number.quantize(_DECIMAL_PLACES).normalize() + 0


def _storable(value: str) -> str:
    """No store keeps NUL or half of a surrogate pair, and no answer could repeat them."""
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise PydanticCustomError("string_unicode", "Must not contain NUL or lone surrogates.")
    return value


def _instant(value: Any) -> Any:
    if not isinstance(value, str) or len(value) > 40 or "T" not in value.upper():
        raise PydanticCustomError("datetime_type", "Must be an RFC 3339 date-time with a time zone.")
    return value


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("out_of_range", "Must be a date of our time.") from None


Number = Annotated[Decimal, BeforeValidator(_number), PlainSerializer(float), WithJsonSchema({"type": "number"})]
Text = Annotated[StrictStr, AfterValidator(_storable)]
Short = Annotated[Text, StringConstraints(min_length=1, max_length=100)]
Instant = Annotated[AwareDatetime, BeforeValidator(_instant), AfterValidator(_utc)]
Kwh = Annotated[Number, Field(gt=0, le=MAX_KWH)]
Kw = Annotated[Number, Field(gt=0, le=MAX_KW)]
EvseName = Annotated[Text, StringConstraints(min_length=1, max_length=64)]
ConnectorName = Annotated[Text, StringConstraints(min_length=1, max_length=40)]
Watts = Annotated[Number, Field(ge=0, le=MAX_KW * 1000)]

CountryCode = Annotated[Text, StringConstraints(min_length=2, max_length=2)]
PartyId = Annotated[Text, StringConstraints(min_length=1, max_length=3)]
LocationId = Annotated[Text, StringConstraints(min_length=1, max_length=MAX_ID)]

EVSE_EXAMPLE = "FI-VRT-E12345"
ID_EXAMPLE = "0f8fad5b-d9cb-469f-a165-70867728950e"


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Whereabouts(BaseModel):
    """The Location that narrows an EVSE down: all three fields, or none."""

    country_code: CountryCode | None = None
    party_id: PartyId | None = None
    location_id: Annotated[LocationId, Field(description="Then evse_id may be a uid there, too.")] | None = None

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        if len({part is None for part in (self.country_code, self.party_id, self.location_id)}) > 1:
            raise PydanticCustomError("incomplete_location", "Give country_code, party_id and location_id, or none.")
        return self

    @property
    def place(self) -> Place | None:
        """The Location; None where none was given."""
        if self.country_code is None or self.party_id is None or self.location_id is None:
            return None
        return Place(self.country_code, self.party_id, self.location_id)


class StartRequest(_Request, Whereabouts):
    """``battery_target_kwh`` is what the battery shall hold, ``battery_level_kwh`` what it holds now (default 0).

    An EVSE without an EVSE id is named by its uid and its Location: ``country_code``, ``party_id``, ``location_id``.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"evse_id": EVSE_EXAMPLE, "connector_type": "CCS", "battery_target_kwh": 60.0},
                {"evse_id": EVSE_EXAMPLE, "battery_target_kwh": 60.0, "battery_level_kwh": 18.5, "max_cost": 25},
            ]
        }
    )

    evse_id: EvseName
    connector_type: ConnectorName | None = None
    battery_target_kwh: Kwh | None = None
    battery_level_kwh: Annotated[Number, Field(ge=0, le=MAX_KWH)] | None = None
    max_cost: Annotated[Number, Field(gt=0, le=MAX_MONEY)] | None = None
    robot_id: Short | None = None
    job_id: Short | None = None
    metadata: Annotated[dict[Short, Annotated[Text, StringConstraints(max_length=500)]], Field(max_length=20)] = Field(
        default={}, description="At most 20 strings of your own."
    )

    @model_validator(mode="after")
    def _target_above_level(self) -> Self:
        if self.battery_target_kwh is not None and self.battery_target_kwh <= (self.battery_level_kwh or 0):
            raise PydanticCustomError("target_not_above_level", "battery_target_kwh must be above battery_level_kwh.")
        return self

    @property
    def need_kwh(self) -> Decimal | None:
        """Energy to deliver: target less level. None: until somebody stops it."""
        if self.battery_target_kwh is None:
            return None
        return self.battery_target_kwh - (self.battery_level_kwh or 0)


class StopRequestBody(_Request):
    """Which session to stop."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"session_id": ID_EXAMPLE}]})

    session_id: Annotated[Text, StringConstraints(max_length=100)]


class ReservationRequest(_Request):
    """Which EVSE to keep free, and until when."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"evse_id": EVSE_EXAMPLE, "expires_at": "2026-03-30T18:00:00Z"}]}
    )

    evse_id: EvseName
    expires_at: Instant


class ReservationAnswer(BaseModel):
    """``result``: the CPO's word that decided ``status``; ``session_id``: the session that used it."""

    reservation_id: str
    status: Literal["pending", "reserved", "cancelling", "rejected", "cancelled", "used", "expired"]
    evse_id: str
    network: str
    expires_at: datetime
    result: str | None
    session_id: str | None


class Period(_Request):
    """From ``start_period`` s from now on, at most ``limit`` W."""

    start_period: Annotated[StrictInt, Field(ge=0, le=31 * 86400)]
    limit: Watts


class _PlanTerms(_Request):
    """How to be ready by a departure; each has a default that suits most.

    ``strategy``: `cheapest` (the default), `greenest`, `asap`, or `latest`. ``guaranteed_kwh`` are charged first, at
    once. ``min_charge_rate_kw``: power is 0 or at least that.
    """

    strategy: Strategy | None = None
    guaranteed_kwh: Kwh | None = None
    min_charge_rate_kw: Kw | None = None
    max_charge_rate_kw: Kw | None = None

    @model_validator(mode="after")
    def _min_within_max(self) -> Self:
        least, most = self.min_charge_rate_kw, self.max_charge_rate_kw
        if least is not None and most is not None and least > most:
            raise PydanticCustomError("min_above_max", "min_charge_rate_kw must not be above max_charge_rate_kw.")
        return self


class ProfileRequestBody(_PlanTerms):
    """One of: a cap, a departure, both, or a schedule of your own (``periods``).

    With a departure, ``strategy`` (default `cheapest`) says how to be ready by then; ``guaranteed_kwh`` are charged
    first, at once; ``min_charge_rate_kw``: power is 0 or at least that.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"max_charge_rate_kw": 7.4},
                {"max_charge_rate_kw": 11.0, "departure_time": "2026-03-30T18:00:00Z"},
                {"departure_time": "2026-03-30T18:00:00Z", "strategy": "greenest", "guaranteed_kwh": 10.0},
                {"periods": [{"start_period": 0, "limit": 11000}, {"start_period": 3600, "limit": 7400}]},
            ]
        }
    )

    departure_time: Instant | None = None
    periods: Annotated[list[Period], Field(min_length=1, max_length=MAX_PERIODS)] | None = None

    @model_validator(mode="after")
    def _one_wish(self) -> Self:
        simple = self.max_charge_rate_kw is not None or self.departure_time is not None
        if not simple and self.periods is None:
            raise PydanticCustomError("empty_profile", "Give max_charge_rate_kw, departure_time or periods.")
        if simple and self.periods is not None:
            raise PydanticCustomError("mixed_profile", "periods excludes max_charge_rate_kw and departure_time.")
        return self

    @model_validator(mode="after")
    def _terms_of_a_departure(self) -> Self:
        terms = (self.strategy, self.guaranteed_kwh, self.min_charge_rate_kw)
        if self.departure_time is None and any(term is not None for term in terms):
            words = "strategy, guaranteed_kwh and min_charge_rate_kw need a departure_time."
            raise PydanticCustomError("departure_missing", words)
        return self

    @model_validator(mode="after")
    def _periods_ascend(self) -> Self:
        starts = [period.start_period for period in self.periods or []]
        if starts and starts[0] != 0:
            raise PydanticCustomError("first_period_not_at_0", "The first of periods must start at 0.")
        if any(later <= earlier for earlier, later in pairwise(starts)):
            raise PydanticCustomError("periods_not_ascending", "periods must ascend by start_period.")
        return self

    def wish(self) -> ProfileWish:
        """The request in the engine's words."""
        periods = tuple(ProfilePeriod(start_period=p.start_period, limit=p.limit) for p in self.periods or ())
        return ProfileWish(
            max_charge_rate_kw=self.max_charge_rate_kw,
            departure_time=self.departure_time,
            periods=periods or None,
            strategy=self.strategy,
            guaranteed_kwh=self.guaranteed_kwh,
            min_charge_rate_kw=self.min_charge_rate_kw,
        )


class PlanRequestBody(_PlanTerms, Whereabouts):
    """A session that might be: where, how much, until when. The EVSE is named as at a start."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "evse_id": EVSE_EXAMPLE,
                    "connector_type": "CCS",
                    "energy_kwh": 40.0,
                    "departure_time": "2026-03-30T18:00:00Z",
                }
            ]
        }
    )

    evse_id: EvseName
    connector_type: ConnectorName | None = None
    energy_kwh: Kwh
    departure_time: Instant

    def wish(self) -> ProfileWish:
        """What would be asked of the session."""
        return ProfileWish(
            max_charge_rate_kw=self.max_charge_rate_kw,
            departure_time=self.departure_time,
            strategy=self.strategy,
            guaranteed_kwh=self.guaranteed_kwh,
            min_charge_rate_kw=self.min_charge_rate_kw,
        )


def _answer_config(example: Mapping[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [dict(example)]})


class StartAnswer(BaseModel):
    """A session was started, or this key had started it before."""

    model_config = _answer_config(
        {"session_id": ID_EXAMPLE, "status": "pending", "evse_id": EVSE_EXAMPLE, "network": "Virta"}
    )

    session_id: str
    status: Status
    evse_id: str
    network: str


class StopAnswer(BaseModel):
    """``stopping``, or the status of a session that has ended."""

    model_config = _answer_config({"session_id": ID_EXAMPLE, "status": "stopping"})

    session_id: str
    status: Status


class ReasonAnswer(BaseModel):
    """Why a session is where it is."""

    code: str
    detail: str
    retryable: bool
    party: str


_STATUS_EXAMPLE = {
    "session_id": ID_EXAMPLE,
    "status": "active",
    "energy_kwh": 12.4,
    "cost": 5.32,
    "cost_so_far": 5.32,
    "cost_if_stopped": 5.40,
    "cost_source": "estimate",
    "currency": "EUR",
    "duration_minutes": 17,
    "start_time": "2026-03-30T12:00:00Z",
    "evse_id": EVSE_EXAMPLE,
    "network": "Virta",
    "phase": "charging",
    "reason": None,
    "next_action": "wait",
    "power_kw": 43.8,
    "state_of_charge": 51.0,
    "target_kwh": 60.0,
    "limit_kw": None,
    "estimated_end_time": "2026-03-30T12:40:00Z",
    "safe_to_unplug": False,
    "stale": False,
    "revision": 14,
    "updated_at": "2026-03-30T12:17:03Z",
    "robot_id": None,
    "job_id": None,
    "metadata": {},
    "created_at": "2026-03-30T11:59:50Z",
    "ended_at": None,
}


class StatusAnswer(BaseModel):
    """Where a session stands. ``next_action`` is what a robot branches on.

    ``cost`` (and ``cost_so_far``, the same) is null while energy flows at a price that nobody has told us.
    ``cost_source``: `estimate`, ours by the tariff at the start, which grows with the time between the CPO's updates;
    `cpo`, its running total; `cdr`, its bill. ``cost_if_stopped``: what a stop now would come to, with the blocks in
    which the tariff counts; null where nothing runs. ``stale``: the CPO has been silent.
    """

    model_config = _answer_config(_STATUS_EXAMPLE)

    session_id: str
    status: Status
    energy_kwh: float
    cost: float | None
    cost_so_far: float | None
    cost_if_stopped: float | None
    cost_source: CostSource | None
    currency: str
    duration_minutes: int
    start_time: datetime | None
    evse_id: str
    network: str
    phase: Phase | None
    reason: ReasonAnswer | None
    next_action: NextAction
    power_kw: float | None
    state_of_charge: float | None
    target_kwh: float | None
    limit_kw: float | None
    estimated_end_time: datetime | None
    safe_to_unplug: bool
    stale: bool
    revision: int
    updated_at: datetime
    robot_id: str | None
    job_id: str | None
    metadata: dict[str, str]
    created_at: datetime
    ended_at: datetime | None


class HistoryAnswer(BaseModel):
    """One page of the caller's sessions, newest first. ``next_cursor`` null: that was the last page."""

    model_config = _answer_config({"sessions": [_STATUS_EXAMPLE], "next_cursor": None})

    sessions: list[StatusAnswer]
    next_cursor: str | None


class PeriodAnswer(BaseModel):
    """From ``start_period`` s on, at most ``limit`` W."""

    start_period: int
    limit: float


class ProfileAnswerBody(BaseModel):
    """``profile_set`` is true only once the CPO's asynchronous result says ACCEPTED."""

    model_config = _answer_config(
        {
            "session_id": ID_EXAMPLE,
            "profile_set": True,
            "max_charge_rate_kw": 11.0,
            "departure_time": "2026-03-30T18:00:00Z",
            "periods": [{"start_period": 0, "limit": 11000}],
            "plan": None,
        }
    )

    session_id: str
    profile_set: bool
    max_charge_rate_kw: float | None
    departure_time: datetime | None
    periods: list[PeriodAnswer] | None
    plan: PlanAnswer | None


class ProfileClearedAnswer(BaseModel):
    """``profile_cleared`` is true once the CPO's result says so: full speed again."""

    model_config = _answer_config({"session_id": ID_EXAMPLE, "profile_cleared": True})

    session_id: str
    profile_cleared: bool


class ReceiptLineAnswer(BaseModel):
    """One dimension of the bill. VAT is null where the CPO tells none."""

    dimension: str
    volume: float | None
    unit: str | None
    excl_vat: float
    vat: float | None
    incl_vat: float | None


class ReceiptItemAnswer(BaseModel):
    """What one price of the tariff comes to: `billed_volume` (kWh, h or times) * `price`; `vat` in %."""

    dimension: str
    tariff_id: str
    element: int
    volume: float
    billed_volume: float
    price: float
    vat: float | None
    excl_vat: float | None
    incl_vat: float | None
    why: str


class AuditAnswer(BaseModel):
    """Whether the CPO's bill agrees with itself, with its tariff, with ours, and with what the session told.

    `decision`: a person's, where one was asked.
    """

    verdict: Literal["match", "mismatch", "unverifiable"]
    differences: list[str]
    decision: Literal["accepted", "rejected"] | None


class RetryAnswer(BaseModel):
    """The payment is asked for again; the receipt says what became of it."""

    model_config = _answer_config({"session_id": ID_EXAMPLE, "payment_status": "pending"})

    session_id: str
    payment_status: Literal["pending"]


class ReceiptAnswer(BaseModel):
    """What the session cost, as the CPO's bill says it. A correction makes a new ``version``."""

    model_config = _answer_config(
        {
            "session_id": ID_EXAMPLE,
            "network": "Virta",
            "evse_id": EVSE_EXAMPLE,
            "energy_kwh": 41.5,
            "duration_minutes": 52,
            "cost": 17.85,
            "currency": "EUR",
            "payment_status": "paid",
            "amount_due": 17.85,
            "lines": [
                {
                    "dimension": "ENERGY",
                    "volume": 41.5,
                    "unit": "kWh",
                    "excl_vat": 14.39,
                    "vat": 3.46,
                    "incl_vat": 17.85,
                }
            ],
            "items": [
                {
                    "dimension": "ENERGY",
                    "tariff_id": "DAY",
                    "element": 1,
                    "volume": 41.5,
                    "billed_volume": 41.5,
                    "price": 0.3467,
                    "vat": 24.0,
                    "excl_vat": 14.38805,
                    "incl_vat": 17.841182,
                    "why": "element 1",
                }
            ],
            "cdr_ids": ["CDR-2026-0001"],
            "started_at": "2026-03-30T12:00:00Z",
            "ended_at": "2026-03-30T12:52:10Z",
            "audit": {"verdict": "match", "differences": [], "decision": None},
            "version": 1,
        }
    )

    session_id: str
    network: str
    evse_id: str
    energy_kwh: float
    duration_minutes: int
    cost: float
    currency: str
    payment_status: Literal["pending", "paid", "failed", "refunded", "not_required"]
    amount_due: float
    lines: list[ReceiptLineAnswer]
    items: list[ReceiptItemAnswer]
    cdr_ids: list[str]
    started_at: datetime | None
    ended_at: datetime | None
    audit: AuditAnswer
    version: int


class TariffAnswer(BaseModel):
    """The CPO's OCPI Tariff object that a start now would fall under, as received (OCPI 2.2.1 §11.3.1)."""

    model_config = ConfigDict(extra="allow")

    id: str
    currency: str
    elements: list[dict[str, Any]]


class ConnectorAnswer(BaseModel):
    """``connector_type`` is what a start takes; ``standard`` and the others are OCPI's.

    ``tariff`` null: the price is unknown, which is not free.
    """

    id: str
    connector_type: str
    standard: str
    format: str | None
    power_type: str
    max_power_kw: float
    tariff: TariffAnswer | None


class CoordinatesAnswer(BaseModel):
    """Degrees, WGS 84."""

    latitude: float
    longitude: float


class EvseLocationAnswer(BaseModel):
    """The Location of an EVSE. ``opening_times`` is OCPI's Hours, in ``time_zone`` (IANA); null: not told."""

    country_code: str
    party_id: str
    id: str
    name: str | None
    address: str | None
    city: str | None
    postal_code: str | None
    country: str | None
    time_zone: str | None
    opening_times: dict[str, Any] | None
    charging_when_closed: bool


_EVSE_EXAMPLE = {
    "evse_id": "FI*VRT*E12345",
    "evse_uid": "3256",
    "network": "Virta",
    "status": "AVAILABLE",
    "last_updated": "2026-03-30T11:58:00Z",
    "coordinates": {"latitude": 60.169857, "longitude": 24.938379},
    "physical_reference": "A1",
    "location": {
        "country_code": "FI",
        "party_id": "VRT",
        "id": "LOC1",
        "name": "Test site",
        "address": "Testikatu 1",
        "city": "Helsinki",
        "postal_code": "00100",
        "country": "FIN",
        "time_zone": "Europe/Helsinki",
        "opening_times": {"twentyfourseven": True},
        "charging_when_closed": True,
    },
    "connectors": [
        {
            "id": "1",
            "connector_type": "CCS",
            "standard": "IEC_62196_T2_COMBO",
            "format": "CABLE",
            "power_type": "DC",
            "max_power_kw": 150.0,
            "tariff": {
                "id": "T1",
                "currency": "EUR",
                "elements": [{"price_components": [{"type": "ENERGY", "price": 0.25, "vat": 24, "step_size": 1}]}],
            },
        }
    ],
    "capabilities": ["REMOTE_START_STOP_CAPABLE", "CHARGING_PROFILE_CAPABLE"],
    "remote_start": True,
    "profile_capable": True,
}


class EvseAnswer(BaseModel):
    """An EVSE as its CPO tells of it. ``status`` is OCPI's; ``evse_id`` is as the CPO spells it, and may miss.

    ``remote_start`` null: the CPO does not say that it can, which is no reason not to try.
    """

    model_config = _answer_config(_EVSE_EXAMPLE)

    evse_id: str | None
    evse_uid: str
    network: str
    status: str
    last_updated: datetime
    coordinates: CoordinatesAnswer | None
    physical_reference: str | None
    location: EvseLocationAnswer
    connectors: list[ConnectorAnswer]
    capabilities: list[str]
    remote_start: bool | None
    profile_capable: bool


class NearbyEvse(EvseAnswer):
    """An EVSE, and how far it is, in m as the crow flies."""

    model_config = _answer_config({**_EVSE_EXAMPLE, "distance_m": 130.0})

    distance_m: float


class NearbyAnswer(BaseModel):
    """Nearest first. ``truncated``: there is more within the radius; a smaller radius or a filter shows it."""

    model_config = _answer_config({"evses": [{**_EVSE_EXAMPLE, "distance_m": 130.0}], "truncated": False})

    evses: list[NearbyEvse]
    truncated: bool


class FieldError(BaseModel):
    """One field that is not valid. Never repeats what was sent."""

    field: str
    code: str
    detail: str


class ProblemAnswer(BaseModel):
    """RFC 9457. ``code`` is stable; ``errors`` names the fields of a ``validation_error``. May carry more members."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:charging-sessions:problem:evse_busy",
                    "title": "Conflict",
                    "status": 409,
                    "code": "evse_busy",
                    "detail": "Another session has this EVSE.",
                }
            ]
        },
    )

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[FieldError] | None = None


class LiveAnswer(BaseModel):
    """The process runs."""

    status: Literal["ok"]


class ReadyAnswer(BaseModel):
    """Whether the store and Temporal answer."""

    status: Literal["ready", "not_ready"]
    store: bool
    temporal: bool
