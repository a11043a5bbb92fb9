"""A quote for people: what it would cost, of what that is made, and what it rests on."""

from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

WIDTH = 86


def quote_panel(answer: dict[str, Any]) -> RenderableType:
    """What ``POST /v1/quotes`` answers."""
    parts: list[RenderableType] = [_total(answer)]
    if answer["lines"]:
        parts += [Text(), _lines(answer)]
    parts += [Text(), *(Text(f"· {words}", style="dim") for words in answer["assumptions"])]
    parts += [Text.assemble(("! ", "bold yellow"), warning["detail"]) for warning in answer["warnings"]]
    title = f"[bold]Quote[/]  {answer['network']} · {answer['evse_id']} · {answer['connector_type']}"
    return Panel(Group(*parts), title=title, title_align="left", border_style="cyan", padding=(1, 2), width=WIDTH)


def _total(answer: dict[str, Any]) -> Text:
    total, currency = answer["total_cost"], answer["currency"] or ""
    if total is None:
        return Text("The price is not known", style="bold yellow")
    gross, net = total["incl_vat"], total["excl_vat"]
    if gross is None:
        return Text.assemble((f"{net:.2f} {currency}", "bold green"), "  without VAT, which is not told")
    more = "" if net is None else f"  ({net:.2f} without VAT)"
    return Text.assemble((f"{gross:.2f} {currency}", "bold green"), (more, "dim"))


def _lines(answer: dict[str, Any]) -> Table:
    table = Table("", "billed", "price", "VAT", "cost", "why", box=None, pad_edge=False, header_style="dim")
    for line in answer["lines"]:
        vat = "" if line["vat"] is None else f"{line['vat']:g} %"
        amounts = f"{line['billed_volume']:.4g}", f"{line['price']:g}", vat, f"{line['cost']:.4f}"
        table.add_row(line["dimension"].replace("_", " ").capitalize(), *amounts, Text(line["why"], style="dim"))
    return table
