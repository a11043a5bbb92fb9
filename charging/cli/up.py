"""``charging up``: the embedded stack in the foreground, until it is told to stop."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack, nullcontext, suppress
from enum import StrEnum
from typing import Annotated

import typer
from rich.status import Status

from charging.bootstrap.directory import DataDirectory
from charging.bootstrap.neighbours import Payments
from charging.bootstrap.stack import StackOptions, embedded_stack
from charging.cli.options import Data
from charging.cli.output import console, notes, print_json
from charging.cli.view.stack import stack_panel


class PortChoice(StrEnum):
    """Where the servers listen."""

    FIXED = "fixed"
    AUTO = "auto"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(up)


def up(
    data: Data = None,
    ports: Annotated[
        PortChoice, typer.Option(help="The usual ports, or free ones; chosen once per data directory.")
    ] = PortChoice.FIXED,
    speed: Annotated[int, typer.Option(min=1, max=10_000, help="Sandbox cars take so many times their power.")] = 1,
    no_sandbox: Annotated[bool, typer.Option("--no-sandbox", help="Without the sandbox CPO.")] = False,
    payments: Annotated[
        Payments | None,
        typer.Option(
            help="Who keeps the users' money, chosen once per data directory; with evpass and payments the sandbox's "
            "neighbours run, too, Robot Jobs among them.",
            show_default="wallet",
        ),
    ] = None,
    restored: Annotated[
        bool, typer.Option("--restored", help="Once, where the data directory comes from copies of different moments.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON on stdout when all is ready.")] = False,
) -> None:
    """Run Temporal, worker, API and sandbox CPO on this machine. Ctrl-C or SIGTERM ends it; nothing is lost."""
    auto = ports is PortChoice.AUTO
    options = StackOptions(DataDirectory.of(data), auto, speed, not no_sandbox, payments, restored)
    asyncio.run(_serve(options, as_json))


async def _serve(options: StackOptions, as_json: bool) -> None:
    end_on_signals()
    starting = nullcontext() if as_json else notes.status("Starting")
    with suppress(asyncio.CancelledError):
        async with AsyncExitStack() as running:
            with starting as status:
                stack = await running.enter_async_context(embedded_stack(options, show_progress(status)))
            if as_json:
                print_json(stack.description())
            else:
                console.print(stack_panel(stack.description()))
            await asyncio.Event().wait()


def end_on_signals() -> None:
    """Let SIGTERM, Ctrl-C and a closed terminal cancel the present task: its ``finally`` blocks end the children.

    A second one interrupts even those, and the children are killed.
    """
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - called from a coroutine
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def show_progress(status: Status | None) -> Callable[[str], None]:
    """Tell a person what is being started; nobody where there is no ``status``."""
    return (lambda _: None) if status is None else (lambda words: status.update(f"{words} …"))
