"""``charging webhook``: where the user's events are delivered to, and what became of each."""

from typing import Annotated
from urllib.parse import quote

import typer

from charging.cli.api import Json, call_admin
from charging.cli.options import AsJson, Data
from charging.cli.output import console, print_fields, print_json

app = typer.Typer(help="Have events delivered to a URL (Standard Webhooks).", no_args_is_help=True)

WebhookId = Annotated[str, typer.Argument(help="As `charging webhook add` prints it.", show_default=False)]
_PATH = "/v1/webhooks"


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="Where to; https, and public.")],
    types: Annotated[list[str] | None, typer.Option("--type", help="Only these events; may be repeated.")] = None,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Add a webhook; prints its secret, this once."""
    _show(call_admin(data, "POST", _PATH, json={"url": url, "types": types or []}), as_json)


@app.command("list")
def list_all(as_json: AsJson = False, data: Data = None) -> None:
    """Your webhooks."""
    _show_all(call_admin(data, "GET", _PATH), "webhooks", as_json)


@app.command()
def remove(webhook_id: WebhookId, data: Data = None) -> None:
    """Remove a webhook; what was not delivered yet will not be."""
    call_admin(data, "DELETE", _path(webhook_id))


@app.command()
def rotate(webhook_id: WebhookId, as_json: AsJson = False, data: Data = None) -> None:
    """A new secret, printed this once; the one before signs, too, for 24 h."""
    _show(call_admin(data, "POST", f"{_path(webhook_id)}/rotate"), as_json)


@app.command()
def deliveries(
    webhook_id: WebhookId,
    state: Annotated[str | None, typer.Option(help="waiting, delivered or failed.")] = None,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """The newest hundred deliveries."""
    params = {"state": state} if state else {}
    _show_all(call_admin(data, "GET", f"{_path(webhook_id)}/deliveries", params=params), "deliveries", as_json)


@app.command()
def replay(
    webhook_id: WebhookId,
    delivery_id: Annotated[str, typer.Argument(help="As `charging webhook deliveries` prints it.")],
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Deliver an event again, under the same id."""
    path = f"{_path(webhook_id)}/deliveries/{quote(delivery_id, safe='')}/replay"
    _show(call_admin(data, "POST", path), as_json)


def _path(webhook_id: str) -> str:
    return f"{_PATH}/{quote(webhook_id, safe='')}"


def _show(answer: Json, as_json: bool) -> None:
    (print_json if as_json else print_fields)(answer)


def _show_all(answer: Json, name: str, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    for each in answer[name]:
        words = [str(value) for value in each.values() if value not in (None, [])]
        console.print("  ".join(words), markup=False, soft_wrap=True)
