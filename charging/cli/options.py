"""Options that several commands share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

Data = Annotated[
    Path | None,
    typer.Option("--data", help="The stack's data directory.", envvar="CHARGING_DATA", show_default=".charging"),
]
AsJson = Annotated[bool, typer.Option("--json", help="The API's answer as JSON, for programs.")]
SessionId = Annotated[str, typer.Argument(help="The session's id, as `charging start` prints it.", show_default=False)]


def given(wishes: Mapping[str, Any]) -> dict[str, Any]:
    """Those that were given: what an option was not named for is not in the request."""
    return {name: wish for name, wish in wishes.items() if wish is not None}
