"""``charging disputes``: CDRs that are wrong or in quarantine, for a person to decide."""

from typing import Annotated

import typer
from rich.table import Table

from charging.cli.api import Json, call_admin
from charging.cli.options import AsJson, Data
from charging.cli.output import console, print_fields, print_json

app = typer.Typer(help="Bills that a person decides about.", no_args_is_help=True)

DisputeId = Annotated[str, typer.Argument(help="Its id, as `charging disputes list` shows it.")]


@app.command("list")
def list_disputes(
    status: Annotated[str, typer.Option(help="open, accepted or rejected.")] = "open",
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """The newest disputes, one a line, and what is wrong with each."""
    answer = call_admin(data, "GET", "/v1/admin/disputes", params={"status": status})
    if as_json:
        print_json(answer)
        return
    table = Table("id", "connection", "cdr_id", "state", "total", "why", box=None, pad_edge=False, header_style="dim")
    table.columns[0].no_wrap = True
    for dispute in answer["disputes"]:
        facts = (str(dispute[name]) for name in ("id", "connection", "cdr_id", "state"))
        table.add_row(*facts, _total(dispute), _why(dispute))
    console.print(table)


@app.command()
def accept(dispute_id: DisputeId, as_json: AsJson = False, data: Data = None) -> None:
    """Have the bill paid as it is."""
    _decide(dispute_id, "accept", as_json, data)


@app.command()
def reject(dispute_id: DisputeId, as_json: AsJson = False, data: Data = None) -> None:
    """Keep the bill and pay nothing for it; what was paid is refunded."""
    _decide(dispute_id, "reject", as_json, data)


def _decide(dispute_id: str, decision: str, as_json: bool, data: Data) -> None:
    decided = call_admin(data, "POST", f"/v1/admin/disputes/{dispute_id}/{decision}")
    (print_json if as_json else print_fields)(decided)


def _total(dispute: Json) -> str:
    total = dispute["total_cost"]
    amount = (total.get("incl_vat") or total.get("excl_vat")) if isinstance(total, dict) else total
    return f"{amount} {dispute['currency']}"


def _why(dispute: Json) -> str:
    return dispute["problem"] or "; ".join(difference["detail"] for difference in dispute["differences"])
