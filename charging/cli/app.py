"""All commands, and the one place where a failure becomes words on stderr and an exit code."""

import sys

import typer

from charging.bootstrap.errors import StackError
from charging.cli import (
    cpo,
    curves,
    database,
    demo,
    disputes,
    events,
    evses,
    ocpi_tokens,
    plan,
    price,
    quote,
    reconcile,
    reservations,
    sessions,
    tokens,
    up,
    webhooks,
)
from charging.cli.failure import Failure

app = typer.Typer(
    name="charging",
    help="Charge cars: the whole stack on one machine, and its API from a terminal.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for module in (up, demo, tokens, sessions, reservations, evses, quote, plan, price, reconcile, events):
    module.add_to(app)
app.add_typer(cpo.app, name="cpo")
app.add_typer(curves.app, name="curve")
app.add_typer(disputes.app, name="disputes")
app.add_typer(ocpi_tokens.app, name="ocpi-token")
app.add_typer(webhooks.app, name="webhook")
app.add_typer(database.app, name="db")


def main() -> None:
    """Run the command given on the command line."""
    try:
        app()
    except (Failure, StackError) as failure:
        typer.echo(str(failure), err=True)
        sys.exit(failure.exit_code if isinstance(failure, Failure) else 1)
    except BrokenPipeError:  # the reader of our output has left: nothing to say, and nobody to say it to
        sys.stderr.close()
        sys.exit(1)
