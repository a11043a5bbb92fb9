"""What prices are read from, as functions of bytes that a fuzzer thinks of: tariffs, CDRs, curves.

A target returns when it has read, or has refused as its documentation says. Anything else that it raises is a finding.
"""

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from charging.curve_refresher import usable
from charging.ocpi import wire
from charging.payments.cdr import Unreadable, read_cdr
from charging.tariffs.audit import Evidence, audit_cdr
from charging.tariffs.quote import planned_charge, quoted
from charging.tariffs.rating import rate
from charging.tariffs.rules import DEFAULT_RULES
from charging.tariffs.tariff import Unpriceable, read_tariff
from charging.tariffs.usage import UnreadableUsage, read_usage
from tests.fuzz.spoiling import NOW, chooser, objects, spoiled, text_of

OBJECTS = objects()


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


def curve(data: bytes) -> None:
    """Any bytes, and a spoiled curve, as what a publisher of prices answers."""
    points = [{"start": f"2026-03-30T{hour:02}:00:00Z", "price": 0.1 * hour} for hour in range(3)]
    for raw in (data, text_of(spoiled({"points": points, "currency": "EUR"}, chooser(data)))):
        for is_csv in (False, True):
            try:
                usable("price", raw, is_csv=is_csv, currency="EUR")
            except ValueError:
                continue
