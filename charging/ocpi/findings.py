"""What a message of a peer violates: the linter's rules (``charging cpo doctor``, ``charging cpo check``).

Pure. Everything found here is understood all the same where it makes any sense; a finding is for the peer's engineer.
Section numbers are those of OCPI 2.2.1.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import parse_qs, unquote, urljoin, urlsplit

from charging.ocpi import wire
from charging.ocpi.object_findings import Found, of_object
from charging.ocpi.peer_url import same_host

Level = Literal["violation", "advice"]

MOST_OBJECTS: Final = 20  # of one page are looked at


@dataclass(frozen=True)
class Rule:
    """One thing that the specification asks for. ``words`` are for the engineer who can mend it."""

    id: str
    words: str
    section: str
    level: Level = "violation"


@dataclass(frozen=True)
class Finding:
    """One violation. ``example``: the path of a field or a header's name, no more."""

    rule: str
    module: str
    example: str


_RULES: Final = (
    Rule(
        "token_not_base64",
        "Send the credentials token in Base64 in the Authorization header.",
        "§4 Authorization header",
    ),
    Rule(
        "token_in_base64",
        "OCPI 2.1.1 sends the credentials token as it is, not in Base64.",
        "2.1.1 §4 Authorization header",
    ),
    Rule(
        "token_with_line_end", "The Base64 token holds a line end: encode the token alone.", "§4 Authorization header"
    ),
    Rule("request_id_missing", "Send X-Request-ID and X-Correlation-ID with every request.", "§4 Unique message IDs"),
    Rule("request_id_not_echoed", "Answer with the X-Request-ID of the request.", "§4 Unique message IDs"),
    Rule("content_type", "Send Content-Type: application/json with every body.", "§4 Request format"),
    Rule("not_json", "The body is not JSON.", "§4 Request format"),
    Rule("no_envelope", "Answer every request with an envelope: data, status_code, timestamp.", "§4 Response format"),
    Rule("timestamp_missing", "The envelope needs a timestamp.", "§4 Response format"),
    Rule("status_code_as_text", "status_code in the envelope is a number.", "§4 Response format"),
    Rule("ocpi_error_as_http_error", "An error of OCPI (2xxx, 3xxx) is answered with HTTP 200.", "§4 Response format"),
    Rule("redirect", "Answer at the URL that your version details name: redirects are not followed.", "§6.2"),
    Rule(
        "data_not_a_list",
        "The data of a list is an array, also where it is empty or has one object.",
        "§4 Response format",
    ),
    Rule(
        "pagination_headers_missing",
        "Send X-Total-Count and X-Limit with every page of a list.",
        "§4 Paginated Response",
    ),
    Rule("link_to_itself", "The Link of a page leads to that page again: it has no end.", "§4 Paginated Response"),
    Rule("link_relative", "The Link of a page is an absolute URL.", "§4 Paginated Response"),
    Rule("link_other_host", "The Link of a page leads to another host: it is not followed.", "§4 Paginated Response"),
    Rule("link_drops_filters", "The Link of a page must keep date_from and date_to.", "§4 Paginated Response"),
    Rule("patch_without_last_updated", "Every PATCH carries last_updated.", "§4 PATCH"),
    Rule("id_differs", "The id in the body is not the one in the URL.", "§4 Client Owned Object Push"),
    Rule(
        "party_differs",
        "country_code and party_id in the body are not those in the URL.",
        "§4 Client Owned Object Push",
    ),
    Rule("foreign_party", "The object belongs to a party that is not among your credentials' roles.", "§7.4.1"),
    Rule("missing_field", "A required field is missing or null.", ""),
    Rule("wrong_type", "The value has another JSON type than the specification says.", ""),
    Rule("number_as_text", "A number is written as text.", "§16.4"),
    Rule("empty_list", "A list that needs at least one item is empty.", ""),
    Rule("unknown_value", "The value is none of the enumeration's. Values are case sensitive.", ""),
    Rule("too_long", "The text is longer than the specification allows.", ""),
    Rule("not_ascii", "A CiString holds printable ASCII only.", "§16.1"),
    Rule("datetime_unreadable", "This is no DateTime: write 2026-01-31T12:00:00Z.", "§16.2"),
    Rule("datetime_format", "Write DateTimes in UTC as 2026-01-31T12:00:00Z: no offset, two digits each.", "§16.2"),
    Rule("datetime_without_z", "Write DateTimes with Z: without it some read local time.", "§16.2", "advice"),
    Rule("coordinates", "Write latitude and longitude with five to seven decimals: 60.169857.", "§8.4.10"),
    Rule("energy_in_wh", "ENERGY is in kWh; the volumes of the charging periods look like Wh.", "§10.4.4"),
    Rule(
        "authorization_reference_missing",
        "A Session or CDR started by a command repeats the command's authorization_reference.",
        "§9.3.1",
    ),
    Rule(
        "voltage_between_lines",
        "max_voltage of a connector with three phases is between line and neutral (230), not between lines (400).",
        "§8.3.3",
    ),
)
RULES: Final[Mapping[str, Rule]] = {rule.id: rule for rule in _RULES}

