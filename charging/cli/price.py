"""``charging price``: what a CDR or Session costs by its tariff, and whether the CPO asks for that. JSON to JSON."""

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import typer

from charging.cli.failure import Failure

if TYPE_CHECKING:
    from charging.tariffs.check import Priced
    from charging.tariffs.rating import Line

_FIELDS: Final = frozenset(("cdr", "tariff", "time_zone", "reservation_expired", "rules"))
_SESSION: Final = ("kwh", "start_datetime")
_CDR_OF_211: Final = ("stop_date_time", "start_datetime", "end_datetime", "auth_id")
_TARIFF_NOT_211: Final = ("country_code", "party_id", "type", "min_price", "max_price", "tax_included")
_FINEST: Final = Decimal("1E-10")

Json = dict[str, Any]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(price)


def price() -> None:
    """Price an OCPI CDR or Session: JSON on stdin, JSON on stdout.

    In: `cdr` (OCPI 2.1.1, 2.2.1 or 2.3.0), `tariff` (else the CDR's own), `time_zone` (IANA), `reservation_expired`,
    `rules` (how the CPO reads the specification). Out: `total_cost`, `lines`, `verdict`, `differences`. Input that
    cannot be read: exit 2.
    """
    from charging.ocpi.wire import MalformedJson, dumps, loads  # here: most commands need no OCPI

    try:
        request = loads(typer.get_binary_stream("stdin").read())
    except MalformedJson as error:
        raise _refused(str(error)) from None
    typer.echo(dumps(_answer(_checked(request))).decode())


def _answer(request: Json) -> Json:
    from charging.tariffs.check import judged, priced
    from charging.tariffs.comparison import read_asked
    from charging.tariffs.usage import UnreadableUsage, read_usage

    cdr, tariffs, is_211 = _canonical(request)
    try:
        usage, asked = read_usage(cdr), read_asked(cdr)
    except UnreadableUsage as error:
        raise _refused(f"cdr: {error}") from None
    rules, zone, expired = _rules(request, is_211), _zone(request), request.get("reservation_expired") is True
    price = priced(usage, tariffs, zone, rules, reservation_expired=expired)
    if price.broken and request.get("tariff") is not None:
        raise _refused(f"tariff: {price.doubt}")
    verdict, differences = judged(asked, price)
    return {**_costs(price), "verdict": verdict, "differences": [difference.detail for difference in differences]}


def _costs(price: "Priced") -> Json:
    rating = price.rating
    if rating is None:
        return {"currency": None, "total_cost": {"excl_vat": None, "incl_vat": None}, "limited_by": None, "lines": []}
    total = rating.rounded
    return {
        "currency": rating.currency,
        "total_cost": {"excl_vat": total.excl, "incl_vat": total.incl},
        "limited_by": rating.limited_by,
        "lines": [_line(line) for line in rating.lines],
    }


def _line(line: "Line") -> Json:
    amounts = {"cost": line.cost, "cost_excl_vat": line.amount.excl, "cost_incl_vat": line.amount.incl}
    return {
        "dimension": line.dimension,
        "volume": _fine(line.volume),
        "billed_volume": _fine(line.billed_volume),
        "price": line.price,
        "vat": line.vat,
        **{name: None if amount is None else _fine(amount) for name, amount in amounts.items()},
        "tariff_id": line.tariff_id,
        "element": line.element,
        "reservation": line.reservation,
        "why": line.why,
    }


def _fine(value: Decimal) -> Decimal:
    """Thirds of an hour end somewhere."""
    return value.quantize(_FINEST, ROUND_HALF_UP)


# ---- What is asked ------------------------------------------------------------------------------------------------


def _checked(request: Any) -> Json:
    if not isinstance(request, dict) or not isinstance(request.get("cdr"), dict):
        raise _refused('an object with an OCPI CDR or Session in "cdr" is needed')
    if unknown := sorted(set(request) - _FIELDS):
        raise _refused(f"{len(unknown)} unknown field(s); known are {', '.join(sorted(_FIELDS))}")
    for name, kind, words in (("tariff", dict, "an object"), ("time_zone", str, "text"), ("rules", dict, "an object")):
        if request.get(name) is not None and not isinstance(request[name], kind):
            raise _refused(f"{name} is not {words}")
    if not isinstance(request.get("reservation_expired"), bool | None):
        raise _refused("reservation_expired is not true or false")
    return request


def _canonical(request: Json) -> tuple[Json, list[Any], bool]:
    """CDR and tariffs as 2.2.1 has them, and whether the tariffs mean what 2.1.1 says they do."""
    from charging.ocpi.versions import dialect

    cdr: Json = request["cdr"]
    version = _version(cdr)
    found = dialect(version).read("session" if any(name in cdr for name in _SESSION) else "cdr", cdr)
    tariff = request.get("tariff")
    if tariff is None:
        own = found.get("tariffs")
        return found, own if isinstance(own, list) else [], version == "2.1.1"
    is_211 = version == "2.1.1" and not any(name in tariff for name in _TARIFF_NOT_211)
    return found, [dialect("2.1.1" if is_211 else "2.3.0").read("tariff", tariff)], is_211


def _version(cdr: Json) -> str:
    """The version of OCPI whose shape a CDR or Session has."""
    total = cdr.get("total_cost")
    if any(name in cdr for name in _CDR_OF_211) or not (total is None or isinstance(total, dict)):
        return "2.1.1"
    own = cdr.get("tariffs")
    of_230 = isinstance(own, list) and any(isinstance(each, dict) and "tax_included" in each for each in own)
    return "2.3.0" if of_230 or (isinstance(total, dict) and "before_taxes" in total) else "2.2.1"


def _rules(request: Json, is_211: bool) -> Any:
    from pydantic import ValidationError

    from charging.tariffs.rules import TariffRules

    try:
        return TariffRules.model_validate({"whole_elements": is_211, **(request.get("rules") or {})})
    except ValidationError:
        raise _refused(f"rules: known are {', '.join(TariffRules.model_fields)}") from None


def _zone(request: Json) -> ZoneInfo | None:
    location = request["cdr"].get("location")  # of 2.1.1, which carries its time zone
    name = request.get("time_zone") or (location.get("time_zone") if isinstance(location, dict) else None)
    try:
        return ZoneInfo(name) if isinstance(name, str) and name else None
    except (OSError, ValueError, LookupError):
        raise _refused("time_zone is not in the IANA database") from None


def _refused(detail: str) -> Failure:
    return Failure("invalid_request", detail, exit_code=2)
