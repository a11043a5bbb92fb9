"""The commands that turn JSON on stdin into JSON on stdout: without those for a running stack they begin at once."""

import typer

from charging.cli import plan, price

NAMES = ("plan", "price")

app = typer.Typer(name="charging", pretty_exceptions_enable=False)
for module in (plan, price):
    module.add_to(app)
