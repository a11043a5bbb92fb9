"""``charging events``: follow what happens to one session, or to all of the user's."""

import asyncio
import json
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from charging.cli.api import Json, connect
from charging.cli.options import AsJson, Data
from charging.cli.output import console, print_json
from charging.cli.target import target


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(events)


def events(
    session_id: Annotated[str | None, typer.Argument(help="Only this session's; ends when it does.")] = None,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Show events as they happen, one a line, through restarts of the API."""
    path = f"/v1/sessions/{quote(session_id, safe='')}/events" if session_id else "/v1/events"
    asyncio.run(_follow(data, path, as_json))


async def _follow(data: Path | None, path: str, as_json: bool) -> None:
    async with connect(target(data)) as api:
        async for event in api.events(path):
            (print_json if as_json else _show)(event)


def _show(event: Json) -> None:
    words = f"{event['at'][11:19]}  {event['session_id'][:8]}  {event['type']}  {json.dumps(event['data'])}"
    console.print(words, markup=False, soft_wrap=True)
