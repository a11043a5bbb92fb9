"""Where output goes: answers to stdout, talk about them to stderr."""

import json
from typing import Any

import typer
from rich.console import Console

console = Console(highlight=False)
notes = Console(stderr=True, highlight=False)


def print_json(answer: dict[str, Any]) -> None:
    """One line of JSON on stdout, at once."""
    typer.echo(json.dumps(answer, ensure_ascii=False))


def print_fields(answer: dict[str, Any]) -> None:
    """An answer for people: one field a line, nulls left out."""
    width = max(map(len, answer), default=0)
    for name, value in answer.items():
        if value is not None:
            shown = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | bool) else str(value)
            console.print(f"[dim]{name.ljust(width)}[/]  ", end="")
            console.print(shown, markup=False, soft_wrap=True)
