"""The receipt, as it would be handed over a counter."""

from datetime import datetime
from typing import Any

from rich.align import Align
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

WIDTH = 66
PAYMENT_STYLES = {"paid": "bold white on green", "failed": "bold white on red", "pending": "black on yellow"}
VERDICTS = {"match": ("✔ adds up", "green"), "mismatch": ("✘ does not add up", "red")}
DIMENSIONS = {"PARKING_TIME": "Parking", "RESERVATION": "Reservation", "OTHER": "Rounding and other"}


def receipt_panel(receipt: dict[str, Any]) -> RenderableType:
    """All of a receipt that a person wants to see; where it has lines, each with its VAT."""
    status = str(receipt["payment_status"])
    stamp = Text(f"  {status.upper()}  ", style=PAYMENT_STYLES.get(status, "reverse"))
    parts: list[RenderableType] = [
        Align.center(Text(str(receipt["network"]), style="bold")),
        Align.center(Text(str(receipt["evse_id"]), style="dim")),
        Rule(style="dim"),
        _facts(receipt),
        Rule(style="dim"),
    ]
    if receipt.get("lines"):
        parts += [_lines(receipt["lines"]), Rule(style="dim")]
    parts += [_total(receipt), Text(), Align.center(stamp)]
    return Panel(Group(*parts), title="[bold]Receipt[/]", border_style="green", padding=(1, 3), width=WIDTH)


def _facts(receipt: dict[str, Any]) -> Table:
    table = Table.grid(expand=True, padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(justify="right")
    table.add_row("Energy", f"{receipt['energy_kwh']:.3f} kWh")
    began, ended = _moment(receipt.get("started_at")), _moment(receipt.get("ended_at"))
    if began and ended:
        table.add_row("From", f"{began:%Y-%m-%d %H:%M:%S}")
        table.add_row("To", f"{ended:%Y-%m-%d %H:%M:%S}")
    table.add_row("Duration", _duration(receipt["duration_minutes"], began, ended))
    for cdr in receipt.get("cdr_ids") or []:
        table.add_row("Bill", Text(str(cdr), overflow="fold"))
    if receipt.get("audit"):
        verdict = str(receipt["audit"].get("verdict"))
        words, style = VERDICTS.get(verdict, (verdict, "yellow"))
        table.add_row("Checked by us", Text(words, style=style))
    return table


def _lines(lines: list[dict[str, Any]]) -> Table:
    table = Table(box=None, expand=True, pad_edge=False, header_style="dim")
    table.add_column("")
    for title in ("", "net", "VAT", "gross"):
        table.add_column(title, justify="right")
    for line in lines:
        volume = f"{line['volume']:g} {line.get('unit') or ''}" if line.get("volume") is not None else ""
        name = DIMENSIONS.get(line["dimension"], str(line["dimension"]).capitalize())
        table.add_row(name, volume, *(_amount(line.get(part)) for part in ("excl_vat", "vat", "incl_vat")))
    return table


def _total(receipt: dict[str, Any]) -> Table:
    table = Table.grid(expand=True)
    table.add_column()
    table.add_column(justify="right")
    table.add_row(Text("Total", style="bold"), Text(f"{receipt['cost']:.2f} {receipt['currency']}", style="bold"))
    return table


def _amount(value: float | None) -> str:
    """Four places: a line is not rounded to cents, only the total is."""
    return "" if value is None else f"{value:.4f}"


def _duration(minutes: int, began: datetime | None, ended: datetime | None) -> str:
    if minutes == 0 and began and ended:
        return f"{(ended - began).total_seconds():.0f} s"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone() if text else None
