"""A receipt on one page of paper (A4), for people and their accountants. Its numbers are those of the JSON."""

from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import TTFFont

from charging.payments.receipt import Receipt, ReceiptItem, ReceiptLine
from charging.receipt_text import LATIN_1, dejavu, writable

_FONT: Final = "Helvetica"
_UNICODE: Final = "DejaVu"
_LONGEST: Final = 300  # characters, of which no line holds as many
_INK: Final = (28, 34, 43)
_FAINT: Final = (120, 128, 140)
_RULE: Final = (208, 213, 221)
_ACCENT: Final = (17, 122, 84)
_WIDTH: Final = 170.0  # mm, between margins of 20
_ROW: Final = 6.0
_MOST_ITEMS: Final = 12  # that fit on the page; the JSON has them all
_STAMPS: Final = {"paid": _ACCENT, "refunded": _ACCENT, "not_required": _FAINT, "failed": (180, 35, 24)}
_NAMES: Final = {
    "FLAT": "Session fee",
    "ENERGY": "Energy",
    "TIME": "Charging time",
    "PARKING_TIME": "Parking",
    "RESERVATION": "Reservation",
    "RESERVATION_TIME": "Reservation",
    "OTHER": "Rounding and other",
    "CREDIT": "Credited by the operator",
    "REJECTED": "Bill rejected",
}
_VERDICTS: Final = {
    "match": "The bill agrees with the tariff.",
    "mismatch": "The bill differs from the tariff.",
    "unverifiable": "There is no tariff to check the bill by.",
}


def draw_receipt(receipt: Receipt) -> bytes:
    """The PDF of ``receipt``."""
    page = _Page(receipt)
    page.head()
    page.facts()
    page.lines()
    page.total()
    page.items()
    page.foot()
    return page.bytes()