_SECTIONS: Final = {
    "Location": "§8.3.1",
    "Evse": "§8.3.2",
    "Connector": "§8.3.3",
    "Session": "§9.3.1",
    "Cdr": "§10.3.1",
    "Tariff": "§11.3.1",
    "LocationReferences": "§12.3.3",
    "CommandResponse": "§13.3.2",
    "CommandResult": "§13.3.1",
    "ChargingProfileResponse": "§14.3.1",
    "ActiveChargingProfile": "§14.4.1",
    "Credentials": "§7.3.1",
    "VersionDetail": "§6.2.1",
    "ClientInfo": "§15.4.1",
}

# What a list of a module holds, and what is pushed to it.
_KINDS: Final = {"locations": "location", "tariffs": "tariff", "sessions": "session", "cdrs": "cdr"}
_PLACES: Final = ("location", "evse", "connector")  # by the depth of the URL
_KEYS: Final = {"evse": "uid"}
_WITHOUT_IDS: Final = frozenset(("2.1.1",))  # no X-Request-ID, no last_updated in a PATCH
_FAIR_HTTP_ERRORS: Final = frozenset((400, 401, 403, 404, 405))


def section_of(finding: Finding) -> str:
    """Where the specification (2.2.1) says so."""
    return RULES[finding.rule].section or _SECTIONS.get(finding.example.partition(".")[0], "")


@dataclass(frozen=True)
class Pushed:
    """A request of a peer to us. ``path``: what follows the module in the URL. ``roles``: those of the peer.

    ``written``: how its Authorization header was written. ``headers`` have lower-case names.
    """

    version: str
    module: str
    method: str
    path: Sequence[str]
    headers: Mapping[str, str]
    body: bytes
    roles: Sequence[wire.Party] = ()
    written: Literal["base64", "raw", "line"] = "base64"


@dataclass(frozen=True)
class Answered:
    """A peer's answer to a request of ours. ``sent`` and ``headers``: ours and its, with lower-case names."""

    version: str
    module: str
    method: str
    url: str
    http_status: int
    sent: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    roles: Sequence[wire.Party] = field(default=())


def of_push(push: Pushed) -> list[Finding]:
    """What a request of a peer violates; each rule once per field."""
    return _findings(push.module, _push(push))


def of_answer(answer: Answered) -> list[Finding]:
    """What a peer's answer violates; each rule once per field."""
    return _findings(answer.module, _answer(answer))


def of_objects(version: str, kind: str, bodies: Sequence[Any]) -> list[Finding]:
    """What objects violate, by themselves."""
    module = next((module for module, of in _KINDS.items() if of == kind), kind)
    return _findings(module, (found for body in bodies for found in of_object(version, kind, body)))


def _findings(module: str, found: Iterator[Found]) -> list[Finding]:
    return [Finding(rule, module, example) for rule, example in dict.fromkeys(found)]


# ---- Requests of a peer -------------------------------------------------------------------------------------------


def _push(push: Pushed) -> Iterator[Found]:
    yield from _token(push)
    if push.version not in _WITHOUT_IDS:
        for header in (wire.REQUEST_ID, wire.CORRELATION_ID):
            if header.lower() not in push.headers:
                yield "request_id_missing", header
    if not push.body:
        return
    if "json" not in push.headers.get("content-type", ""):
        yield "content_type", "Content-Type"
    try:
        body = wire.loads(push.body)
    except wire.MalformedJson:
        yield "not_json", push.method
        return
    yield from _pushed_object(push, body)


def _token(push: Pushed) -> Iterator[Found]:
    is_raw = push.written == "raw"
    if is_raw and push.version not in _WITHOUT_IDS:
        yield "token_not_base64", wire.AUTHORIZATION
    if not is_raw and push.version == "2.1.1":
        yield "token_in_base64", wire.AUTHORIZATION
    if push.written == "line":
        yield "token_with_line_end", wire.AUTHORIZATION


def _pushed_object(push: Pushed, body: Any) -> Iterator[Found]:
    kind = _kind(push)
    if kind is None:
        return
    yield from of_object(push.version, kind, body, is_part=push.method == "PATCH")
    if not isinstance(body, dict):
        return
    if push.method == "PATCH" and push.version not in _WITHOUT_IDS and body.get("last_updated") is None:
        yield "patch_without_last_updated", f"{kind}.last_updated"
    if push.method in ("PUT", "PATCH") and kind in (*_PLACES, "tariff", "session"):
        yield from _identity(push, kind, body)
    elif kind == "cdr":
        yield from _owner(push.roles, kind, body)


