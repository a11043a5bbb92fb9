"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path | None,
    typer.Option("--data", help="The stack's data directory.", envvar="CHARGING_DATA", show_default=".charging"),
]
AsJson = Annotated[bool, typer.Option("--json", help="The API's answer as JSON, for programs.")]
SessionId = Annotated[str, typer.Argument(help="The session's id, as `charging start` prints it.", show_default=False)]