class _Page:
    """The page, from top to bottom."""

    def __init__(self, receipt: Receipt) -> None:
        self._receipt = receipt
        self._unicode: set[str] = set()  # faces that were added; they are large
        self._pdf = FPDF(format="A4")
        self._pdf.set_margins(20, 20)
        self._pdf.set_auto_page_break(False)
        self._pdf.set_title(f"Receipt {receipt.session_id}")
        self._pdf.set_lang("en")
        self._pdf.add_page()

    def head(self) -> None:
        """Whose receipt it is, and where its payment stands."""
        status = str(self._receipt.payment_status)
        self._text(self._receipt.network, size=20, bold=True, width=120, on=True)
        self._pdf.set_fill_color(*_STAMPS.get(status, _FAINT))
        self._text(status.replace("_", " ").upper(), 50, size=10, bold=True, ink=(255, 255, 255), align="C", fill=True)
        self._pdf.ln(4)
        self._text(f"Charging receipt, version {self._receipt.version}", ink=_FAINT)
        self._rule()

    def facts(self) -> None:
        """What was charged, where and when."""
        receipt = self._receipt
        hours, minutes = divmod(receipt.duration_minutes, 60)
        rows = {
            "Session": receipt.session_id,
            "Charger": receipt.evse_id,
            "From": _moment(receipt.started_at),
            "To": _moment(receipt.ended_at),
            "Duration": f"{hours} h {minutes} min" if hours else f"{minutes} min",
            "Energy": f"{receipt.energy_kwh} kWh",
            "Bills (CDR)": ", ".join(receipt.cdr_ids) or "none",
        }
        for name, value in rows.items():
            if value:
                self._text(name, 40, ink=_FAINT, on=True)
                self._text(value, 130)
        self._rule()

    def lines(self) -> None:
        """The operator's bill."""
        self._row(("", "Quantity", "Net", "VAT", "Gross"), _LINE_WIDTHS, ink=_FAINT)
        for line in self._receipt.lines:
            self._row(_line(line), _LINE_WIDTHS)
        self._rule()

    def total(self) -> None:
        """What is owed."""
        self._text("Total", 85, size=14, bold=True, on=True)
        self._text(f"{self._receipt.amount_due} {self._receipt.currency}", 85, size=14, bold=True, align="R")
        self._pdf.ln(4)

    def items(self) -> None:
        """The same by the tariff, price by price."""
        items = self._receipt.items
        if not items:
            return
        self._text("By the tariff", size=11, bold=True)
        self._row(("", "Used", "Billed", "Price", "VAT %", "Net", "Gross"), _ITEM_WIDTHS, ink=_FAINT, size=8)
        for item in items[:_MOST_ITEMS]:
            self._row(_item(item), _ITEM_WIDTHS, size=8)
            self._text(item.why, size=7, ink=_FAINT)
        if len(items) > _MOST_ITEMS:
            self._text(f"and {len(items) - _MOST_ITEMS} more", size=8, ink=_FAINT)

    def foot(self) -> None:
        """What our check of the bill found."""
        audit = self._receipt.audit
        self._pdf.ln(2)
        decision = f" A person has {audit.decision} it." if audit.decision else ""
        self._text(_VERDICTS[audit.verdict] + decision, size=9)
        for difference in audit.differences[:3]:
            self._text(difference, size=8, ink=_FAINT)

    def bytes(self) -> bytes:
        """The file."""
        return bytes(self._pdf.output())

    def _row(
        self, texts: tuple[str, ...], widths: tuple[float, ...], *, size: float = 10, ink: tuple[int, int, int] = _INK
    ) -> None:
        for place, (text, width) in enumerate(zip(texts, widths, strict=True)):
            is_last = place == len(widths) - 1
            self._text(text, width, size=size, ink=ink, align="R" if place else "L", on=not is_last)

    def _text(
        self,
        text: str,
        width: float = _WIDTH,
        *,
        size: float = 10,
        bold: bool = False,
        ink: tuple[int, int, int] = _INK,
        align: str = "L",
        fill: bool = False,
        on: bool = False,
    ) -> None:
        """One line of text in a cell ``width`` mm wide; ``on``: what follows stands beside it."""
        text = self._written(text[:_LONGEST], "B" if bold else "", size)
        self._pdf.set_text_color(*ink)
        height = max(_ROW, size * 0.5) if size > 8 else _ROW - 1.5
        x, y = (XPos.RIGHT, YPos.TOP) if on else (XPos.LMARGIN, YPos.NEXT)
        self._pdf.cell(width, height, self._fitting(text, width), align=align, fill=fill, new_x=x, new_y=y)

    def _written(self, text: str, style: Literal["", "B"], size: float) -> str:
        """``text`` as the font that is set for it can write it."""
        self._pdf.set_font(_FONT, style, size)
        if all(ord(character) in LATIN_1 for character in text):
            return text
        if (faces := dejavu()) is None:
            return writable(text, LATIN_1)
        if style not in self._unicode:
            self._unicode.add(style)
            self._pdf.add_font(_UNICODE, style, faces[style == "B"])
        self._pdf.set_font(_UNICODE, style, size)
        font = self._pdf.current_font
        return writable(text, font.cmap if isinstance(font, TTFFont) else LATIN_1)

    def _fitting(self, text: str, width: float) -> str:
        """``text``, no longer than the cell is."""
        while text and self._pdf.get_string_width(text) > width - 2:
            text = text[:-4] + "..." if len(text) > 4 else ""
        return text

    def _rule(self) -> None:
        self._pdf.ln(3)
        self._pdf.set_draw_color(*_RULE)
        self._pdf.line(20, self._pdf.get_y(), 190, self._pdf.get_y())
        self._pdf.ln(3)


_LINE_WIDTHS: Final = (62.0, 33.0, 25.0, 25.0, 25.0)
_ITEM_WIDTHS: Final = (40.0, 25.0, 25.0, 20.0, 15.0, 22.5, 22.5)


def _line(line: ReceiptLine) -> tuple[str, ...]:
    volume = "" if line.volume is None else f"{line.volume} {line.unit}"
    amounts = (_amount(each) for each in (line.excl_vat, line.vat, line.incl_vat))
    return (_NAMES.get(line.dimension, line.dimension), volume, *amounts)


def _item(item: ReceiptItem) -> tuple[str, ...]:
    unit = {"ENERGY": " kWh", "FLAT": " x"}.get(item.dimension, " h")
    volumes = (f"{_short(each)}{unit}" for each in (item.volume, item.billed_volume))
    vat = "" if item.vat is None else _short(item.vat)
    amounts = (_amount(each) for each in (item.excl_vat, item.incl_vat))
    return (_NAMES.get(item.dimension, item.dimension), *volumes, _short(item.price), vat, *amounts)


def _amount(amount: Decimal | None) -> str:
    """At least two places, and all that there are up to four: a line is not rounded to cents, only the total is."""
    if amount is None:
        return ""
    text = f"{amount:.4f}"
    return text[:-2] if text.endswith("00") else text


def _short(number: Decimal) -> str:
    return f"{float(number):.6g}"


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else ""
