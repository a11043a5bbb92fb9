"""The running stack, for the person who started it."""

from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text


def stack_panel(stack: dict[str, Any]) -> RenderableType:
    """Where everything is, and what to try next."""
    places = Table.grid(padding=(0, 3))
    for name, place in (
        ("REST API", f"{stack['api']}/docs"),
        ("Temporal UI", stack["temporal_ui"]),
        ("Sandbox CPO", stack["cpo"] or "not started"),
        ("Neighbours", stack["neighbours"] or "not started (--payments evpass or payments)"),
        ("Data and logs", stack["data"]),
    ):
        places.add_row(Text(name, style="bold"), Text(place, style="cyan"))
    try_next = Text.assemble(
        ("Try in another terminal\n", "dim"),
        ("  charging demo\n", "green"),
        ("  charging start FI-VRT-E12345 --connector CCS --target-kwh 60\n", "green"),
        ("  charging cpo list\n", "green"),
        ("Ctrl-C ends it; the next `charging up` goes on where it stopped.", "dim"),
    )
    return Panel(
        Group(places, Text(), try_next),
        title="[bold green]⚡ charging is up[/]",
        border_style="green",
        padding=(1, 2),
        expand=False,
    )
