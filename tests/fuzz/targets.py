"""What reads the words of strangers without any I/O, each as a function of bytes that a fuzzer thinks of.

A target returns when it has read, or has refused as its documentation says. Anything else that it raises is a finding.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import jwt
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from api import problems
from api.auth import Authenticator
from api.quote_schemas import QuoteRequest
from api.schemas import PlanRequestBody, ProfileRequestBody, ReservationRequest, StartRequest, StopRequestBody
from api.strict_json import parse
from api.webhook_schemas import WebhookRequest
from charging.errors import Problem, UnusableMessage
from charging.ocpi import evse_id, session_object, wire
from charging.ocpi.models import Cdr, Credentials, Location
from charging.ocpi.models import Tariff as OcpiTariff
from charging.ocpi.versions import DIALECTS, Kind, dialect
from charging.payments.cdr import Unreadable, read_cdr
from charging.settings import Settings
from charging.tariffs.audit import Evidence, audit_cdr
from charging.tariffs.quote import planned_charge, quoted
from charging.tariffs.rating import rate
from charging.tariffs.rules import DEFAULT_RULES
from charging.tariffs.tariff import Unpriceable, read_tariff
from charging.tariffs.usage import UnreadableUsage, read_usage
from tests.fuzz.spoiling import Choose, credentials, in_version, objects, spoiled, text_of

NOW: Final = datetime(2026, 3, 30, 12, tzinfo=UTC)
MODELS: Final[Mapping[Kind, type[BaseModel]]] = {"location": Location, "tariff": OcpiTariff, "cdr": Cdr}
REQUESTS: Final = (
    StartRequest,
    StopRequestBody,
    ProfileRequestBody,
    PlanRequestBody,
    QuoteRequest,
    ReservationRequest,
    WebhookRequest,
)
OBJECTS: Final = objects()
GOOD: Final = {
    (version, kind): in_version(version, kind, body) for version in DIALECTS for kind, body in OBJECTS.items()
}
EXAMPLES: Final = [(model, example) for model in REQUESTS for example in model.model_json_schema()["examples"]]
_AUTHENTICATOR: Final = Authenticator(Settings())


def chooser(data: bytes) -> Choose:
    """Choices out of bytes, two for each; 0 where they have run out."""
    rest = iter(data)
    return lambda n: (next(rest, 0) * 256 + next(rest, 0)) % n


def ocpi_object(data: bytes) -> None:
    """A spoiled object of any version and kind, read as a push is."""
    choose = chooser(data)
    version, kind = list(GOOD)[choose(len(GOOD))]
    _read_push(text_of(spoiled(GOOD[version, kind], choose)), version, kind)


def ocpi_body(data: bytes) -> None:
    """Any bytes as the body of a push."""
    for version in DIALECTS:
        for kind in OBJECTS:
            _read_push(data, version, kind)


def _read_push(raw: bytes, version: str, kind: Kind) -> None:
    try:
        body = wire.loads(raw)
    except wire.MalformedJson:
        return
    if not isinstance(body, dict):
        return
    canonical = dialect(version).read(kind, body, wire.Party("FI", "VRT"))
    if kind == "session":
        _session(canonical)
        return
    try:
        MODELS[kind].model_validate(canonical)
    except ValidationError:
        return
    if kind == "location":
        for each in canonical.get("evses") or []:
            evse_id.read_connectors(each)
    wire.dumps(dialect(version).write(kind, canonical))


def _session(body: dict[str, Any]) -> None:
    stored = OBJECTS["session"]
    for merge in (session_object.put, session_object.patch):
        try:
            merged = merge(stored, body, NOW)
        except UnusableMessage:
            continue
        if merged is not None:
            session_object.reading(merged)
            wire.dumps(merged)


def envelope(data: bytes) -> None:
    """An answer of a CPO: envelope, time stamp, link to the next page, token."""
    choose = chooser(data)
    good = {"data": [OBJECTS["tariff"]], "status_code": 1000, "timestamp": "2026-03-30T12:00:00Z"}
    for raw in (data, text_of(spoiled(good, choose))):
        try:
            wire.read_envelope(wire.loads(raw))
        except wire.MalformedJson:
            continue
    text = data.decode("latin-1")
    wire.next_link(text)
    wire.token_candidates(text)
    try:
        wire.format_datetime(wire.parse_datetime(text))
    except ValueError:
        return


def evse_names(data: bytes) -> None:
    """Any text as an EVSE id."""
    text = data.decode("utf-8", "surrogateescape")
    for read in (evse_id.lookup_key, evse_id.segments, evse_id.operator_prefix, evse_id.without_last_segment):
        read(text)
    evse_id.connector_types(text)


def tariff_engine(data: bytes) -> None:
    """A spoiled tariff prices a charge, and a spoiled CDR is read, priced and audited."""
    choose = chooser(data)
    tariff, cdr = OBJECTS["tariff"], OBJECTS["cdr"]
    try:
        odd = wire.loads(text_of(spoiled(tariff, choose)))
        billed = wire.loads(text_of(spoiled(cdr, choose)))
    except wire.MalformedJson:
        return
    charge = planned_charge(Decimal(20), Decimal(11), NOW, None)
    quoted(odd if isinstance(odd, dict) else {}, "Europe/Helsinki", DEFAULT_RULES, charge)
    try:
        rate(read_usage(billed), [read_tariff(odd)], ZoneInfo("UTC"), DEFAULT_RULES)
    except (Unpriceable, UnreadableUsage):
        pass
    if isinstance(billed, dict):
        _bill(billed, odd)


def _bill(cdr: dict[str, Any], tariff: Any) -> None:
    try:
        read_cdr(cdr)
    except Unreadable:
        return
    kept = tariff if isinstance(tariff, dict) else None
    audit_cdr(cdr, Evidence(tariff=kept, zone=ZoneInfo("Europe/Helsinki")))


def api_body(data: bytes) -> None:
    """Any bytes, and a spoiled request, as the body of a request of a robot."""
    choose = chooser(data)
    model, example = EXAMPLES[choose(len(EXAMPLES))]
    for raw in (data, text_of(spoiled(example, choose))):
        try:
            model.model_validate(parse(raw))
        except Problem as problem:
            if problem.status != 400:
                raise
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False, include_context=False)
            problems.problem_response(problems.invalid(found))


def bearer_token(data: bytes) -> None:
    """Any bytes as a bearer token, and as the parts of one."""
    choose = chooser(data)
    claims = spoiled({"sub": "user", "exp": 4_000_000_000, "scope": "sessions:read", "act": {"sub": "r"}}, choose)
    tokens = [data]
    if isinstance(claims, dict):
        secret = Settings().jwt_secret.get_secret_value()
        tokens.append(jwt.PyJWS().encode(json.dumps(claims).encode(), secret, "HS256").encode())
    for token in tokens:
        request = Request({"type": "http", "headers": [(b"authorization", b"Bearer " + token)]})
        try:
            _AUTHENTICATOR.user(request).send(None)  # it never waits: the key is here
        except StopIteration:
            continue
        except Problem as problem:
            if problem.status != 401:
                raise


def peer_credentials(data: bytes) -> None:
    """Spoiled Credentials of any version."""
    choose = chooser(data)
    version = list(DIALECTS)[choose(len(DIALECTS))]
    try:
        body = wire.loads(text_of(spoiled(in_version(version, "credentials", credentials()), choose)))
        if isinstance(body, dict):
            Credentials.model_validate(dialect(version).read("credentials", body))
    except (wire.MalformedJson, ValidationError):
        return


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    target.__name__: target
    for target in (
        ocpi_object,
        ocpi_body,
        envelope,
        evse_names,
        tariff_engine,
        api_body,
        bearer_token,
        peer_credentials,
    )
}
