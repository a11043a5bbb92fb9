"""``charging token``: a development user's JWT for the running stack."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from charging.bootstrap.directory import DataDirectory
from charging.bootstrap.keys import DevelopmentSecrets
from charging.bootstrap.neighbours import Payments
from charging.bootstrap.tokens import issued, mint
from charging.cli.options import Data


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(token)


def token(
    sub: Annotated[str, typer.Option(help="The user; sessions started with the token belong to them.")],
    scope: Annotated[
        str | None, typer.Option(help='Space separated, as "sessions:read sessions:write"; without it all is allowed.')
    ] = None,
    act: Annotated[str | None, typer.Option(help="Who acts for the user: a robot's id (RFC 8693).")] = None,
    ttl: Annotated[int, typer.Option(min=1, help="Seconds until it expires.")] = 3600,
    data: Data = None,
) -> None:
    """Print a JWT for the running stack, alone on stdout. Production tokens come from your identity provider."""
    directory = DataDirectory.of(data)
    run, lifetime = directory.running_stack(), timedelta(seconds=ttl)
    if run.get("payments") == Payments.EVPASS:
        typer.echo(issued(run["neighbours"], sub=sub, ttl=lifetime, scope=scope, act=act))
        return
    secret = DevelopmentSecrets.of(directory.secrets_file).jwt_secret
    typer.echo(mint(secret, sub=sub, now=datetime.now(UTC), ttl=lifetime, scope=scope, act=act))