def _kind(push: Pushed) -> str | None:
    if push.module == "locations":
        depth = len(push.path) - 3
        return _PLACES[depth] if 0 <= depth < len(_PLACES) else None
    if push.method == "POST":
        kinds = {"cdrs": "cdr", "commands": "command_result", "tokens": "location_references"}
        return kinds.get(push.module, "credentials" if push.module == "credentials" else None)
    if push.module == "chargingprofiles":
        return "active_charging_profile"
    return {"tariffs": "tariff", "sessions": "session", "credentials": "credentials"}.get(push.module)


def _identity(push: Pushed, kind: str, body: dict[str, Any]) -> Iterator[Found]:
    """The URL and the body name one object of one party (§4.1.2)."""
    key = _KEYS.get(kind, "id")
    named = body.get(key)
    if push.path and named is not None and wire.fold(str(named)) != wire.fold(unquote(push.path[-1])):
        yield "id_differs", f"{kind}.{key}"
    if len(push.path) < 3 or kind in ("evse", "connector"):
        return
    party = wire.Party(unquote(push.path[0]), unquote(push.path[1]))
    country_code, party_id = body.get("country_code"), body.get("party_id")
    if country_code and party_id and not party.is_same(str(country_code), str(party_id)):
        yield "party_differs", f"{kind}.party_id"
    if push.roles and not any(role.is_same(party.country_code, party.party_id) for role in push.roles):
        yield "foreign_party", f"{kind}.party_id"


def _owner(roles: Sequence[wire.Party], kind: str, body: dict[str, Any]) -> Iterator[Found]:
    country_code, party_id = body.get("country_code"), body.get("party_id")
    if roles and country_code and party_id:
        if not any(role.is_same(str(country_code), str(party_id)) for role in roles):
            yield "foreign_party", f"{kind}.party_id"


# ---- Answers of a peer --------------------------------------------------------------------------------------------


def _answer(answer: Answered) -> Iterator[Found]:
    if 300 <= answer.http_status < 400:
        yield "redirect", "Location"
        return
    sent = answer.sent.get(wire.REQUEST_ID.lower())
    if answer.version not in _WITHOUT_IDS and sent and answer.headers.get(wire.REQUEST_ID.lower()) != sent:
        yield "request_id_not_echoed", wire.REQUEST_ID
    is_fine = 200 <= answer.http_status < 300
    try:
        body = wire.loads(answer.body)
    except wire.MalformedJson:
        body = None
    envelope = wire.read_envelope(body)
    if envelope is None:
        if is_fine:
            yield "no_envelope", "status_code"
        return
    yield from _envelope(answer, body, envelope)
    if is_fine and envelope.is_success:
        yield from _data(answer, envelope.data)


def _envelope(answer: Answered, body: dict[str, Any], envelope: wire.Envelope) -> Iterator[Found]:
    if "timestamp" not in body:
        yield "timestamp_missing", "timestamp"
    if isinstance(body["status_code"], str):
        yield "status_code_as_text", "status_code"
    is_odd = answer.http_status >= 400 and answer.http_status not in _FAIR_HTTP_ERRORS
    if is_odd and 2000 <= envelope.status_code < 4000:
        yield "ocpi_error_as_http_error", f"HTTP {answer.http_status}"


def _data(answer: Answered, data: Any) -> Iterator[Found]:
    if answer.module == "commands":
        yield from of_object(answer.version, "command_response", data)
    elif answer.module == "chargingprofiles":
        yield from of_object(answer.version, "charging_profile_response", data)
    elif answer.module in _KINDS and answer.method == "GET":
        yield from _page(answer, data)
    elif answer.module == "credentials" and answer.method in ("GET", "POST", "PUT"):
        yield from of_object(answer.version, "credentials", data)


def _page(answer: Answered, data: Any) -> Iterator[Found]:
    for header in (wire.TOTAL_COUNT, wire.LIMIT):
        if header.lower() not in answer.headers:
            yield "pagination_headers_missing", header
    yield from _link(answer)
    if not isinstance(data, list):
        yield "data_not_a_list", "data"
        return
    kind = _KINDS[answer.module]
    for body in data[:MOST_OBJECTS]:
        yield from of_object(answer.version, kind, body)
        if isinstance(body, dict):
            yield from _owner(answer.roles, kind, body)


def _link(answer: Answered) -> Iterator[Found]:
    link = wire.next_link(answer.headers.get("link"))
    if link is None:
        return
    target = urljoin(answer.url, link)
    if target == answer.url:
        yield "link_to_itself", "Link"
    if not urlsplit(link).netloc:
        yield "link_relative", "Link"
    elif not same_host(link, answer.url):
        yield "link_other_host", "Link"
    asked, kept = parse_qs(urlsplit(answer.url).query), parse_qs(urlsplit(target).query)
    if any(name in asked and name not in kept for name in ("date_from", "date_to")):
        yield "link_drops_filters", "Link"
