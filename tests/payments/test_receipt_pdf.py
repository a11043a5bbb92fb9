"""The receipt on paper: whatever a network is called, its name can be read there."""

import re
import zlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from charging.payments.receipt import Audit, Receipt
from charging.receipt_pdf import draw_receipt
from charging.receipt_text import LATIN_1, writable


def receipt(network: str, **fields: Any) -> Receipt:
    facts = {"session_id": "S1", "evse_id": "FI*VRT*E1", "energy_kwh": Decimal("31.25"), "duration_minutes": 45}
    money = {"cost": Decimal("12.50"), "amount_due": Decimal("12.50"), "currency": "EUR", "payment_status": "paid"}
    times = {"started_at": datetime(2026, 3, 2, 12, tzinfo=UTC), "ended_at": datetime(2026, 3, 2, 12, 45, tzinfo=UTC)}
    rest = {"network": network, "lines": [], "cdr_ids": ["CDR-1"], "audit": Audit(verdict="match")}
    return Receipt.model_validate({**facts, **money, **times, **rest, **fields})


def read(pdf: bytes) -> list[str]:
    """The texts of the page as a reader would copy them; at most one face of an embedded font is understood."""
    streams = [zlib.decompress(found) for found in re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL)[:1]]
    streams += re.findall(rb"stream\n(/CIDInit.*?)\nendstream", pdf, re.DOTALL)
    page, *maps = streams
    pairs = [pair for each in maps for pair in re.findall(rb"<([0-9A-F]{4})> <([0-9A-F]+)>", each)]
    characters = {int(code, 16): bytes.fromhex(text.decode()).decode("utf-16-be") for code, text in pairs}
    texts = re.findall(rb"\(((?:\\.|[^\\)])*)\) Tj", page, re.DOTALL)
    return [_decoded(re.sub(rb"\\(.)", _unescaped, text, flags=re.DOTALL), characters) for text in texts]


def _unescaped(found: re.Match[bytes]) -> bytes:
    return {b"r": b"\r", b"n": b"\n"}.get(found[1], found[1])


def _decoded(text: bytes, characters: dict[int, str]) -> str:
    if b"\x00" not in text:
        return text.decode("latin-1")
    return "".join(characters[int.from_bytes(text[at : at + 2])] for at in range(0, len(text), 2))


@pytest.mark.parametrize(
    ("network", "on_paper"),
    [
        ("Virta Ääni", "Virta Ääni"),
        ("ΔΕΗ Φόρτιση, Łódź €", "ΔΕΗ Φόρτιση, Łódź €"),
        ("תחנת 12", "12 תנחת"),  # from left to right
        ("⚡ 充电", "⚡ [U+5145][U+7535]"),
        ("🔌 Go", "(electric plug) Go"),
        ("two\nlines\x00\ud800", "two lines [U+D800]"),
    ],
)
def test_a_name_in_any_writing_can_be_read(network: str, on_paper: str) -> None:
    assert read(draw_receipt(receipt(network)))[0] == on_paper


def test_a_name_that_is_too_long_ends_in_dots() -> None:
    for name in ("Charging " * 2_000, "Φόρτιση " * 2_000):
        told = read(draw_receipt(receipt(name)))[0]
        assert told.endswith("...")
        assert name.startswith(told[:-3])


def test_without_the_font_accents_go_and_the_rest_is_spelled_out() -> None:
    assert writable("Łódź, Škoda 5 €", LATIN_1) == "[U+0141]ódz, Skoda 5 (euro sign)"


def test_a_session_that_cost_nothing_has_a_receipt_on_paper() -> None:
    nothing = {"cost": Decimal(0), "amount_due": Decimal("0.00"), "energy_kwh": Decimal(0), "duration_minutes": 0}
    texts = read(draw_receipt(receipt("Virta", **nothing, payment_status="not_required", cdr_ids=[])))
    assert {"NOT REQUIRED", "0.00 EUR", "0 kWh", "0 min", "none"} <= set(texts)
