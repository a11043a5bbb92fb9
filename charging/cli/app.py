"""All commands."""

import typer

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
