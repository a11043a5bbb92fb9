"""``charging ocpi-token``: stable tokens of users, which every operator is told of."""

from typing import Annotated
from urllib.parse import quote

import typer
from rich.table import Table

from charging.cli.api import Json, call_admin
from charging.cli.options import AsJson, Data, given
from charging.cli.output import console, print_fields, print_json

app = typer.Typer(help="Stable tokens of users (app or card), known to every operator.", no_args_is_help=True)

Uid = Annotated[str, typer.Argument(help="The token's uid, as `charging ocpi-token list` shows it.")]
Kind = Annotated[str, typer.Option("--type", help="APP_USER or RFID.")]
Contract = Annotated[str | None, typer.Option(help="Contract id; otherwise the user's own.")]
Visual = Annotated[str | None, typer.Option(help="What stands on the card.")]
Whitelist = Annotated[str | None, typer.Option(help="ALWAYS, ALLOWED, ALLOWED_OFFLINE or NEVER.")]


@app.command()
def add(
    user: Annotated[str, typer.Argument(help="Whose it is: the `sub` of the user's JWT.")],
    kind: Kind = "APP_USER",
    uid: Annotated[str | None, typer.Option(help="The card's uid. An app's is made up.")] = None,
    contract_id: Contract = None,
    visual_number: Visual = None,
    whitelist: Whitelist = None,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Give a user a stable token."""
    wishes = {
        "user_id": user,
        "type": kind,
        "uid": uid,
        "contract_id": contract_id,
        "visual_number": visual_number,
        "whitelist": whitelist,
    }
    _show(call_admin(data, "POST", "/ocpi/tokens", json=_given(wishes)), as_json)


@app.command("list")
def list_tokens(
    user: Annotated[str | None, typer.Option(help="Of this user only.")] = None,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Stable tokens, one a line; the first 1000."""
    answer = call_admin(data, "GET", "/ocpi/tokens", params={"limit": 1000, **_given({"user_id": user})})
    if as_json:
        print_json(answer)
        return
    table = Table("uid", "type", "user_id", "valid", "contract_id", box=None, pad_edge=False, header_style="dim")
    for token in answer["tokens"]:
        table.add_row(*(str(token[column.header]) for column in table.columns))
    console.print(table)


@app.command()
def show(uid: Uid, kind: Kind = "APP_USER", as_json: AsJson = False, data: Data = None) -> None:
    """One token, and what each operator knows of it."""
    _show(call_admin(data, "GET", _path(uid), params={"type": kind}), as_json)


@app.command()
def change(
    uid: Uid,
    kind: Kind = "APP_USER",
    valid: Annotated[bool | None, typer.Option("--valid/--invalid", help="Whether it may charge.")] = None,
    contract_id: Contract = None,
    visual_number: Visual = None,
    whitelist: Whitelist = None,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Change a token."""
    wishes = {
        "valid": valid,
        "contract_id": contract_id,
        "visual_number": visual_number,
        "whitelist": whitelist,
    }
    _show(call_admin(data, "PATCH", _path(uid), params={"type": kind}, json=_given(wishes)), as_json)


@app.command()
def invalidate(uid: Uid, kind: Kind = "APP_USER", as_json: AsJson = False, data: Data = None) -> None:
    """Make a token invalid: nothing charges with it any more."""
    _show(call_admin(data, "DELETE", _path(uid), params={"type": kind}), as_json)


def _path(uid: str) -> str:
    return f"/ocpi/tokens/{quote(uid, safe='')}"


def _given(wishes: Json) -> Json:
    return given(wishes)


def _show(answer: Json, as_json: bool) -> None:
    (print_json if as_json else print_fields)(answer)
