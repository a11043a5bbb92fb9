"""Runs a command; the one place where a failure becomes words on stderr and an exit code."""

import logging
import sys

import typer

from charging import logs
from charging.bootstrap.errors import StackError
from charging.cli import alone
from charging.cli.failure import Failure


def main() -> None:
    """Run the command given on the command line."""
    logs.configure(logging.WARNING)
    try:
        _commands()()
    except (Failure, StackError) as failure:
        typer.echo(str(failure), err=True)
        sys.exit(failure.exit_code if isinstance(failure, Failure) else 1)
    except BrokenPipeError:  # the reader of our output has left: nothing to say, and nobody to say it to
        sys.stderr.close()
        sys.exit(1)


def _commands() -> typer.Typer:
    if sys.argv[1:2] and sys.argv[1] in alone.NAMES:
        return alone.app
    from charging.cli.app import app  # all of them take most of a second to import

    return app
