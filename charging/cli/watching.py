"""Follow one session until it has ended: a live picture on a terminal, plain lines elsewhere."""

from collections.abc import Callable
from datetime import datetime

from rich.live import Live

from charging.cli.api import Api, Json
from charging.cli.output import console, print_json
from charging.cli.view.session import SessionView


async def watch_session(api: Api, view: SessionView, *, as_json: bool = False) -> Json:
    """Show every change of the session of ``view``; returns its last status."""
    if console.is_terminal and not as_json:
        with Live(view, console=console, refresh_per_second=10):
            return await _follow(api, view, _show_nothing)
    return await _follow(api, view, print_json if as_json else _Lines(view).show)


async def _follow(api: Api, view: SessionView, show: Callable[[Json], None]) -> Json:
    async for status in api.statuses(view.session_id):
        view.update(status, datetime.now().astimezone())
        show(status)
    return view.status


def _show_nothing(_status: Json) -> None:
    """The live picture draws itself."""


class _Lines:
    """One line for each status that says something new."""

    def __init__(self, view: SessionView) -> None:
        self._view = view
        self._last = ""

    def show(self, status: Json) -> None:
        line = self._view.line()
        if self._view.news or line != self._last:
            words = f"{datetime.now().astimezone():%H:%M:%S}  {line}  {'; '.join(self._view.news)}".rstrip()
            console.print(words, markup=False, soft_wrap=True)
        self._last = line
